#include "http_internal.h"

#include <string.h>

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\n";

/* Nothing of the program goes out any more; what it asked is answered in its turn, and then the connection ends. */
static enum egret_http_fate refuse(struct egret_http *http, enum egret_http_reason reason)
{
	struct egret_http_verdict verdict = { .reason = reason };
	struct egret_http_exchange *exchange;

	if (http->setup.audit) {
		http->opaque = true;
		return EGRET_HTTP_PASS;
	}
	http->broken = true;
	exchange = egret_http_begin(http, NULL);
	if (exchange) {
		exchange->event.flags = "DPE";
		egret_http_answer(http, exchange, &verdict, true);
	}
	return EGRET_HTTP_BREAK;
}

/* Looks for the head's end in LEN bytes of TEXT from what was looked at on: its length, 0 when it is not there yet, -1 at a bare LF. */
static ssize_t head_end(struct egret_http *http, const char *text, size_t len)
{
	const char *at;

	while (http->scanned < len && (at = memchr(text + http->scanned, '\n', len - http->scanned))) {
		size_t line_end = (size_t)(at - text);

		if (line_end == http->line || at[-1] != '\r')
			return -1;
		if (line_end == http->line + 1)
			return (ssize_t)line_end + 1;
		http->scanned = http->line = line_end + 1;
	}
	http->scanned = len;
	return 0;
}

/* The head of a request that may pass: what follows of it passes unread. */
static void pass_head(struct egret_http *http, const struct egret_http_head *head, size_t unsent)
{
	http->side = head->chunked ? EGRET_HTTP_CHUNKED : head->length ? EGRET_HTTP_LENGTH : EGRET_HTTP_HEAD;
	http->chunks = (struct egret_http_chunks){ .left = 0 };
	http->head_left = unsent;
	http->pass_left = unsent + head->length;
}

/* A complete head is judged. False: the connection breaks. */
static bool judge(struct egret_http *http, const char *text, size_t len, size_t unsent)
{
	struct egret_http_head head;
	struct egret_http_verdict verdict;
	struct egret_http_request request = { .port = http->setup.port, .dialled = http->setup.host };
	char method[32];

	if (!egret_http_head_read(text, len, &head) || head.method.len >= sizeof(method) || !(http->current = egret_http_begin(http, &head)))
		return false;
	memcpy(method, head.method.at, head.method.len);
	method[head.method.len] = '\0';
	request.method = method;
	request.target = head.target.at;
	request.target_len = head.target.len;
	request.host = head.host.at;
	request.host_len = head.host.len;
	request.host_count = head.hosts;
	request.upgrade = head.upgrade;
	request.upgrade_h2c = head.h2c;
	verdict = egret_http_decide(http->setup.entry, &request);
	http->current->event.rule = verdict.rule ? verdict.rule->text : NULL;
	http->drop = !verdict.allow && !http->setup.audit;
	pass_head(http, &head, http->drop ? 0 : unsent);
	if (!verdict.allow && http->setup.audit) {
		http->current->verdict.audited = true;
		http->current->event.reason = egret_http_reason_name(verdict.reason);
	}
	if (!http->drop)
		return true;
	/* A program that waits for 100 may or may not send the body after a refusal: end there. */
	http->broken = head.expect || head.close || !head.minor || http->unread;
	return egret_http_answer(http, http->current, &verdict, http->broken) && !http->unread;
}

/* HTTP/2 with prior knowledge (RFC 9113 3.4) starts like a head. It cannot be judged: only where there are no rules. */
static bool is_h2_preface(const char *text, size_t len)
{
	return len == sizeof(h2_preface) - 1 && !memcmp(text, h2_preface, len);
}

/* A head of LEN bytes, BEFORE of them held until now. */
static enum egret_http_fate take_whole_head(struct egret_http *http, const char *text, size_t len, size_t before)
{
	http->held.end = http->held.start + (before ? len : 0);
	http->scanned = http->line = 0;
	if (is_h2_preface(text, len)) {
		if (!http->setup.h2 || http->rules)
			return refuse(http, EGRET_HTTP_H2C);
		http->opaque = true;
		return EGRET_HTTP_PASS;
	}
	if (!judge(http, text, len, before ? 0 : len))
		return http->broken ? EGRET_HTTP_BREAK : refuse(http, EGRET_HTTP_MALFORMED);
	if (http->drop)
		egret_buf_consume(&http->held, egret_buf_len(&http->held));
	http->pending = before && !http->drop;
	return http->pending || http->drop ? EGRET_HTTP_HELD : EGRET_HTTP_PASS;
}

/* Bytes of a head: held until it is complete. */
static enum egret_http_fate take_head(struct egret_http *http, const char *data, size_t len, size_t *count)
{
	size_t before = egret_buf_len(&http->held);
	const char *text = data;
	ssize_t end;

	if (before && len > EGRET_HTTP_HEAD_MAX + 1 - before)
		len = EGRET_HTTP_HEAD_MAX + 1 - before;
	*count = len;
	if (before) {
		if (!egret_buf_append(&http->held, data, len))
			return refuse(http, EGRET_HTTP_NOT_DECIDED);
		text = (const char *)egret_buf_head(&http->held);
	}
	end = head_end(http, text, before + len);
	if (end < 0 || end > EGRET_HTTP_HEAD_MAX || (!end && before + len > EGRET_HTTP_HEAD_MAX))
		return refuse(http, EGRET_HTTP_MALFORMED);
	if (!end)
		return before || egret_buf_append(&http->held, data, len) ? EGRET_HTTP_HELD : refuse(http, EGRET_HTTP_NOT_DECIDED);
	*count = (size_t)end - before;
	return take_whole_head(http, text, (size_t)end, before);
}

/* COUNT bytes of the judged request went where they go. */
static void advance(struct egret_http *http, const char *data, size_t count)
{
	size_t head = count < http->head_left ? count : (size_t)http->head_left;
	int64_t body = 0;
	bool done = false;

	http->head_left -= head;
	http->pass_left -= http->side == EGRET_HTTP_LENGTH ? count : head;
	if (http->side == EGRET_HTTP_CHUNKED)
		egret_http_chunks_read(&http->chunks, data + head, count - head, &done, &body);
	else
		body = (int64_t)(count - head);
	if (http->current)
		http->current->event.bytes_received += body;
	if (done || (http->side == EGRET_HTTP_LENGTH && !http->pass_left))
		http->side = EGRET_HTTP_HEAD;
	if (http->side == EGRET_HTTP_HEAD && !http->head_left && http->drop)
		http->drop = false;
}

/* How many of LEN bytes belong to the open request. -1: malformed chunks. */
static ssize_t body_part(const struct egret_http *http, const char *data, size_t len)
{
	struct egret_http_chunks chunks = http->chunks;
	int64_t body;
	bool done;

	if (http->side == EGRET_HTTP_CHUNKED && !http->head_left)
		return egret_http_chunks_read(&chunks, data, len, &done, &(int64_t){ 0 });
	body = (int64_t)(http->side == EGRET_HTTP_LENGTH ? http->pass_left : http->head_left);
	return body < (int64_t)len ? (ssize_t)body : (ssize_t)len;
}

enum egret_http_fate egret_http_request(struct egret_http *http, const void *data, size_t len, size_t *count)
{
	enum egret_http_fate fate;
	ssize_t part;

	*count = len;
	if (http->broken || http->ended)
		return EGRET_HTTP_BREAK;
	if (http->opaque)
		return EGRET_HTTP_PASS;
	if (http->side == EGRET_HTTP_HEAD && !http->head_left) {
		fate = take_head(http, data, len, count);
		/* An audited connection that cannot be read passes on what was held. */
		if (fate == EGRET_HTTP_PASS && http->opaque && egret_buf_len(&http->held)) {
			http->pending = true;
			return EGRET_HTTP_HELD;
		}
		/* A head and its body go out in one piece. */
		if (fate == EGRET_HTTP_PASS && !http->opaque && http->side == EGRET_HTTP_LENGTH)
			*count = (size_t)body_part(http, data, len);
		return fate;
	}
	part = body_part(http, data, len);
	if (part < 0)
		return refuse(http, EGRET_HTTP_MALFORMED);
	*count = (size_t)part;
	if (!http->drop)
		return EGRET_HTTP_PASS;
	advance(http, data, *count);
	return EGRET_HTTP_HELD;
}

void egret_http_sent(struct egret_http *http, const void *data, size_t count)
{
	if (!http->opaque)
		advance(http, data, count);
}

const void *egret_http_pending(const struct egret_http *http, size_t *len)
{
	*len = http->pending ? egret_buf_len(&http->held) : 0;
	return *len ? http->held.data + http->held.start : NULL;
}

void egret_http_flushed(struct egret_http *http, size_t count)
{
	egret_buf_consume(&http->held, count);
	http->pending = egret_buf_len(&http->held) != 0;
}
