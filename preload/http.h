/* The HTTP observer: every request of one connection is judged before its first byte leaves, every response is watched (RFC 9112).
 *
 * Pure code: no I/O, no hooked call. Memory is bounded: one request head (EGRET_HTTP_HEAD_MAX) and EGRET_HTTP_DEPTH requests in
 * flight. Bodies are neither copied nor walked. Owner: the connection. Lock: none inside; the caller holds one lock per connection
 * around every call, for both directions.
 *
 * Write path, for the bytes that the program writes, until all is used: egret_http_request says what becomes of the next bytes. PASS: send
 *   what egret_http_before gives and, right behind it, these bytes (and those that egret_http_more lets join them), then tell with
 *   egret_http_sent what was taken. HELD: they count as written: held until judged, or dropped behind a denied request. BREAK: EPIPE.
 * Read path: when egret_http_due, egret_http_local is what the program reads, then the end (egret_http_ended); the server is not asked any
 *   more. Else read from the server, tell egret_http_response, deliver as many as it returns and drop the rest. At the server's end:
 *   egret_http_end.
 * A denied request ends the connection: it is answered in its turn, with "Connection: close", and nothing that follows it is sent.
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
	bool h2;                         /* ALPN h2 was configured: the preface of HTTP/2 may come */
	bool quiet;                      /* nothing is emitted of a request that may pass: nobody writes it down */
	/* One event for each request, when its response or the connection ends. Fill pid and exe, write it; pointers end with the call. */
	void (*emit)(void *data, struct egret_event *event);
	void *data;
};

struct egret_http *egret_http_new(const struct egret_http_setup *setup); /* NULL when memory is out: deny */
/* Emits what is still open (flags DC). */
void egret_http_free(struct egret_http *http);
void egret_http_abandon(struct egret_http *http); /* the same, without the freeing */

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
const void *egret_http_local(const struct egret_http *http, size_t *len); /* NULL: none is left */
void egret_http_local_taken(struct egret_http *http, size_t count);

/* Watches LEN bytes of the server. Returns how many go to the program, the rest is nobody's; -1: they break HTTP where rules must hold. */
ssize_t egret_http_response(struct egret_http *http, const void *data, size_t len);

enum egret_http_end {
	EGRET_HTTP_BROKEN = 0, /* a reset, a bad record */
	EGRET_HTTP_CLOSED,     /* close_notify, or FIN where there is no TLS */
	EGRET_HTTP_CUT         /* FIN without close_notify: the length of what came is not certain */
};

/* The server's end. False: a response was not complete. */
bool egret_http_end(struct egret_http *http, enum egret_http_end end);

#endif
