/* What a denied request is answered, in the server's place. */
#include "http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 2048 /* bytes of an answer, head and body */
#define BODY_MAX 1024

/* May the connection go on behind the answer? A client that waits for "100 Continue" may send its body or not: nobody can tell. */
static bool goes_on(const struct egret_http *http, const struct egret_http_head *head)
{
	bool unsure = head->expect && (head->chunked || head->length);

	return (head->minor ? !head->close : head->keep_alive) && !unsure && http->setup.can_tell && http->setup.can_tell(http->setup.data);
}

bool egret_http_answer(struct egret_http *http, struct egret_http_exchange *exchange, const struct egret_http_verdict *verdict,
		       const struct egret_http_head *head)
{
	exchange->verdict.allow = false;
	egret_http_set_reason(exchange, verdict->reason);
	exchange->event.rule = verdict->rule ? verdict->rule->text : NULL;
	egret_buf_free(&http->held);
	http->told = 0;
	exchange->answer = malloc(ANSWER_MAX);
	if (!exchange->answer)
		return false;
	exchange->denied = true;
	http->answers++;
	exchange->ends = verdict->reason == EGRET_HTTP_MALFORMED || !head || !goes_on(http, head);
	exchange->event.status = verdict->reason == EGRET_HTTP_MALFORMED ? 400 : verdict->reason == EGRET_HTTP_H2_AGREED ? 502 : 403;
	http->swallow = exchange->ends;
	return true;
}

/* RFC 9113 6.5, 6.8: the server's preface and an end that says why, with HTTP_1_1_REQUIRED. */
static size_t go_away(char *out, const char *why, int len)
{
	const char frames[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, (char)((len + 8) >> 8), (char)(len + 8), 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd };

	memcpy(out, frames, sizeof(frames));
	memcpy(out + sizeof(frames), why, (size_t)len);
	return sizeof(frames) + (size_t)len;
}

static const char *status_line(int status)
{
	return status == 400 ? "400 Bad Request" : status == 502 ? "502 Bad Gateway" : "403 Forbidden";
}

/* Written as late as it can be: until then it is open whether the connection goes on. */
static void compose(const struct egret_http *http, struct egret_http_exchange *exchange)
{
	const struct egret_entry *entry = http->setup.entry;
	const struct egret_event *event = &exchange->event;
	bool old = event->http_protocol && !strcmp(event->http_protocol, "HTTP/1.0");
	char body[BODY_MAX];
	int len = snprintf(body, sizeof(body), "egret: entry %.64s (%.256s:%u) denies this request: %s%s%.256s\n", entry->name, entry->file,
			   entry->line, event->reason_text, event->rule ? ": " : "", event->rule ? event->rule : "");

	exchange->event.bytes_sent = exchange->head_only ? 0 : len;
	if (exchange->h2) {
		exchange->answer_len = go_away(exchange->answer, body, len);
		return;
	}
	exchange->answer_len = (size_t)snprintf(exchange->answer, ANSWER_MAX,
		"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n%s",
		status_line(event->status), len,
		exchange->ends ? "Connection: close\r\n" : old ? "Connection: keep-alive\r\n" : "", exchange->head_only ? "" : body);
}

bool egret_http_due(const struct egret_http *http)
{
	return http->ended || (http->first && http->first->denied);
}

bool egret_http_ends(const struct egret_http *http)
{
	return http->ended || (http->first && http->first->denied && http->first->ends);
}

bool egret_http_answers(const struct egret_http *http)
{
	return http->answers;
}

static bool yes(void *data)
{
	(void)data;
	return true;
}

void egret_http_ask_first(struct egret_http *http)
{
	http->setup.can_tell = yes;
}

void egret_http_end_behind(struct egret_http *http)
{
	http->swallow = true;
	if (http->first)
		http->first->ends = true;
}

const void *egret_http_local(struct egret_http *http, size_t *len)
{
	struct egret_http_exchange *first = http->first;

	*len = 0;
	if (!first || !first->denied)
		return NULL;
	if (!first->answer_len)
		compose(http, first);
	*len = first->answer_len - first->answer_at;
	return first->answer + first->answer_at;
}

void egret_http_local_taken(struct egret_http *http, size_t count)
{
	struct egret_http_exchange *first = http->first;

	first->answer_at += count;
	if (first->answer_at < first->answer_len)
		return;
	http->ended = first->ends;
	egret_http_finish(http, NULL);
	if (http->ended) /* what was sent behind it gets no answer any more */
		egret_http_finish_all(http, "DC");
}
