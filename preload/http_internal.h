/* What the parts of the observer share. */
#ifndef EGRET_HTTP_INTERNAL_H
#define EGRET_HTTP_INTERNAL_H

#include "http.h"

#include "buf.h"

#include <llhttp/llhttp.h>

struct egret_http_text { const char *at; size_t len; };

/* A request head, read strictly. Texts point into it. */
struct egret_http_head {
	struct egret_http_text method, target, host, user_agent, request_id, forwarded_for;
	unsigned minor, hosts, headers;
	uint64_t length; /* of the body: Content-Length; 0 without */
	bool has_length, chunked, upgrade, h2c, expect, close, keep_alive;
	bool connection_upgrade, switches; /* switches: what a server may answer with 101 (RFC 9110 7.8) */
};

/* The last good head and what was decided of it: a program says much the same again, and need not be read twice. Zeroed: none yet. */
struct egret_http_last {
	char *text;        /* owned; NULL: none */
	size_t len, line;  /* line: of which the request line takes, its end included */
	struct egret_http_head head; /* its texts point into `text` */
	struct egret_http_verdict verdict;
};

/* Does DATA begin with the last good head, to the byte? */
bool egret_http_head_repeats(const struct egret_http_last *last, const char *data, size_t len);
/* Reads LEN bytes, which end in an empty line, and keeps them in LAST, whose verdict is the caller's to set. False: malformed, also where
 * llhttp and this reader differ. HEAD has what was read until then. */
bool egret_http_head_read(struct egret_http_last *last, const char *data, size_t len, struct egret_http_head *head);
/* The request line alone, without its line end. False: malformed. */
bool egret_http_request_line(struct egret_http_head *head, const char *line, size_t len);
/* May a method start with C (RFC 9110 5.6.2)? */
bool egret_http_is_token_byte(unsigned char c);

/* The letters of a field's name, in lower case; enough of them for the names that matter. Zeroed: none. */
struct egret_http_letters { char text[17]; unsigned count; };

void egret_http_spell(struct egret_http_letters *name, char c);
/* Content-Length or Transfer-Encoding, whatever stands between the letters? */
bool egret_http_spells_length(const struct egret_http_letters *name);

/* Where in a chunked body (RFC 9112 7.1) a stream stands. Zeroed: at its start. */
struct egret_http_chunks {
	struct egret_http_letters name; /* of the trailer */
	uint64_t left;   /* bytes of the open chunk */
	unsigned step;   /* enum in http_chunk.c */
	unsigned digits, line; /* of the size; bytes of the line */
	bool last;
};

/* How many of LEN bytes belong to the body; *DONE: it ends there. Adds data bytes to *BODY. -1: malformed. */
ssize_t egret_http_chunks_read(struct egret_http_chunks *chunks, const char *data, size_t len, bool *done, int64_t *body);

/* The head of the last response that came whole, with its body, in one piece: a server says much the same again. Zeroed: none yet. */
struct egret_http_reply {
	char *head;       /* owned; NULL: none */
	size_t len;
	size_t body;      /* bytes that follow */
	unsigned status;
	bool head_only;   /* it answered HEAD */
	bool framed;      /* the head alone says how many follow */
};

/* Bodies of methods for which they mean nothing (GET ...): a server that leaves them unread takes them for the next request. Where such a
 * body with a length stands; 0: there is none, or it does not read like a request. */
unsigned egret_http_pose_begin(const struct egret_http_head *head);
/* LEN bytes of it. False: it reads like a request. */
bool egret_http_pose_read(unsigned *pose, const char *data, size_t len);

/* One request and its response. Strings are owned, in one piece with it. */
struct egret_http_exchange {
	struct egret_http_exchange *next;
	struct egret_event event; /* filled as it becomes known */
	struct egret_verdict verdict;
	bool told;                /* somebody reads the event: else texts and times are left out */
	bool left;                /* some of its bytes did */
	int64_t started_us;       /* monotonic */
	bool denied, ends;        /* answered here; ends: and the connection goes no further */
	char *answer;             /* owned; NULL unless denied */
	size_t answer_len, answer_at; /* len 0: not yet written */
	bool head_only, connect, switches, h2;
	char text[];
};

enum egret_http_side { EGRET_HTTP_HEAD = 0, EGRET_HTTP_LENGTH, EGRET_HTTP_CHUNKED };

/* Where the request stands whose bytes are being sent. */
struct egret_http_place {
	enum egret_http_side side; /* HEAD: no body is open; the next request starts when head_left is 0 too */
	uint64_t head_left, body_left; /* bytes that pass unread */
	struct egret_http_chunks chunks;
	unsigned pose; /* 0 where there are no rules */
};

struct egret_http {
	struct egret_http_setup setup; /* host and upstream owned */
	bool rules, h2_alone; /* h2_alone: the server agreed to HTTP/2 and understands nothing else */
	bool opaque;     /* both directions pass unread */
	bool broken;     /* nothing of the program goes out any more */
	bool swallow;    /* what was denied ends the connection: the program's bytes are dropped */
	bool dropping;   /* those of a denied request's body are, to its end */
	bool ended;      /* the answer to it was read: reads give 0, writes EPIPE */
	/* requests */
	struct egret_buf held;   /* of a head: bytes told as written and not sent, then bytes that were judged and must come again */
	size_t told;             /* of held */
	size_t scanned, line;    /* of the head's text: looked at; start of the line */
	struct egret_http_last last_head;
	struct egret_http_place at, ahead; /* sent so far; and after all that was let pass */
	struct egret_http_exchange *current; /* whose body is being sent; NULL: its response has ended */
	/* responses */
	struct egret_http_exchange *first, **last;
	struct egret_http_exchange *spare; /* owned, unused: for the next that is not told; NULL: none */
	size_t depth, answers;   /* in flight; of which denied */
	llhttp_t parser;
	struct egret_http_reply last_reply, open_reply; /* open_reply: as far as it is read; `head` unused */
	bool in_response, unread; /* unread: responses can no longer be told apart */
	bool over;               /* ... since the server has ended: none comes */
	bool bare_lf;            /* a field of a response ended in LF alone: nobody knows for certain where its head did */
	const char *piece, *piece_end; /* of the server's bytes that the parser is at; `behind`: the two before it */
	char behind[2];
	const char *wrong;       /* what the parser's own checks do not know, as a sentence; NULL: nothing */
};

void egret_http_responses_init(struct egret_http *http);
int64_t egret_http_clock(void); /* monotonic, microseconds */

/* Queues an exchange for HEAD (empty: malformed). TOLD: it will be emitted. NULL when memory is out or too many are in flight. */
struct egret_http_exchange *egret_http_begin(struct egret_http *http, const struct egret_http_head *head, bool told);
void egret_http_set_reason(struct egret_http_exchange *exchange, enum egret_http_reason reason);
/* Logs EXCHANGE as far as it left; from now on it stands for what was refused behind that. */
void egret_http_split(const struct egret_http *http, struct egret_http_exchange *exchange);
/* EXCHANGE, the last one, is denied by VERDICT and answered here. HEAD: its own, NULL when it is no good. False: memory is out. */
bool egret_http_answer(struct egret_http *http, struct egret_http_exchange *exchange, const struct egret_http_verdict *verdict,
		       const struct egret_http_head *head);
/* Logs a request that is not sent and not answered either: its head never ended, or there is no room for it. */
void egret_http_log_refused(struct egret_http *http, const struct egret_http_head *head, enum egret_http_reason reason,
			    const char *flags);
/* Logs that the server sent something that belongs to no request, with ERROR. */
void egret_http_log_unasked(struct egret_http *http, const char *error);
/* Logs the first exchange with FLAGS, unless it has its own, and forgets it. */
void egret_http_finish(struct egret_http *http, const char *flags);
/* All that are left, with FLAGS where nothing better is known of them. */
void egret_http_finish_all(struct egret_http *http, const char *flags);

#endif
