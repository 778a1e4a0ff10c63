/* The HTTP observer: every request of one connection is judged before its first byte leaves, every response is watched (RFC 9112).
 *
 * Pure code: no I/O, no hooked call. Memory is bounded: one request head (EGRET_HTTP_HEAD_MAX) and EGRET_HTTP_DEPTH requests in
 * flight. Bodies are neither copied nor walked. Owner: the connection. Lock: none inside; the caller holds one lock per connection
 * around every call, for both directions.
 *
 * Write path, for the bytes that the program writes, until all is used: egret_http_request says what becomes of the next bytes. PASS: send
 *   what egret_http_before gives and, right behind it, these bytes (and those that egret_http_more lets join them), then tell with
 *   egret_http_sent what was taken. HELD: they count as written: held until judged, or dropped with a denied request. BREAK: EPIPE.
 * Read path: while egret_http_due, egret_http_local is what the program reads, and nothing of the server; with none left, the end. Else
 *   read from the server, tell egret_http_response, deliver as many as it returns; the rest, unless an answer is due now, is nobody's. At the server's end:
 *   egret_http_end.
 * A denied request is answered in its turn; its body is dropped and the next request judged, where everybody who waits can be told
 * of the answer (can_tell). Else the connection ends: the answer says "Connection: close", and nothing that follows is sent.
 */
#ifndef EGRET_HTTP_H
#define EGRET_HTTP_H

#include "policy/http_rules.h"
#include "policy/log.h"

#define EGRET_HTTP_HEAD_MAX 65536 /* bytes of a request head; a longer one is malformed */
#define EGRET_HTTP_DEPTH 1024     /* requests in flight on one connection; one more breaks it */

struct egret_http;

struct egret_http_setup {
	const struct egret_entry *entry; /* lives as long as the observer */
	const char *host;                /* the name the connection was judged by; NULL: an address. Copied */
	struct egret_addr asked;         /* the address that the program asked for */
	uint16_t port;                   /* that the program asked for */
	const char *upstream;            /* "ip:port" dialled. Copied */
	bool audit;                      /* what would be denied passes and is logged */
	bool h2;                         /* ALPN h2 was configured: the preface of HTTP/2 may come, unless egret_http_agreed says otherwise */
	bool quiet;                      /* nobody writes down what passes: only what was denied, or went wrong (event.error), is emitted */
	/* One event for each request, when its response or the connection ends. Fill pid and exe, write it; pointers end with the call. */
	void (*emit)(void *data, struct egret_event *event);
	/* Can all who wait for the connection be told, without its end, of an answer that is given here? NULL: no. */
	bool (*can_tell)(void *data);
	/* DUE: an answer is there to be read; not DUE: it was. False: not all could be told. NULL unless can_tell is, or all ask first. */
	bool (*tell)(void *data, bool due);
	void *data;
};

struct egret_http *egret_http_new(const struct egret_http_setup *setup); /* NULL when memory is out: deny */
/* Emits what is still open (flags DC). */
void egret_http_free(struct egret_http *http);
void egret_http_abandon(struct egret_http *http); /* the same, without the freeing */

/* TLS is up: the server agreed to HTTP/2 (H2), or did not. Before the first request. */
void egret_http_agreed(struct egret_http *http, bool h2);

enum egret_http_fate {
	EGRET_HTTP_BREAK = 0, /* nothing of these bytes goes anywhere */
	EGRET_HTTP_PASS,
	EGRET_HTTP_HELD
};

/* What becomes of the first *COUNT (at least 1) bytes of DATA. LEN is not 0. */
enum egret_http_fate egret_http_request(struct egret_http *http, const void *data, size_t len, size_t *count);
/* Judged bytes of earlier writes, which go out in front of what passes; NULL: none. They live until egret_http_sent. */
const void *egret_http_before(const struct egret_http *http, size_t *len);
/* How many of LEN bytes, the program's next ones behind all that was let pass, may join the same send; 0: none. */
size_t egret_http_more(struct egret_http *http, const void *data, size_t len);
/* TAKEN bytes of (before, DATA) were accepted by the wire; DATA is one piece that passed, pieces are told in order. Returns how many of
 * DATA's that makes. What a program was not told accepted it has to offer again. */
size_t egret_http_sent(struct egret_http *http, const void *data, size_t taken);
/* The program ends its writing: part of a head that is still held is dropped, and logged. */
void egret_http_finish_requests(struct egret_http *http);

/* Is a local answer, or the end behind it, what the program reads next? */
bool egret_http_due(const struct egret_http *http);
bool egret_http_ends(const struct egret_http *http); /* ... and does the connection go no further then? */
void egret_http_end_behind(struct egret_http *http); /* It does not: not all could be told of the answer that is due. Before it is read */
bool egret_http_answers(const struct egret_http *http); /* does one wait for its turn? */
void egret_http_ask_first(struct egret_http *http); /* whoever waits from now on asks egret_http_due first: an answer ends nothing */
const void *egret_http_local(struct egret_http *http, size_t *len); /* NULL: none is left */
void egret_http_local_taken(struct egret_http *http, size_t count);

/* Watches LEN bytes of the server. Returns how many go to the program (less: the rest comes again when no answer is due); -1: they break HTTP where rules must hold. */
ssize_t egret_http_response(struct egret_http *http, const void *data, size_t len);

enum egret_http_end {
	EGRET_HTTP_BROKEN = 0, /* a reset, a bad record */
	EGRET_HTTP_CLOSED,     /* close_notify, or FIN where there is no TLS */
	EGRET_HTTP_CUT         /* FIN without close_notify: the length of what came is not certain */
};

/* The server's end. False: a response was not complete. */
bool egret_http_end(struct egret_http *http, enum egret_http_end end);

#endif
