/* What the parts of the observer share. */
#ifndef EGRET_HTTP_INTERNAL_H
#define EGRET_HTTP_INTERNAL_H

#include "http.h"

#include "buf.h"

#include <http_parser.h>

#define EGRET_HTTP_NO_LENGTH UINT64_MAX

struct egret_http_text { const char *at; size_t len; };

/* A request head, read strictly. Texts point into it. */
struct egret_http_head {
	struct egret_http_text method, target, host, user_agent, request_id, forwarded_for;
	unsigned minor, hosts, headers;
	uint64_t length; /* of the body: Content-Length; 0 without */
	bool has_length, chunked, upgrade, h2c, expect, close;
};

/* False: malformed, also where http_parser and this reader differ. */
bool egret_http_head_read(const char *data, size_t len, struct egret_http_head *head);

/* Where in a chunked body (RFC 9112 7.1) a stream stands. Zeroed: at its start. */
struct egret_http_chunks {
	uint64_t left;   /* bytes of the open chunk */
	unsigned step;   /* enum in http_chunk.c */
	unsigned digits, line; /* of the size; bytes of the line */
	bool last;
};

/* How many of LEN bytes belong to the body; *DONE: it ends there. Adds data bytes to *BODY. -1: malformed. */
ssize_t egret_http_chunks_read(struct egret_http_chunks *chunks, const char *data, size_t len, bool *done, int64_t *body);

/* One request and its response. Strings are owned, in one piece with it. */
struct egret_http_exchange {
	struct egret_http_exchange *next;
	struct egret_event event; /* filled as it becomes known */
	struct egret_verdict verdict;
	int64_t started_us;       /* monotonic */
	char *local;              /* owned; the answer to a denied request */
	size_t local_len, local_at;
	bool closes;              /* the connection ends with the local answer */
	bool head_only, connect;
	char text[];
};

enum egret_http_side { EGRET_HTTP_HEAD = 0, EGRET_HTTP_LENGTH, EGRET_HTTP_CHUNKED };

struct egret_http {
	struct egret_http_setup setup; /* host and upstream owned */
	bool rules, opaque, broken, ended; /* opaque: both directions pass unread */
	/* requests */
	struct egret_buf held;    /* of a head that is not complete, or judged and pending */
	size_t scanned, line;     /* in held or data: looked at; start of the line */
	bool pending, drop;       /* held goes out; the body is dropped */
	enum egret_http_side side;
	uint64_t pass_left;       /* bytes that pass unread: the judged head, then the body */
	uint64_t head_left;       /* of pass_left: bytes of the head */
	struct egret_http_chunks chunks;
	struct egret_http_exchange *current; /* whose body is being sent; NULL: its response has ended */
	/* responses */
	struct egret_http_exchange *first, **last;
	size_t depth, denied;     /* in flight; of these with a local answer */
	http_parser parser;
	bool in_response, unread; /* unread: responses can no longer be told apart */
	int64_t body;             /* bytes of the response's body */
};

int64_t egret_http_clock(void); /* monotonic, microseconds */

/* Queues an exchange for HEAD (NULL: malformed). NULL when memory is out or too many are in flight. */
struct egret_http_exchange *egret_http_begin(struct egret_http *http, const struct egret_http_head *head);
/* Gives EXCHANGE the local answer to a denial. */
bool egret_http_answer(struct egret_http *http, struct egret_http_exchange *exchange, const struct egret_http_verdict *verdict, bool closes);
/* Logs the first exchange with FLAGS and forgets it. */
void egret_http_finish(struct egret_http *http, const char *flags);

#endif
