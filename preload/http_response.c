#include "http_internal.h"

static int on_begin(llhttp_t *parser)
{
	struct egret_http *http = parser->data;

	http->in_response = true;
	return 0;
}

/* Whatever its fields say (RFC 9112 6.3). */
static bool has_no_body(unsigned status)
{
	return status / 100 == 1 || status == 204 || status == 304;
}

static int on_headers(llhttp_t *parser)
{
	struct egret_http *http = parser->data;
	struct egret_http_exchange *first = http->first;

	/* A switch of protocols that nobody asked for would open the way past the rules. The parser has seen that the answer names one
	 * (RFC 9110 7.8). */
	if (!first || parser->http_major != 1 || parser->status_code < 100 ||
	    (parser->status_code == 101 && !(first->switches && parser->upgrade)))
		return -1;
	first->event.status = parser->status_code;
	if (first->told && first->event.upstream_ms < 0)
		first->event.upstream_ms = (double)(egret_http_clock() - first->started_us) / 1000;
	if (parser->status_code == 101 || (first->connect && parser->status_code / 100 == 2))
		return 2; /* another protocol follows */
	return first->head_only || has_no_body(parser->status_code) ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct egret_http *http = parser->data;

	(void)at;
	http->first->event.bytes_sent += (int64_t)len;
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
		.on_message_begin = on_begin, .on_headers_complete = on_headers, .on_body = on_body, .on_message_complete = on_complete,
	};

	llhttp_init(&http->parser, HTTP_RESPONSE, &settings);
	/* A server that says "close" or speaks HTTP/1.0 and answers on has its answers counted: they were asked for. */
	llhttp_set_lenient_keep_alive(&http->parser, 1);
	http->parser.data = http;
}

/* What the server sends is no response to what was asked. No later answer is given in its place either: the program would take it for that
 * response. */
static ssize_t unreadable(struct egret_http *http, size_t len)
{
	http->unread = true;
	egret_http_finish_all(http, "UPE");
	if (!http->rules && !http->swallow)
		return (ssize_t)len;
	http->broken = true;
	return -1;
}

ssize_t egret_http_response(struct egret_http *http, const void *data, size_t len)
{
	llhttp_errno_t error;
	size_t used;
	ssize_t rest;

	if (http->opaque || http->unread)
		return http->broken ? -1 : (ssize_t)len;
	if (egret_http_due(http))
		return 0;
	if (!http->first && !http->in_response)
		return unreadable(http, len);
	error = llhttp_execute(&http->parser, data, len);
	if (http->opaque || error == HPE_OK)
		return (ssize_t)len;
	if (error != HPE_PAUSED)
		return unreadable(http, len);
	used = (size_t)(llhttp_get_error_pos(&http->parser) - (const char *)data);
	llhttp_resume(&http->parser);
	if (used == len || egret_http_due(http))
		return (ssize_t)used;
	rest = unreadable(http, len - used);
	return (ssize_t)used + (rest > 0 ? rest : 0);
}

bool egret_http_end(struct egret_http *http, enum egret_http_end end)
{
	bool whole = http->opaque || http->unread || !http->in_response;

	if (!whole && end == EGRET_HTTP_CLOSED) {
		llhttp_finish(&http->parser); /* a body without a length ends here */
		whole = !http->in_response;
	}
	http->unread = true;
	if (!whole && http->first)
		http->first->event.error = end == EGRET_HTTP_CUT ?
			"the server closed the connection without close_notify: the response may be truncated; if it never sends one, set tls_truncation = eof" :
			"the connection ended before the response was complete";
	egret_http_finish_all(http, "UC");
	http->ended = http->swallow;
	return whole;
}
