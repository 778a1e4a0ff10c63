#include "http_internal.h"

#include <string.h>

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\n";

/* What can be told of a head that is no good: its request line, when that is. */
static struct egret_http_head first_line(const char *text, size_t len)
{
	struct egret_http_head head = { .minor = 0 };
	const char *cr = memchr(text, '\r', len);

	if (!cr || !egret_http_request_line(&head, text, (size_t)(cr - text)))
		head = (struct egret_http_head){ .minor = 0 };
	return head;
}

/* Both directions pass unread from here on; what was held goes out in front. */
static enum egret_http_fate open_up(struct egret_http *http)
{
	http->opaque = true;
	http->held.end = http->held.start + http->told;
	return EGRET_HTTP_PASS;
}

/* Nothing of the program goes out any more; what it asked with HEAD is answered in its turn, and then the connection ends. */
static enum egret_http_fate refuse_head(struct egret_http *http, const struct egret_http_head *head, enum egret_http_reason reason, bool h2)
{
	struct egret_http_verdict verdict = { .reason = reason };
	struct egret_http_exchange *exchange = egret_http_begin(http, head, true);
	bool mismatch = reason == EGRET_HTTP_H2_AGREED || reason == EGRET_HTTP_H2_NOT_AGREED;

	if (exchange)
		exchange->event.flags = mismatch ? "UPE" : reason == EGRET_HTTP_H2_RULES ? NULL : "DPE";
	if (exchange && h2) {
		exchange->h2 = true;
		exchange->event.http_protocol = "HTTP/2";
	}
	if (http->setup.audit && !mismatch) {
		if (exchange) {
			exchange->verdict.audited = true;
			egret_http_set_reason(exchange, reason);
		}
		return open_up(http);
	}
	if (exchange && egret_http_answer(http, exchange, &verdict, NULL))
		return EGRET_HTTP_HELD;
	http->broken = true;
	return EGRET_HTTP_BREAK;
}

static enum egret_http_fate refuse(struct egret_http *http, const char *text, size_t len, enum egret_http_reason reason)
{
	struct egret_http_head head = first_line(text, len);

	return refuse_head(http, &head, reason, false);
}

/* HTTP/2 with prior knowledge (RFC 9113 3.4) starts like a head. It cannot be judged: only where there are no rules. */
static enum egret_http_fate take_h2(struct egret_http *http)
{
	struct egret_http_head none = { .minor = 0 };

	if (http->rules)
		return refuse_head(http, &none, EGRET_HTTP_H2_RULES, true);
	return http->setup.h2 ? open_up(http) : refuse_head(http, &none, EGRET_HTTP_H2_NOT_AGREED, true);
}

/* Can a head begin with this line, LF included? */
static bool may_begin(const char *line, size_t len)
{
	struct egret_http_head ignored;

	return (len <= sizeof(h2_preface) && !memcmp(line, h2_preface, len)) || egret_http_request_line(&ignored, line, len - 2);
}

/* Looks for the head's end in LEN bytes of TEXT from what was looked at on: its length, 0 when it is not there yet, -1 where it can be
 * none: a bare LF, a first line that is no request line. (Of a head that is whole egret_http_head_read looks at that line.) */
static ssize_t head_end(struct egret_http *http, const char *text, size_t len)
{
	size_t first_line = 0;
	const char *at;

	if (!egret_http_is_token_byte((unsigned char)text[0]))
		return -1;
	while (http->scanned < len && (at = memchr(text + http->scanned, '\n', len - http->scanned))) {
		size_t line_end = (size_t)(at - text);

		if (line_end == http->line || at[-1] != '\r')
			return -1;
		if (line_end == http->line + 1)
			return (ssize_t)line_end + 1;
		if (http->line == 0)
			first_line = line_end + 1;
		http->scanned = http->line = line_end + 1;
	}
	http->scanned = len;
	return first_line && !may_begin(text, first_line) ? -1 : 0;
}

static struct egret_http_verdict decide(const struct egret_http *http, const struct egret_http_head *head)
{
	char method[32];
	struct egret_http_request request = {
		.method = method, .target = head->target.at, .target_len = head->target.len, .host = head->host.at, .host_len = head->host.len,
		.host_count = head->hosts, .port = http->setup.port, .upgrade = head->upgrade, .upgrade_h2c = head->h2c,
		.dialled = http->setup.host, .asked = &http->setup.asked };

	if (head->method.len >= sizeof(method))
		return (struct egret_http_verdict){ .reason = EGRET_HTTP_MALFORMED };
	memcpy(method, head->method.at, head->method.len);
	method[head->method.len] = '\0';
	return egret_http_decide(http->setup.entry, &request);
}

static bool is_idle(const struct egret_http_place *place)
{
	return place->side == EGRET_HTTP_HEAD && !place->head_left;
}

/* Where a request with HEAD stands, LEN bytes of the head still to come from the program. */
static struct egret_http_place place_of(const struct egret_http_head *head, size_t len)
{
	return (struct egret_http_place){ .side = head->chunked ? EGRET_HTTP_CHUNKED : head->length ? EGRET_HTTP_LENGTH : EGRET_HTTP_HEAD,
					  .head_left = len, .body_left = head->length };
}

/* More requests in flight than are kept, or no memory: the connection takes no more. */
static enum egret_http_fate overflow(struct egret_http *http, const struct egret_http_head *head)
{
	egret_http_log_refused(http, head, EGRET_HTTP_NOT_DECIDED, "UO");
	http->broken = true;
	return EGRET_HTTP_BREAK;
}

/* Nothing of a denied request leaves. Its body is dropped, and the next request is judged, unless the connection ends. */
static enum egret_http_fate deny(struct egret_http *http, const struct egret_http_head *head, const struct egret_http_verdict *verdict)
{
	http->at = place_of(head, 0);
	http->dropping = !is_idle(&http->at);
	http->broken = http->unread || !egret_http_answer(http, http->current, verdict, head);
	http->current = NULL;
	return http->broken ? EGRET_HTTP_BREAK : EGRET_HTTP_HELD;
}

/* A complete head is judged; OFFERED bytes of it, the program's next ones, are not told as written. AGAIN: it repeats the last one. */
static enum egret_http_fate judge(struct egret_http *http, const char *text, size_t len, size_t offered, bool again)
{
	struct egret_http_head head;
	struct egret_http_verdict verdict;

	if (again)
		head = http->last_head.head;
	else if (!egret_http_head_read(&http->last_head, text, len, &head))
		return refuse(http, text, len, EGRET_HTTP_MALFORMED);
	else
		http->last_head.verdict = decide(http, &head);
	verdict = http->last_head.verdict;
	if (http->h2_alone && (verdict.allow || http->setup.audit))
		return refuse_head(http, &head, EGRET_HTTP_H2_AGREED, false);
	http->current = egret_http_begin(http, &head, !http->setup.quiet || !verdict.allow);
	if (!http->current)
		return overflow(http, &head);
	http->current->event.rule = verdict.rule ? verdict.rule->text : NULL;
	if (!verdict.allow && !http->setup.audit)
		return deny(http, &head, &verdict);
	if (!verdict.allow) {
		http->current->verdict.audited = true;
		egret_http_set_reason(http->current, verdict.reason);
	}
	http->at = place_of(&head, offered);
	http->at.pose = http->rules ? egret_http_pose_begin(&head) : 0;
	if (http->unread) /* no response can be told to be its own */
		egret_http_finish_all(http, http->over ? "UC" : "UPE");
	return EGRET_HTTP_PASS;
}

static bool is_h2_preface(const char *text, size_t len)
{
	return len == sizeof(h2_preface) - 1 && !memcmp(text, h2_preface, len);
}

/* Bytes of a head: held until it is complete. */
static enum egret_http_fate take_head(struct egret_http *http, const char *data, size_t len, size_t *count)
{
	size_t before = http->told, all;
	const char *text = data;
	bool again = !before && egret_http_head_repeats(&http->last_head, data, len);
	ssize_t end;

	if (before) {
		len = len < EGRET_HTTP_HEAD_MAX + 1 - before ? len : EGRET_HTTP_HEAD_MAX + 1 - before;
		if (!egret_buf_append(&http->held, data, len))
			return refuse(http, "", 0, EGRET_HTTP_NOT_DECIDED);
		text = (const char *)egret_buf_head(&http->held);
	}
	all = before + len;
	end = again ? (ssize_t)http->last_head.len : head_end(http, text, all);
	if (end < 0 || end > EGRET_HTTP_HEAD_MAX || (!end && all > EGRET_HTTP_HEAD_MAX))
		return refuse(http, text, all, EGRET_HTTP_MALFORMED);
	if (!end) {
		*count = len;
		if (!before && !egret_buf_append(&http->held, data, len))
			return refuse(http, text, all, EGRET_HTTP_NOT_DECIDED);
		http->told = all;
		return EGRET_HTTP_HELD;
	}
	http->scanned = http->line = 0;
	if (before)
		http->held.end = http->held.start + (size_t)end;
	if (is_h2_preface(text, (size_t)end))
		return take_h2(http);
	*count = (size_t)end - before;
	return judge(http, text, (size_t)end, *count, again);
}

/* How many of LEN bytes belong to the request open at PLACE. -1: malformed chunks, or a body that reads like a request. */
static ssize_t part_of(const struct egret_http_place *place, const char *data, size_t len)
{
	struct egret_http_chunks chunks = place->chunks;
	unsigned pose = place->pose;
	size_t head = len < place->head_left ? len : (size_t)place->head_left;
	uint64_t known = place->head_left + place->body_left;
	int64_t body = 0;
	ssize_t n;
	bool done;

	if (place->side == EGRET_HTTP_CHUNKED)
		n = egret_http_chunks_read(&chunks, data + head, len - head, &done, &body);
	else
		n = (ssize_t)(len < known ? len : known) - (ssize_t)head;
	if (n < 0 || !egret_http_pose_read(&pose, data + head, (size_t)n))
		return head ? (ssize_t)head : -1;
	return (ssize_t)head + n;
}

/* COUNT bytes that belong to the request at PLACE are behind it. Adds the data among them to *BODY. */
static void advance(struct egret_http_place *place, const char *data, size_t count, int64_t *body)
{
	size_t head = count < place->head_left ? count : (size_t)place->head_left;
	bool done = false;

	place->head_left -= head;
	count -= head;
	if (place->side == EGRET_HTTP_CHUNKED) {
		egret_http_chunks_read(&place->chunks, data + head, count, &done, body);
	} else {
		egret_http_pose_read(&place->pose, data + head, count);
		place->body_left -= count;
		*body += (int64_t)count;
		done = !place->body_left;
	}
	if (done && !place->head_left)
		place->side = EGRET_HTTP_HEAD;
}

/* Does DATA repeat what was judged and not told accepted? A program may change its mind after EAGAIN, but then it is judged anew. */
static bool keeps_its_word(const struct egret_http *http, const char *data, size_t len)
{
	size_t owed = egret_buf_len(&http->held) - http->told;

	return !owed || !memcmp(egret_buf_head(&http->held) + http->told, data, len < owed ? len : owed);
}

/* The body of a request that was let pass turns out to be none, or one that must not pass. The line of the request tells of what left; what did
 * not is a line of its own, and its answer takes the place of the response, which cannot come any more. */
static enum egret_http_fate refuse_body(struct egret_http *http, enum egret_http_reason reason)
{
	const struct egret_http_head none = { .minor = 0 };
	struct egret_http_verdict verdict = { .reason = reason };
	struct egret_http_exchange *current = http->current;

	if (http->setup.audit)
		return refuse(http, "", 0, reason);
	http->current = NULL;
	if (current)
		current->event.flags = "DPE";
	if (!current || (current == http->first && http->in_response)) { /* the server has answered, or does */
		egret_http_log_refused(http, &none, reason, "DPE");
		http->broken = true;
		return EGRET_HTTP_BREAK;
	}
	if (current->left)
		egret_http_split(http, current);
	http->broken = !egret_http_answer(http, current, &verdict, NULL);
	return http->broken ? EGRET_HTTP_BREAK : EGRET_HTTP_HELD;
}

/* The body of a denied request goes nowhere. */
static enum egret_http_fate drop(struct egret_http *http, const char *data, size_t len, size_t *count)
{
	ssize_t part = part_of(&http->at, data, len);
	int64_t body = 0;

	if (part < 0)
		return refuse(http, "", 0, EGRET_HTTP_MALFORMED);
	*count = (size_t)part;
	advance(&http->at, data, *count, &body);
	http->dropping = !is_idle(&http->at);
	return EGRET_HTTP_HELD;
}

enum egret_http_fate egret_http_request(struct egret_http *http, const void *data, size_t len, size_t *count)
{
	enum egret_http_fate fate;
	ssize_t part;
	int64_t body = 0;

	*count = len;
	if (http->broken || http->ended)
		return EGRET_HTTP_BREAK;
	if (http->swallow)
		return EGRET_HTTP_HELD;
	if (http->opaque)
		return EGRET_HTTP_PASS;
	if (http->dropping)
		return drop(http, data, len, count);
	if (is_idle(&http->at)) {
		fate = take_head(http, data, len, count);
		if (fate != EGRET_HTTP_PASS || http->opaque)
			return fate;
	} else if (!keeps_its_word(http, data, len)) {
		return refuse_body(http, EGRET_HTTP_MALFORMED);
	}
	part = part_of(&http->at, data, len);
	if (part < 0)
		return refuse_body(http, http->at.side == EGRET_HTTP_CHUNKED ? EGRET_HTTP_MALFORMED : EGRET_HTTP_BODY);
	*count = (size_t)part;
	http->ahead = http->at;
	advance(&http->ahead, data, *count, &body);
	return EGRET_HTTP_PASS;
}

const void *egret_http_before(const struct egret_http *http, size_t *len)
{
	*len = http->told;
	return *len ? egret_buf_head(&http->held) : NULL;
}

size_t egret_http_more(struct egret_http *http, const void *data, size_t len)
{
	int64_t body = 0;
	ssize_t part;

	if (http->opaque)
		return len;
	if (is_idle(&http->ahead) || http->ahead.head_left)
		return 0;
	part = part_of(&http->ahead, data, len);
	if (part > 0)
		advance(&http->ahead, data, (size_t)part, &body);
	return part > 0 ? (size_t)part : 0;
}

size_t egret_http_sent(struct egret_http *http, const void *data, size_t taken)
{
	const char *bytes = data;
	size_t earlier = taken < http->told ? taken : http->told, owed;
	int64_t body = 0;

	if (taken && http->current)
		http->current->left = true;
	egret_buf_consume(&http->held, earlier);
	http->told -= earlier;
	taken -= earlier;
	if (http->opaque)
		return taken;
	owed = egret_buf_len(&http->held) - http->told;
	egret_buf_consume(&http->held, taken < owed ? taken : owed);
	advance(&http->at, bytes, taken, &body);
	if (http->current)
		http->current->event.bytes_received += body;
	/* The rest of a head that was judged in one piece with this must come as it was. */
	if (http->at.head_left && !egret_buf_len(&http->held) && !egret_buf_append(&http->held, bytes + taken, (size_t)http->at.head_left))
		http->broken = true;
	return taken;
}

void egret_http_finish_requests(struct egret_http *http)
{
	size_t len = egret_buf_len(&http->held);
	const char *text = len ? (const char *)egret_buf_head(&http->held) : "";
	struct egret_http_head head = first_line(text, len);

	if (!http->told || http->opaque || !is_idle(&http->at))
		return;
	egret_http_log_refused(http, &head, EGRET_HTTP_INCOMPLETE, "DC");
	http->broken = true;
	egret_buf_free(&http->held);
	http->told = 0;
}
