/* The HTTP observer: every request of one connection is judged before its first byte leaves, every response is watched (RFC 9112).
 *
 * Pure code: no I/O, no hooked call. Memory is bounded: one request head (EGRET_HTTP_HEAD_MAX) and EGRET_HTTP_DEPTH requests in
 * flight. Bodies are neither copied nor walked. Owner: the connection. Lock: none inside; the caller holds one lock per connection
 * around every call, for both directions.
 *
 * Write path, for the bytes that the program writes:
 *   first send egret_http_pending and tell with egret_http_flushed; while any is left, a write is EAGAIN. Then, until all is used:
 *   egret_http_request says what becomes of the next bytes. PASS: send so many of them, tell with egret_http_sent what was taken.
 *   HELD: they count as written (held until judged, or dropped with a denied request); then look at egret_http_pending again.
 *   BREAK: the rest counts as failed with EPIPE.
 * Read path: what egret_http_local gives comes first, and makes the socket readable; then egret_http_ended: the end. Else read from
 *   the server (with MSG_PEEK first when egret_http_must_peek), tell egret_http_response, deliver as many as it returns. At the
 *   server's end: egret_http_eof.
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
	uint16_t port;                   /* that the program asked for */
	const char *upstream;            /* "ip:port" dialled. Copied */
	bool audit;                      /* what would be denied passes and is logged */
	bool h2;                         /* ALPN h2 was configured: the preface of HTTP/2 may come */
	/* One event for each request, when its response or the connection ends. Fill pid and exe, write it; pointers end with the call. */
	void (*emit)(void *data, struct egret_event *event);
	void *data;
};

struct egret_http *egret_http_new(const struct egret_http_setup *setup); /* NULL when memory is out: deny */
/* Emits what is still open (flags DC). */
void egret_http_free(struct egret_http *http);

enum egret_http_fate {
	EGRET_HTTP_BREAK = 0, /* nothing of these bytes goes anywhere; a local answer may wait to be read */
	EGRET_HTTP_PASS,
	EGRET_HTTP_HELD
};

/* What becomes of the first *COUNT (at least 1) bytes of DATA. LEN is not 0. Nothing may be pending. */
enum egret_http_fate egret_http_request(struct egret_http *http, const void *data, size_t len, size_t *count);
/* COUNT bytes of DATA, which PASS allowed, were accepted by the wire. */
void egret_http_sent(struct egret_http *http, const void *data, size_t count);
/* Judged bytes that the observer had held and that must go out now, before anything else; NULL: none. */
const void *egret_http_pending(const struct egret_http *http, size_t *len);
void egret_http_flushed(struct egret_http *http, size_t count);

/* Bytes of a local answer whose turn it is in the order of responses; NULL: none. */
const void *egret_http_local(const struct egret_http *http, size_t *len);
void egret_http_local_taken(struct egret_http *http, size_t count);
/* After a local answer that closes the connection was read: reads give 0, writes EPIPE. */
bool egret_http_ended(const struct egret_http *http);
/* A local answer waits behind a response of the server: read with MSG_PEEK, then only what egret_http_response returns. */
bool egret_http_must_peek(const struct egret_http *http);

/* Watches LEN bytes of the server. Returns how many go to the program before a local answer is due (the rest was not looked at);
 * -1: they break HTTP where rules must hold: ECONNRESET. */
ssize_t egret_http_response(struct egret_http *http, const void *data, size_t len);
/* The server's end. False: in the middle of a response: ECONNRESET. */
bool egret_http_eof(struct egret_http *http);

#endif
