/* An observer of one connection, with what goes out, what comes in and what is logged. Entries: 0 with rules, 1 without. */
#ifndef EGRET_HTTP_TEST_H
#define EGRET_HTTP_TEST_H

#include "preload/http.h"
#include "policy_test.h"

#include <stdio.h>
#include <stdlib.h>

static struct egret_policy *policy;
static char out[1 << 20], in[1 << 16], logged[4096];
static size_t out_len, in_len;
static char verdicts[64]; /* of the lines in `logged`: a for allow, d for deny */

static void emit(void *data, struct egret_event *event)
{
	size_t len = strlen(logged), lines = strlen(verdicts);

	(void)data;
	if (lines + 1 < sizeof(verdicts))
		verdicts[lines] = event->verdict->allow ? 'a' : 'd';
	snprintf(logged + len, sizeof(logged) - len, "%s %s %d %s %lld/%lld\n", event->method ? event->method : "-",
		 event->path ? event->path : "-", event->status, event->flags ? event->flags : "-", (long long)event->bytes_received,
		 (long long)event->bytes_sent);
}

static bool tells; /* can all who wait be told of an answer? */

static bool can_tell(void *data)
{
	(void)data;
	return tells;
}

static struct egret_http *open_entry(size_t entry, bool h2)
{
	struct egret_http_setup setup = { .entry = egret_policy_entry(policy, entry), .host = "a.example", .port = 80,
					  .upstream = "192.0.2.1:443", .h2 = h2, .emit = emit, .can_tell = can_tell };
	struct egret_http *http = egret_http_new(&setup);

	out_len = in_len = 0;
	logged[0] = '\0';
	memset(verdicts, 0, sizeof(verdicts));
	assert_non_null(http);
	return http;
}

/* The wire takes at most TAKES of what goes out. Returns how many of DATA's bytes the program is told. */
static inline size_t send_out(struct egret_http *http, const char *data, size_t count, size_t takes)
{
	size_t len, here;
	const void *before = egret_http_before(http, &len);

	here = len < takes ? len : takes;
	memcpy(out + out_len, before ? before : "", here);
	out_len += here;
	takes -= here;
	count = count < takes ? count : takes;
	memcpy(out + out_len, data, count);
	out_len += count;
	return egret_http_sent(http, data, here + count);
}

/* Writes in pieces of STEP, the wire taking at most TAKES at a time. False: broken. */
static inline bool put(struct egret_http *http, const char *text, size_t len, size_t step, size_t takes)
{
	while (len) {
		size_t count, piece = len < step ? len : step;
		enum egret_http_fate fate = egret_http_request(http, text, piece, &count);

		if (fate == EGRET_HTTP_BREAK)
			return false;
		assert_true(count && count <= piece);
		if (fate == EGRET_HTTP_PASS)
			count = send_out(http, text, count, takes);
		text += count;
		len -= count;
	}
	return true;
}

static inline bool say(struct egret_http *http, const char *text)
{
	return put(http, text, strlen(text), 1 << 20, 1 << 20);
}

static inline void take_local(struct egret_http *http)
{
	const void *data;
	size_t len;

	while ((data = egret_http_local(http, &len))) {
		memcpy(in + in_len, data, len);
		in_len += len;
		egret_http_local_taken(http, len);
	}
	in[in_len] = '\0';
}

static inline bool hear(struct egret_http *http, const char *text, size_t step)
{
	size_t len = strlen(text);

	while (len) {
		size_t piece = len < step ? len : step;
		ssize_t count;

		take_local(http);
		count = egret_http_response(http, text, piece);
		if (count < 0)
			return false;
		assert_true(count > 0);
		memcpy(in + in_len, text, (size_t)count);
		in_len += (size_t)count;
		text += count;
		len -= (size_t)count;
	}
	take_local(http);
	return true;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define OK_RESPONSE(body) "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" body

static int load(void **state)
{
	(void)state;
	policy = policy_of("[ruled]\nhosts = a.example\nports = 80\nprotocol = http\nhttp_allow = * /ok/**\n"
			   "[free]\nhosts = b.example, a.example\nports = 81\nprotocol = http\n");
	return 0;
}

#endif
