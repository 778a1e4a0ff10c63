/* One JSON object a line (RFC 8259); keys as in design section 8 and egret(1). */
#include "eight.h"
#include "escape.h"
#include "log_line.h"

#include <string.h>

#define VALUE_MAX 2048 /* bytes of one value; a longer one ends in "..." */

/* Do all eight bytes at TEXT stand in a JSON string as they are: printable ASCII, no quote, no backslash? */
static bool all_plain(const char *text)
{
	uint64_t word = egret_eight(text);

	return !(egret_odd_bytes(word) | egret_zero_bytes(word ^ EGRET_EACH('"')) | egret_zero_bytes(word ^ EGRET_EACH('\\')));
}

/* How many bytes of TEXT stand in a JSON string as they are? */
static size_t plain(const char *text, size_t len)
{
	size_t n = 0;
	while (n + 8 <= len && all_plain(text + n))
		n += 8;
	while (n < len && text[n] >= 0x20 && text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

/* One character of TEXT that is not plain. Bytes that are not printable text become \u00XX: of a control character its code, of a stray
 * byte the character Latin-1 would show. Returns its length. */
static size_t escaped(struct egret_line *line, const char *text, size_t len)
{
	size_t n = egret_printable(text, len);
	if (n == 0)
		egret_line_format(line, "\\u%04x", (unsigned char)*text);
	else if (n == 1)
		egret_line_text(line, "\\");
	egret_line_bytes(line, text, n);
	return n ? n : 1;
}

/* Takes VALUE_MAX + 16 bytes of the line at most. */
static void string(struct egret_line *line, const char *text)
{
	size_t len = strlen(text), most = line->used + VALUE_MAX - 8, n;
	egret_line_text(line, "\"");
	for (; len > 0 && line->used < most; text += n, len -= n) {
		size_t room = most - line->used;
		n = plain(text, len < room ? len : room);
		egret_line_bytes(line, text, n);
		if (n == 0)
			n = escaped(line, text, len);
	}
	egret_line_text(line, len ? "...\"" : "\"");
}

static bool room_for(const struct egret_line *line, size_t bytes)
{
	return line->used + bytes + 4 < line->size;
}

/* A member's name, as a literal; its value by one of the functions below, whole or not at all: a cut line must still be JSON. */
#define NAME(key) ",\"" key "\":", sizeof(",\"" key "\":") - 1
#define member(line, key, value) string_member(line, NAME(key), value)
#define number(line, key, value, present) number_member(line, NAME(key), value, present)
#define milliseconds(line, key, value) milliseconds_member(line, NAME(key), value)

static inline void string_member(struct egret_line *line, const char *name, size_t length, const char *value)
{
	if (!value || !room_for(line, length + VALUE_MAX + 16))
		return;
	egret_line_bytes(line, name, length);
	string(line, value);
}

static inline void number_member(struct egret_line *line, const char *name, size_t length, int64_t value, bool present)
{
	if (!present || !room_for(line, length + 32))
		return;
	egret_line_bytes(line, name, length);
	egret_line_number(line, value, 1);
}

static inline void milliseconds_member(struct egret_line *line, const char *name, size_t length, double value)
{
	int64_t microseconds = (int64_t)(value * 1000 + .5);
	if (value < 0 || !room_for(line, length + 40))
		return;
	egret_line_bytes(line, name, length);
	egret_line_number(line, microseconds / 1000, 1);
	egret_line_text(line, ".");
	egret_line_number(line, microseconds % 1000, 3);
}

static void verdict_members(struct egret_line *line, const struct egret_event *event)
{
	const struct egret_verdict *verdict = event->verdict;
	const struct egret_entry *entry = verdict ? verdict->entry : NULL;
	if (verdict) {
		member(line, "verdict", verdict->allow ? "allow" : "deny");
		if (verdict->audited)
			egret_line_text(line, ",\"audited\":true");
	}
	member(line, "entry", entry ? entry->name : event->entry);
	if (entry) {
		member(line, "file", entry->file);
		number(line, "line", entry->line, entry->line != 0);
	}
	member(line, "reason", event->reason || !verdict ? event->reason : egret_reason_name(verdict->reason));
	member(line, "rule", event->rule);
}

static void tls_members(struct egret_line *line, const struct egret_event *event)
{
	member(line, "server_name", event->server_name);
	member(line, "version", event->tls_version);
	member(line, "cipher", event->tls_cipher);
	member(line, "alpn", event->tls_alpn);
	if (event->tls_resumed >= 0)
		egret_line_text(line, event->tls_resumed ? ",\"resumed\":true" : ",\"resumed\":false");
	milliseconds(line, "handshake_ms", event->handshake_ms);
	member(line, "peer", event->tls_peer);
	member(line, "not_after", event->tls_not_after);
}

static void http_members(struct egret_line *line, const struct egret_event *event)
{
	member(line, "method", event->method);
	member(line, "path", event->path);
	number(line, "status", event->status, event->status != 0);
	member(line, "flags", event->flags);
	number(line, "bytes_received", event->bytes_received, event->bytes_received >= 0);
	number(line, "bytes_sent", event->bytes_sent, event->bytes_sent >= 0);
	milliseconds(line, "duration_ms", event->duration_ms);
	milliseconds(line, "upstream_ms", event->upstream_ms);
	member(line, "forwarded_for", event->forwarded_for);
	member(line, "user_agent", event->user_agent);
	member(line, "request_id", event->request_id);
	member(line, "authority", event->authority);
	member(line, "upstream", event->upstream);
}

bool egret_log_json(struct egret_line *line, const struct egret_event *event)
{
	egret_line_text(line, "{\"time\":\"");
	egret_line_time(line, event->time_us, 6);
	egret_line_text(line, "\",\"event\":\"");
	egret_line_text(line, egret_event_name(event->kind));
	egret_line_text(line, "\"");
	number(line, "pid", event->pid, event->pid != 0);
	member(line, "exe", event->exe);
	member(line, "layer", event->layer ? event->layer : "preload");
	verdict_members(line, event);
	/* What the program speaks; of a request, its version: "HTTP/1.1". */
	member(line, "protocol", event->http_protocol ? event->http_protocol : event->protocol);
	member(line, "host", event->host);
	number(line, "port", event->port, event->port != 0);
	member(line, "address", event->address);
	member(line, "ambiguous", event->ambiguous);
	member(line, "error", event->error);
	tls_members(line, event);
	http_members(line, event);
	egret_line_text(line, "}");
	return true;
}
