/* The log: one event, one line, one append. Formats are rows of a table (log_json.c, log_text.c, log_envoy.c).
 *
 * A log target of a path is opened, appended to with one write, and closed for each line, so that rotation works and no
 * descriptor of ours lies about in somebody else's process. Uses raw system calls only (raw.h): safe in any process state.
 */
#ifndef EGRET_LOG_H
#define EGRET_LOG_H

#include "policy.h"

enum egret_event_kind { EGRET_EVENT_CONNECT = 1, EGRET_EVENT_DNS, EGRET_EVENT_TLS, EGRET_EVENT_HTTP, EGRET_EVENT_CLOSE,
	EGRET_EVENT_EXEC, EGRET_EVENT_RELOAD };

/* Zero-initialise, fill what is known; NULL, 0 and -1 (where said) are left out of the line. Pointers are borrowed. */
struct egret_event {
	enum egret_event_kind kind;
	int64_t time_us; /* microseconds since the epoch; 0: now. For http: when the request started */
	int pid;
	const char *exe;
	const char *layer; /* "preload", "sandbox", "relay"; NULL: preload */
	const struct egret_verdict *verdict; /* NULL: no verdict in this event */
	const char *entry;  /* used when verdict is NULL */
	const char *reason; /* the machine's word for it; overrides the verdict's */
	const char *reason_text; /* the rest of a sentence; NULL: as reason */
	const char *protocol; /* of the entry, or tcp/udp/unix */
	const char *host;
	int port;             /* 0: none */
	const char *address;  /* "ip:port" dialled */
	const char *error;    /* the full sentence of an error, when there was one */
	const char *ambiguous; /* other names the address has, comma separated */
	/* tls */
	const char *server_name; /* sent by egret, or asked for by the program's own ClientHello; escaped */
	const char *tls_version, *tls_cipher, *tls_alpn, *tls_peer, *tls_not_after; /* peer: subject of the certificate; RFC 3339 */
	int tls_resumed;      /* -1: not known */
	double handshake_ms;  /* < 0: none */
	/* http, close; flags: of others what follows from verdict and error, unless it is said */
	const char *method, *path, *http_protocol, *flags, *user_agent, *request_id, *authority, *upstream, *forwarded_for, *rule;
	int status;              /* 0: none */
	int64_t bytes_received, bytes_sent; /* -1: none. http: body bytes (as the mesh counts); close: bytes of the program */
	double duration_ms, upstream_ms; /* < 0: none */
};

/* Sets every "absent" field. */
void egret_event_init(struct egret_event *event, enum egret_event_kind kind);

/* Formats EVENT as one line with its newline; control characters escaped, valid UTF-8 kept, the rest escaped. Returns the bytes
 * written (cut at SIZE with the line still well formed), 0 when the format does not print this kind. */
size_t egret_log_format(enum egret_log_format format, const struct egret_event *event, char *buf, size_t size);

/* Appends the line to TARGET ("stderr" or an absolute path; NULL: nothing). Returns 0 or a negative errno. */
int egret_log_write(const char *target, enum egret_log_format format, const struct egret_event *event);

/* Opens PATH to append lines; FLAGS of open(2) may join. Waits for nobody: a FIFO that nobody reads is -ENXIO. A descriptor or a negative errno. */
long egret_log_open(const char *path, int flags);
/* One line on such a descriptor, whole: of a full pipe the reader is waited for. 0 or a negative errno. */
int egret_log_append(int fd, const char *line, size_t length);

/* Copies TEXT into BUF with control characters, DEL, invalid UTF-8 and Unicode bidi controls escaped as \xNN. For everything
 * that is printed. Always terminated, by "..." where it does not fit; returns BUF. */
const char *egret_escape(const char *text, size_t len, char *buf, size_t size);

#endif
