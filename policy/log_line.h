/* What the log formats share: a bounded line under construction. A line that grows over its buffer is cut, never overrun. */
#ifndef EGRET_LOG_LINE_H
#define EGRET_LOG_LINE_H

#include "log.h"

#include <string.h>

struct egret_line {
	char *buf;
	size_t size; /* bytes of BUF, the final newline and NUL included */
	size_t used;
	bool full;   /* something did not fit and was left out whole */
};

/* Here, so that a text of known length is copied without a call. */
static inline void egret_line_bytes(struct egret_line *line, const char *text, size_t length)
{
	if (line->used + length + 2 > line->size) {
		line->full = true;
		return;
	}
	memcpy(line->buf + line->used, text, length);
	line->used += length;
	line->buf[line->used] = '\0';
}
static inline void egret_line_text(struct egret_line *line, const char *text) { egret_line_bytes(line, text, strlen(text)); }
void egret_line_format(struct egret_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* With zeros in front, at least DIGITS long (18 at most). */
void egret_line_number(struct egret_line *line, int64_t value, int digits);
/* RFC 3339 in UTC: microseconds for DIGITS = 6, milliseconds for 3. */
void egret_line_time(struct egret_line *line, int64_t time_us, int digits);

const char *egret_event_name(enum egret_event_kind kind);
/* The reason of an event as a sentence, NULL when it has none. */
const char *egret_event_reason(const struct egret_event *event);

/* One row a format: writes EVENT without the newline; false when this format does not print the kind. */
typedef bool egret_log_formatter(struct egret_line *line, const struct egret_event *event);
egret_log_formatter egret_log_json, egret_log_text, egret_log_envoy;

#endif
