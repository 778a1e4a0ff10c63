#include "http_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED_MAX 4096 /* bytes of a head */

static int on_begin(llhttp_t *parser)
{
	struct egret_http *http = parser->data;

	http->in_response = true;
	return 0;
}

/* The byte COUNT (1 or 2) before AT, also where it came earlier. */
static char before(const struct egret_http *http, const char *at, ptrdiff_t count)
{
	return at - http->piece >= count ? at[-count] : http->behind[2 - (count - (at - http->piece))];
}

/* A value, or a part of one, ends at LEN. The parser takes LF alone for the line's end, as clients do (RFC 9112 2.2). Of an empty value AT may be
 * behind the line already. */
static bool ends_in_bare_lf(const struct egret_http *http, const char *at, size_t len)
{
	if (at + len < http->piece_end && at[len] == '\n')
		return true;
	return !len && before(http, at, 1) == '\n' && before(http, at, 2) != '\r';
}

/* RFC 9110 5.5: CR and NUL are dangerous; of CR the parser takes care. */
static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct egret_http *http = parser->data;

	http->bare_lf |= ends_in_bare_lf(http, at, len);
	if (!memchr(at, '\0', len))
		return 0;
	http->wrong = "a NUL in a header field";
	return -1;
}

/* Whatever its fields say (RFC 9112 6.3). */
static bool has_no_body(unsigned status)
{
	return status / 100 == 1 || status == 204 || status == 304;
}

/* A switch of protocols that nobody asked for would open the way past the rules, and so would one that stands in what a server took for a
 * field's value. The parser has seen that the answer names a protocol (RFC 9110 7.8). */
static const char *what_is_wrong(const struct egret_http *http, const struct egret_http_exchange *first, const llhttp_t *parser)
{
	bool switched = parser->status_code == 101, tunnel = first && first->connect && parser->status_code / 100 == 2;

	if (!first)
		return "it answers no request";
	if (parser->http_major != 1 || parser->status_code < 100)
		return "neither HTTP/1.0 nor HTTP/1.1 with a status of three digits";
	if (switched && !(first->switches && parser->upgrade))
		return "a switch of protocols that the request did not ask for, or without its name";
	return (switched || tunnel) && http->bare_lf ? "a switch of protocols behind header fields that end in LF without CR" : NULL;
}

/* The head of the first request's response is here. */
static void note_head(struct egret_http_exchange *first, unsigned status)
{
	first->event.status = (int)status;
	if (first->told && first->event.upstream_ms < 0)
		first->event.upstream_ms = (double)(egret_http_clock() - first->started_us) / 1000;
}

static int on_headers(llhttp_t *parser)
{
	struct egret_http *http = parser->data;
	struct egret_http_exchange *first = http->first;
	bool bodiless;

	http->wrong = what_is_wrong(http, first, parser);
	if (http->wrong)
		return -1;
	note_head(first, parser->status_code);
	if (parser->status_code == 101 || (first->connect && parser->status_code / 100 == 2))
		return 2; /* another protocol follows */
	bodiless = first->head_only || has_no_body(parser->status_code);
	http->open_reply = (struct egret_http_reply){ .status = parser->status_code, .head_only = first->head_only,
		.framed = bodiless || ((parser->flags & F_CONTENT_LENGTH) && !(parser->flags & F_TRANSFER_ENCODING)) };
	return bodiless;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct egret_http *http = parser->data;

	(void)at;
	http->first->event.bytes_sent += (int64_t)len;
	http->open_reply.body += len;
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct egret_http *http = parser->data;
	unsigned status = parser->status_code;
	bool upgraded = parser->upgrade && (status == 101 || (http->first->connect && status / 100 == 2));

	http->in_response = false;
	http->opaque |= upgraded;
	if (status >= 200 || upgraded)
		egret_http_finish(http, NULL);
	/* What follows is another protocol, a local answer's turn, or something that nobody asked for. */
	return http->opaque || !http->first || http->first->denied ? HPE_PAUSED : 0;
}

void egret_http_responses_init(struct egret_http *http)
{
	static const llhttp_settings_t settings = {
		.on_message_begin = on_begin, .on_header_value = on_value, .on_headers_complete = on_headers, .on_body = on_body,
		.on_message_complete = on_complete,
	};

	llhttp_init(&http->parser, HTTP_RESPONSE, &settings);
	/* A server that says "close" or speaks HTTP/1.0 and answers on has its answers counted: they were asked for. */
	llhttp_set_lenient_keep_alive(&http->parser, 1);
	/* LF for a line's end, and control characters in values, as clients take them (RFC 9112 2.2, RFC 9110 5.5): old servers send both. */
	llhttp_set_lenient_headers(&http->parser, 1);
	http->parser.data = http;
}

/* What the server sends is no response to what was asked. No later answer is given in its place either: the program would take it for that
 * response. */
static ssize_t unreadable(struct egret_http *http, size_t len)
{
	bool breaks = (http->rules && !http->setup.audit) || http->swallow;
	const char *why = http->wrong ? http->wrong : llhttp_get_error_reason(&http->parser);
	char text[256];

	snprintf(text, sizeof(text), "the server's response cannot be read: %s; %s", why && why[0] ? why : "it is no HTTP", breaks ?
		 "http_allow and http_deny need responses that can be told apart: mend the server, or give it an entry without them" :
		 "nothing that follows on the connection is told apart");
	http->unread = true;
	if (http->first)
		http->first->event.error = text;
	else
		egret_http_log_unasked(http, text);
	egret_http_finish_all(http, "UPE");
	http->broken |= breaks;
	return breaks ? -1 : (ssize_t)len;
}

static ssize_t unasked(struct egret_http *http, size_t len)
{
	http->wrong = "it answers no request";
	return unreadable(http, len);
}

static llhttp_errno_t parse(struct egret_http *http, const char *data, size_t len)
{
	llhttp_errno_t error;

	http->piece = data;
	http->piece_end = data + len;
	error = llhttp_execute(&http->parser, data, len);
	http->behind[0] = before(http, data + len, 2);
	http->behind[1] = data[len - 1];
	return error;
}

/* Is it one response whose head is the last one's, to the byte, and its body? Then the parser takes it for the same again. */
static bool repeats(const struct egret_http *http, const char *data, size_t len)
{
	const struct egret_http_reply *last = &http->last_reply;
	const struct egret_http_exchange *first = http->first;

	return last->head && !http->in_response && first->head_only == last->head_only && !first->connect && len == last->len + last->body &&
	       !memcmp(data, last->head, last->len);
}

static ssize_t take_again(struct egret_http *http, size_t len)
{
	note_head(http->first, http->last_reply.status);
	http->first->event.bytes_sent += (int64_t)http->last_reply.body;
	egret_http_finish(http, NULL);
	return (ssize_t)len;
}

/* LEN bytes of DATA were one response, and nothing else. Without memory the next one is read in full. */
static void remember(struct egret_http *http, const char *data, size_t len)
{
	struct egret_http_reply *last = &http->last_reply;
	size_t head = len - http->open_reply.body;
	char *copy = http->open_reply.framed && head <= REMEMBERED_MAX ? realloc(last->head, head) : NULL;

	if (!copy)
		free(last->head);
	else
		memcpy(copy, data, head);
	*last = http->open_reply;
	last->head = copy;
	last->len = head;
}

ssize_t egret_http_response(struct egret_http *http, const void *data, size_t len)
{
	llhttp_errno_t error;
	size_t used, depth = http->depth;
	bool begins = !http->in_response;
	ssize_t rest;

	if (http->opaque || http->unread)
		return http->broken ? -1 : (ssize_t)len;
	if (egret_http_due(http))
		return 0;
	if (!http->first && !http->in_response)
		return unasked(http, len);
	if (repeats(http, data, len))
		return take_again(http, len);
	error = parse(http, data, len);
	if (http->opaque || error == HPE_OK)
		return (ssize_t)len;
	if (error != HPE_PAUSED)
		return unreadable(http, len);
	used = (size_t)(llhttp_get_error_pos(&http->parser) - (const char *)data);
	llhttp_resume(&http->parser);
	if (begins && used == len && http->depth + 1 == depth)
		remember(http, data, len);
	if (used == len || egret_http_due(http))
		return (ssize_t)used;
	rest = unasked(http, len - used);
	return (ssize_t)used + (rest > 0 ? rest : 0);
}

bool egret_http_end(struct egret_http *http, enum egret_http_end end)
{
	bool whole = http->opaque || http->unread || !http->in_response;

	if (!whole && end == EGRET_HTTP_CLOSED) {
		llhttp_finish(&http->parser); /* a body without a length ends here */
		whole = !http->in_response;
	}
	http->unread = http->over = true;
	if (!whole && http->first)
		http->first->event.error = end == EGRET_HTTP_CUT ?
			"the server closed the connection without close_notify: the response may be truncated; if it never sends one, set tls_truncation = eof" :
			"the connection ended before the response was complete";
	egret_http_finish_all(http, "UC");
	http->ended = http->swallow;
	return whole;
}
