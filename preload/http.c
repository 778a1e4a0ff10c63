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

void egret_http_agreed(struct egret_http *http, bool h2)
{
	http->setup.h2 = http->h2_alone = h2;
}

void egret_http_abandon(struct egret_http *http)
{
	egret_http_finish_requests(http);
	egret_http_finish_all(http, "DC");
}

void egret_http_free(struct egret_http *http)
{
	if (!http)
		return;
	egret_http_abandon(http);
	egret_buf_free(&http->held);
	free(http->spare);
	free(http->last_head.text);
	free(http->last_reply.head);
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

/* Memory for an exchange: an untold one's is kept for the next. */
static struct egret_http_exchange *memory_for(struct egret_http *http, const struct egret_http_head *head, bool told)
{
	struct egret_http_exchange *spare = http->spare;
	size_t texts = 0;

	if (told)
		texts = kept(head->method) + kept(head->target) + kept(head->host) + kept(head->user_agent) + kept(head->request_id) +
			kept(head->forwarded_for);
	if (told || !spare)
		return malloc(sizeof(*spare) + texts);
	http->spare = NULL;
	return spare;
}

static struct egret_http_exchange *exchange_for(struct egret_http *http, const struct egret_http_head *head, bool told)
{
	struct egret_http_exchange *exchange = memory_for(http, head, told);
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

static void emit(const struct egret_http *http, struct egret_http_exchange *exchange, const char *flags)
{
	if (!exchange->event.flags)
		exchange->event.flags = flags;
	if (exchange->told)
		exchange->event.duration_ms = (double)(egret_http_clock() - exchange->started_us) / 1000;
	if ((exchange->told || exchange->event.error) && http->setup.emit)
		http->setup.emit(http->setup.data, &exchange->event);
}

static void emit_last(struct egret_http *http, struct egret_http_exchange *exchange, const char *flags)
{
	emit(http, exchange, flags);
	free(exchange->answer);
	if (exchange->told || http->spare)
		free(exchange);
	else
		http->spare = exchange;
}

void egret_http_split(const struct egret_http *http, struct egret_http_exchange *exchange)
{
	const struct egret_http_head none = { .minor = 0 };

	emit(http, exchange, NULL);
	exchange->told = true;
	tell(exchange, &none);
	exchange->event.upstream = exchange->event.address = http->setup.upstream; /* those that emit filled in ended with it */
	exchange->event.bytes_received = 0;
	exchange->event.upstream_ms = -1;
}

void egret_http_log_refused(struct egret_http *http, const struct egret_http_head *head, enum egret_http_reason reason,
			    const char *flags)
{
	struct egret_http_exchange *exchange = exchange_for(http, head, true);

	if (!exchange)
		return;
	exchange->verdict.allow = false;
	egret_http_set_reason(exchange, reason);
	emit_last(http, exchange, flags);
}

void egret_http_log_unasked(struct egret_http *http, const char *error)
{
	const struct egret_http_head none = { .minor = 0 };
	struct egret_http_exchange *exchange = exchange_for(http, &none, !http->setup.quiet);

	if (!exchange)
		return;
	exchange->event.error = error;
	emit_last(http, exchange, "UPE");
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
	http->answers -= exchange->denied;
	emit_last(http, exchange, flags);
}

void egret_http_finish_all(struct egret_http *http, const char *flags)
{
	while (http->first)
		egret_http_finish(http, http->first->denied || http->opaque ? NULL : flags);
}
