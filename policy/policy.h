/* The policy: one INI file and its includes, compiled, immutable, replaced as a whole on reload.
 *
 * Everything here is pure: no socket is opened, no environment read, no global state kept. Only egret_policy_load and
 * egret_policy_changed touch the file system. A policy may be read by any number of threads without a lock; it lives as long
 * as someone holds a reference (egret_policy_ref / egret_policy_unref), and everything reached through it lives as long.
 */
#ifndef EGRET_POLICY_H
#define EGRET_POLICY_H

#include "addr.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum egret_transport { EGRET_STREAM = 1, EGRET_DATAGRAM, EGRET_LOCAL }; /* TCP, UDP, unix: what the socket is */
enum egret_protocol { EGRET_TCP = 1, EGRET_UDP, EGRET_TLS, EGRET_HTTP, EGRET_UNIX }; /* what the program speaks */
enum egret_mode { EGRET_ENFORCE = 1, EGRET_AUDIT, EGRET_OFF };
enum egret_action { EGRET_DENY = 0, EGRET_ALLOW = 1 };
enum egret_tls_mode { EGRET_TLS_OFF = 0, EGRET_TLS_ORIGINATE };
enum egret_tls_verify { EGRET_VERIFY_FULL = 0, EGRET_VERIFY_CHAIN, EGRET_VERIFY_NONE };
enum egret_log_format { EGRET_LOG_JSON = 1, EGRET_LOG_TEXT, EGRET_LOG_ENVOY };
enum egret_truncation { EGRET_TRUNCATION_ERROR = 0, EGRET_TRUNCATION_EOF };
enum egret_starttls { EGRET_STARTTLS_NONE = 0, EGRET_SMTP, EGRET_IMAP, EGRET_POP3, EGRET_LDAP, EGRET_POSTGRES, EGRET_MYSQL };
enum egret_tls_version { EGRET_TLS_ANY = 0, EGRET_TLS_1_2 = 0x0303, EGRET_TLS_1_3 = 0x0304 }; /* RFC 8446 4.1.2 code points */

#define EGRET_PIN_BYTES 32
struct egret_pin { uint8_t sha256[EGRET_PIN_BYTES]; };

/* Every tls_* key of one entry, the defaults of [egret] merged in. Strings are NULL when the key was not given; paths are
 * absolute (relative ones were resolved against the file they stand in). Entries that share all settings share one object. */
struct egret_tls_settings {
	const char *server_name; /* SNI and verified name; NULL: the host the program asked for */
	const char *ca_file, *ca_path, *crl_file;
	const char *client_cert, *client_key;
	const char *ciphers, *ciphersuites, *groups;
	const char *alpn; /* comma separated, as written */
	const struct egret_pin *pins;
	size_t pin_count;
	enum egret_tls_verify verify;
	enum egret_tls_version min_version, max_version; /* EGRET_TLS_ANY: TLS 1.2 at least, the newest at most */
	enum egret_starttls starttls;
	enum egret_truncation truncation;
	uint32_t handshake_timeout_ms;
	bool session_cache;
};

struct egret_endpoint {
	struct egret_addr addr;
	uint16_t port; /* 0: connect_port, else the port that was asked for */
};

/* Rows of http_allow and http_deny. Matched by http_rules.h. */
struct egret_http_rule {
	const char *method; /* "*" or an RFC 9110 token */
	const char *path;   /* glob: * within a segment, ** across; has the query only when it has a '?' */
	const char *text;   /* as written, for the log and the 403 body */
};

struct egret_port_range { uint16_t first, last; };

/* Members are ordered by size: a policy may have 100 000 of these. */
struct egret_entry {
	const char *name;
	const char *file;
	const char *const *hosts; /* as written, after IDNA and case folding; for EGRET_UNIX: paths */
	const struct egret_port_range *ports;
	const struct egret_endpoint *endpoints; /* the `addresses` key */
	const struct egret_http_rule *http_allow, *http_deny;
	const struct egret_tls_settings *settings; /* never NULL */
	uint32_t host_count, port_count, endpoint_count, http_allow_count, http_deny_count;
	uint32_t line; /* of the section's title */
	uint16_t connect_port; /* 0: none */
	enum egret_protocol protocol : 8;
	enum egret_action action : 8;
	enum egret_mode mode : 8; /* 0: the policy's mode; else ENFORCE or AUDIT */
	enum egret_tls_mode tls : 8;
	bool any_transport; /* a deny entry that names no protocol: it covers udp as well as tcp */
};

struct egret_policy; /* opaque: indexes inside */

/* The [egret] section. */
struct egret_defaults {
	enum egret_mode mode;
	bool unmatched_allow;
	bool dns_filter;
	uint32_t dns_min_ttl_ms;
	int deny_errno;
	const char *log; /* NULL: none; "stderr"; or an absolute path */
	enum egret_log_format log_format;
};

/* Loads FILE and its includes. On any error returns NULL and ERR lists every error of all files. On success ERR may be left
 * untouched. WARN (may be NULL) receives what `egret check` warns of. The caller owns one reference. */
struct egret_policy *egret_policy_load(const char *file, struct egret_err *err, struct egret_err *warn);
/* The same from memory, FILE being only the name for messages; includes are not read. For tests, fuzzing and import. */
struct egret_policy *egret_policy_parse(const char *file, const char *text, size_t len, struct egret_err *err, struct egret_err *warn);
/* A policy that denies everything external: what holds when none could be loaded. NULL only when memory is out. */
struct egret_policy *egret_policy_deny_all(void);
struct egret_policy *egret_policy_ref(struct egret_policy *policy);
void egret_policy_unref(struct egret_policy *policy);

const struct egret_defaults *egret_policy_defaults(const struct egret_policy *policy);
size_t egret_policy_entry_count(const struct egret_policy *policy);
const struct egret_entry *egret_policy_entry(const struct egret_policy *policy, size_t i); /* in file order */

/* True when the file, an include, or a CA, certificate, key or CRL file it names differs from what was loaded (device, inode,
 * size, mtime, ctime, following symlinks), or a file appeared that a pattern of `include` matches. Cost: one stat per file. */
bool egret_policy_changed(const struct egret_policy *policy);
/* True when one of those files changed less than MS milliseconds ago: somebody may be in the midst of writing it. */
bool egret_policy_is_settling(const struct egret_policy *policy, unsigned ms);
/* File number I of those that it watches, absolute; NULL: there are no more. */
const char *egret_policy_file(const struct egret_policy *policy, size_t i);
/* Pattern number I of `include`, absolute; NULL: there are no more. */
const char *egret_policy_pattern(const struct egret_policy *policy, size_t i);

/* ---- the decision ---- */

enum egret_reason {
	EGRET_REASON_NONE = 0,      /* zeroed verdict: "not decided"; a denial */
	EGRET_REASON_ENTRY,         /* an allow entry covers it */
	EGRET_REASON_DENY_ENTRY,    /* a deny entry covers it */
	EGRET_REASON_NO_ENTRY,      /* no entry covers it */
	EGRET_REASON_PORT,          /* entries cover the host, none the port */
	EGRET_REASON_PROTOCOL,      /* entries cover host and port for another transport */
	EGRET_REASON_INTERNAL,      /* internal destination */
	EGRET_REASON_UNMATCHED,     /* no entry, unmatched = allow */
	EGRET_REASON_OFF,           /* mode = off */
	EGRET_REASON_LINK_LOCAL,    /* a resolver's answer carried an allowed name to a link-local or metadata address */
	EGRET_REASON_REBINDING,     /* ... a *.suffix name to a loopback or private address */
	EGRET_REASON_BAD_NAME,      /* the name asked for is not a host name */
	EGRET_REASON_NO_POLICY,     /* no policy could be loaded */
	/* of a program's own TLS (egret_decide_hello) */
	EGRET_REASON_SNI,           /* its ClientHello asks for a name that the entry does not cover */
	EGRET_REASON_NO_SNI,        /* ... for no name */
	EGRET_REASON_ECH,           /* ... for an encrypted one */
	EGRET_REASON_BAD_HELLO,     /* it began like TLS and is no ClientHello */
	EGRET_REASON_NO_HELLO       /* protocol = tls, and it is no TLS */
};

/* What a program wants. Zero-initialise; HOST and ADDR may each be absent, not both (for EGRET_LOCAL: path only). */
struct egret_request {
	enum egret_transport transport;
	const char *host; /* the name that was asked of the resolver, as asked (any case, trailing dot); NULL: only the address is known */
	size_t host_len;  /* bytes; a NUL inside makes it EGRET_REASON_BAD_NAME */
	struct egret_addr addr; /* family 0: not resolved (explain, getaddrinfo's filter) */
	uint16_t port;
	const char *path; /* EGRET_LOCAL: the socket's path, symlinks resolved where the caller can; abstract names start with '@' */
};

struct egret_verdict {
	bool allow;   /* false in a zeroed verdict: fail closed */
	bool audited; /* allowed only because the mode is audit or off: enforce would have denied it */
	bool by_host; /* the entry was matched by host name, not by address */
	enum egret_reason reason;
	const struct egret_entry *entry; /* NULL when none decided; lives as long as the policy */
};

/* The one decision function that every caller uses. MODE overrides the policy's mode when not 0 (EGRET_MODE, --mode). */
struct egret_verdict egret_decide(const struct egret_policy *policy, const struct egret_request *request, enum egret_mode mode);

/* The mode that holds for ENTRY (may be NULL): MODE when not 0, else the entry's own, else the policy's. */
enum egret_mode egret_effective_mode(const struct egret_policy *policy, const struct egret_entry *entry, enum egret_mode mode);

/* May NAME be asked of a resolver under `dns = filter`? (Any entry covers it on any port and transport, it is internal, it is
 * localhost or an address literal, or the policy says open.) A deny entry that covers it on all ports refuses it. */
struct egret_verdict egret_decide_name(const struct egret_policy *policy, const char *name, size_t len, enum egret_mode mode);

/* Is SNI (RFC 6066, NULL: absent) one that ENTRY covers? Same rules as host matching; addresses and CIDRs never match. */
bool egret_entry_covers_name(const struct egret_entry *entry, const char *sni, size_t len);

/* How a program began on a connection that may carry its own TLS. Zeroed: broken, which is refused. */
struct egret_hello {
	enum { EGRET_HELLO_BROKEN = 0, EGRET_HELLO_TLS, EGRET_HELLO_NONE /* no TLS */ } kind;
	bool encrypted;   /* encrypted_client_hello, RFC 9849: NAME is that of the front only */
	const char *name; /* the server name (RFC 6066), not terminated, any bytes; NULL: absent */
	size_t len;
};

/* Is the beginning of a connection that was judged so to be judged as well? `protocol = tls`, and tcp matched by host name. */
bool egret_hello_matters(const struct egret_verdict *connected);
/* May it go on? CONNECTED let the connection to ADDR pass; the name asked for must be one of the entry's hosts; none at all is right
 * only where the entry names the address. */
struct egret_verdict egret_decide_hello(const struct egret_policy *policy, const struct egret_verdict *connected,
					const struct egret_addr *addr, const struct egret_hello *hello, enum egret_mode mode);

/* The endpoints that an allowed request dials, in order. Writes at most MAX; returns how many there are. For an entry without
 * `addresses` that is the request's own address (family 0: the name is to be looked up) with connect_port applied. */
size_t egret_dial(const struct egret_verdict *verdict, const struct egret_request *request, struct egret_endpoint *out, size_t max);

/* The reason as the rest of a sentence, e.g. "no entry covers it". Never NULL. */
const char *egret_reason_text(enum egret_reason reason);
/* The machine's word for it in logs and JSON, e.g. "no_entry". Never NULL. */
const char *egret_reason_name(enum egret_reason reason);
const char *egret_protocol_name(enum egret_protocol protocol);
const char *egret_mode_name(enum egret_mode mode);

/* Host names: lower case, no trailing dot, IDNA A-labels. Writes at most SIZE bytes, terminated. False: not a host name
 * (empty, control character, NUL, label over 63 or name over 253 bytes). Underscores are accepted, as resolvers do. */
bool egret_name_canonical(const char *name, size_t len, char *out, size_t size);
#define EGRET_NAME_MAX 256

#endif
