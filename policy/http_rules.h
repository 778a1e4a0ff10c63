/* http_allow and http_deny: may this request pass? Pure; RFC 9110 methods, RFC 3986 paths. */
#ifndef EGRET_HTTP_RULES_H
#define EGRET_HTTP_RULES_H

#include "policy.h"

enum egret_http_reason {
	EGRET_HTTP_NOT_DECIDED = 0, /* zeroed: a denial */
	EGRET_HTTP_ALLOWED,         /* a rule allows it, or the entry has no rules */
	EGRET_HTTP_DENY_RULE,       /* http_deny matched */
	EGRET_HTTP_NO_RULE,         /* http_allow exists and nothing in it matched */
	EGRET_HTTP_AMBIGUOUS_PATH,  /* normalisation would change the path (dot segments, //, %2f, %2e, backslash, ;params) */
	EGRET_HTTP_WRONG_HOST,      /* Host header, or the authority of an absolute-form target, is no host of the entry */
	EGRET_HTTP_CONNECT,         /* CONNECT or Upgrade without a rule that allows it */
	EGRET_HTTP_H2C,             /* Upgrade: h2c, never allowed */
	EGRET_HTTP_H2_RULES,        /* HTTP/2 where rules hold: they cannot be applied to it */
	EGRET_HTTP_H2_NOT_AGREED,   /* HTTP/2 to a server that did not agree to it */
	EGRET_HTTP_H2_AGREED,       /* HTTP/1 to a server that agreed to HTTP/2 */
	EGRET_HTTP_MALFORMED,       /* the parser rejected it */
	EGRET_HTTP_BODY,            /* the body of a method that has none reads like a request */
	EGRET_HTTP_INCOMPLETE       /* the program ended before its head did */
};

struct egret_http_request {
	const char *method;
	const char *target; /* request-target as sent, query included */
	size_t target_len;
	const char *host; /* value of the one Host header; NULL when absent (HTTP/1.0) */
	size_t host_len;
	unsigned host_count; /* how many Host headers there were */
	uint16_t port;       /* that the program asked for; a port in Host must equal it */
	bool upgrade;        /* an Upgrade header is present */
	bool upgrade_h2c;    /* ... and names h2c */
	const char *dialled; /* the name the connection was judged by; NULL: an address */
	const struct egret_addr *asked; /* ... this one, which a Host header may then name; NULL: not known */
};

struct egret_http_verdict {
	bool allow;
	enum egret_http_reason reason;
	const struct egret_http_rule *rule; /* the rule that decided; NULL when none did */
};

struct egret_http_verdict egret_http_decide(const struct egret_entry *entry, const struct egret_http_request *request);
const char *egret_http_reason_text(enum egret_http_reason reason);
const char *egret_http_reason_name(enum egret_http_reason reason);

#endif
