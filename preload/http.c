#include "http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOGGED_MAX 2048 /* bytes of one header that go to the log */

static int64_t clock_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t egret_http_clock(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

struct egret_http *egret_http_new(const struct egret_http_setup *setup)
{
	struct egret_http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->setup = *setup;
	http->setup.host = setup->host ? strdup(setup->host) : NULL;
	http->setup.upstream = setup->upstream ? strdup(setup->upstream) : NULL;
	http->rules = setup->entry->http_allow_count || setup->entry->http_deny_count;
	http->last = &http->first;
	egret_http_responses_init(http);
	if ((setup->host && !http->setup.host) || (setup->upstream && !http->setup.upstream)) {
		egret_http_free(http);
		return NULL;
	}
	return http;
}

void egret_http_abandon(struct egret_http *http)
{
	egret_http_finish_requests(http);
	while (http->first)
		egret_http_finish(http, http->first->local || http->opaque ? NULL : "DC");
}

void egret_http_free(struct egret_http *http)
{
	if (!http)
		return;
	egret_http_abandon(http);
	egret_buf_free(&http->held);
	free((char *)http->setup.host);
	free((char *)http->setup.upstream);
	free(http);
}

/* Copies TEXT behind what *AT has, cut for the log; NULL for an absent one. */
static const char *keep(char **at, struct egret_http_text text)
{
	size_t len = text.len < LOGGED_MAX ? text.len : LOGGED_MAX;
	char *copy = *at;

	if (!text.at)
		return NULL;
	memcpy(copy, text.at, len);
	copy[len] = '\0';
	*at += len + 1;
	return copy;
}

static size_t kept(struct egret_http_text text)
{
	return (text.len < LOGGED_MAX ? text.len : LOGGED_MAX) + 1;
}

static bool is_method(const struct egret_http_head *head, const char *name)
{
	return head->method.len == strlen(name) && !memcmp(head->method.at, name, head->method.len);
}

/* What the event says of the request itself. */
static void tell(struct egret_http_exchange *exchange, const struct egret_http_head *head)
{
	struct egret_event *event = &exchange->event;
	char *at = exchange->text;

	event->time_us = clock_of(CLOCK_REALTIME);
	exchange->started_us = egret_http_clock();
	event->method = keep(&at, head->method);
	event->path = keep(&at, head->target);
	event->authority = keep(&at, head->host);
	event->user_agent = keep(&at, head->user_agent);
	event->request_id = keep(&at, head->request_id);
	event->forwarded_for = keep(&at, head->forwarded_for);
	event->http_protocol = !head->method.at ? NULL : head->minor ? "HTTP/1.1" : "HTTP/1.0";
}

static struct egret_http_exchange *exchange_for(const struct egret_http *http, const struct egret_http_head *head, bool told)
{
	size_t texts = told ? kept(head->method) + kept(head->target) + kept(head->host) + kept(head->user_agent) + kept(head->request_id) +
				kept(head->forwarded_for) : 0;
	struct egret_http_exchange *exchange = malloc(sizeof(*exchange) + texts);
	struct egret_event *event;

	if (!exchange)
		return NULL;
	*exchange = (struct egret_http_exchange){ .told = told };
	event = &exchange->event;
	egret_event_init(event, EGRET_EVENT_HTTP);
	if (told)
		tell(exchange, head);
	event->protocol = "http";
	event->host = http->setup.host;
	event->port = http->setup.port;
	event->upstream = event->address = http->setup.upstream;
	event->bytes_received = event->bytes_sent = 0;
	event->verdict = &exchange->verdict;
	exchange->verdict = (struct egret_verdict){ .allow = true, .by_host = http->setup.host, .reason = EGRET_REASON_ENTRY,
						    .entry = http->setup.entry };
	exchange->switches = head->switches;
	exchange->head_only = is_method(head, "HEAD");
	exchange->connect = is_method(head, "CONNECT");
	return exchange;
}

struct egret_http_exchange *egret_http_begin(struct egret_http *http, const struct egret_http_head *head, bool told)
{
	struct egret_http_exchange *exchange = http->depth < EGRET_HTTP_DEPTH ? exchange_for(http, head, told) : NULL;

	if (!exchange)
		return NULL;
	*http->last = exchange;
	http->last = &exchange->next;
	http->depth++;
	return exchange;
}

void egret_http_set_reason(struct egret_http_exchange *exchange, enum egret_http_reason reason)
{
	exchange->event.reason = egret_http_reason_name(reason);
	exchange->event.reason_text = egret_http_reason_text(reason);
}

bool egret_http_answer(struct egret_http *http, struct egret_http_exchange *exchange, const struct egret_http_verdict *verdict)
{
	const struct egret_entry *entry = http->setup.entry;
	bool malformed = verdict->reason == EGRET_HTTP_MALFORMED;
	char body[1024];
	int len = snprintf(body, sizeof(body), "egret: entry %.64s (%.256s:%u) denies this request: %s%s%.256s\n", entry->name, entry->file,
			   entry->line, egret_http_reason_text(verdict->reason), verdict->rule ? ": " : "",
			   verdict->rule ? verdict->rule->text : "");

	exchange->verdict.allow = false;
	egret_http_set_reason(exchange, verdict->reason);
	exchange->event.rule = verdict->rule ? verdict->rule->text : NULL;
	exchange->event.status = malformed ? 400 : 403;
	exchange->event.bytes_sent = exchange->head_only ? 0 : len;
	exchange->local = malloc((size_t)len + 256);
	if (!exchange->local)
		return false;
	exchange->local_len = (size_t)snprintf(exchange->local, (size_t)len + 256,
		"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		malformed ? "400 Bad Request" : "403 Forbidden", len, exchange->head_only ? "" : body);
	http->swallow = true;
	egret_buf_free(&http->held);
	http->told = 0;
	return true;
}

static void emit(const struct egret_http *http, struct egret_http_exchange *exchange, const char *flags)
{
	if (flags)
		exchange->event.flags = flags;
	if (exchange->told)
		exchange->event.duration_ms = (double)(egret_http_clock() - exchange->started_us) / 1000;
	if (exchange->told && http->setup.emit)
		http->setup.emit(http->setup.data, &exchange->event);
	free(exchange->local);
	free(exchange);
}

void egret_http_log_incomplete(struct egret_http *http, const struct egret_http_head *head)
{
	struct egret_http_exchange *exchange = exchange_for(http, head, true);

	if (!exchange)
		return;
	exchange->verdict.allow = false;
	egret_http_set_reason(exchange, EGRET_HTTP_INCOMPLETE);
	emit(http, exchange, "DC");
}

void egret_http_finish(struct egret_http *http, const char *flags)
{
	struct egret_http_exchange *exchange = http->first;

	http->first = exchange->next;
	if (!http->first)
		http->last = &http->first;
	if (http->current == exchange)
		http->current = NULL;
	http->depth--;
	emit(http, exchange, flags);
}

bool egret_http_due(const struct egret_http *http)
{
	return http->ended || (http->first && http->first->local);
}

const void *egret_http_local(const struct egret_http *http, size_t *len)
{
	const struct egret_http_exchange *first = http->first;

	*len = first && first->local ? first->local_len - first->local_at : 0;
	return *len ? first->local + first->local_at : NULL;
}

void egret_http_local_taken(struct egret_http *http, size_t count)
{
	http->first->local_at += count;
	if (http->first->local_at < http->first->local_len)
		return;
	http->ended = true;
	egret_http_finish(http, NULL);
}
