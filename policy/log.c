#include "log_line.h"

#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_SIZE 16384 /* bytes; longer values are cut so that a line stays one write */

void egret_event_init(struct egret_event *event, enum egret_event_kind kind)
{
	memset(event, 0, sizeof *event);
	event->kind = kind;
	event->tls_resumed = -1;
	event->handshake_ms = -1;
	event->bytes_received = event->bytes_sent = -1;
	event->duration_ms = event->upstream_ms = -1;
}

const char *egret_event_name(enum egret_event_kind kind)
{
	switch (kind) {
	case EGRET_EVENT_CONNECT: return "connect";
	case EGRET_EVENT_DNS: return "dns";
	case EGRET_EVENT_TLS: return "tls";
	case EGRET_EVENT_HTTP: return "http";
	case EGRET_EVENT_CLOSE: return "close";
	case EGRET_EVENT_EXEC: return "exec";
	case EGRET_EVENT_RELOAD: return "reload";
	}
	return "unknown";
}

const char *egret_event_reason(const struct egret_event *event)
{
	if (event->reason_text || event->reason)
		return event->reason_text ? event->reason_text : event->reason;
	return event->verdict ? egret_reason_text(event->verdict->reason) : NULL;
}

void egret_line_format(struct egret_line *line, const char *format, ...)
{
	char text[256];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (n > 0)
		egret_line_text(line, text);
}

void egret_line_number(struct egret_line *line, int64_t value, int digits)
{
	char text[24], *at = text + sizeof text;
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (--digits > 0 || left);
	if (value < 0)
		*--at = '-';
	egret_line_bytes(line, at, (size_t)(text + sizeof text - at));
}

/* VALUE in DIGITS digits, and what stands behind it. Returns where the next one goes. */
static char *part(char *at, int64_t value, int digits, char behind)
{
	for (int i = digits; i-- > 0; value /= 10)
		at[i] = (char)('0' + value % 10);
	at[digits] = behind;
	return at + digits + 1;
}

/* Days since 1970 in the Gregorian calendar; gmtime_r takes a lock, which a copy of the process may find held for ever. Counted from
 * March of year 0, so that the leap day comes last. */
static char *date(char *at, int64_t days)
{
	int64_t since = days + 719468, era = since / 146097, of_era = since % 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), month = (5 * of_year + 2) / 153;
	at = part(at, era * 400 + year_of_era + (month >= 10), 4, '-');
	at = part(at, month < 10 ? month + 3 : month - 9, 2, '-');
	return part(at, of_year - (153 * month + 2) / 5 + 1, 2, 'T');
}

void egret_line_time(struct egret_line *line, int64_t time_us, int digits)
{
	int64_t seconds = time_us / 1000000, fraction = time_us % 1000000;
	char text[32], *at = date(text, seconds / 86400);
	at = part(at, seconds / 3600 % 24, 2, ':');
	at = part(at, seconds / 60 % 60, 2, ':');
	at = part(at, seconds % 60, 2, '.');
	at = part(at, digits == 3 ? fraction / 1000 : fraction, digits, 'Z');
	egret_line_bytes(line, text, (size_t)(at - text));
}

static int64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The mesh's words for a connection that no request came of: no entry leads there, or nobody was reached. */
static const char *flags_of(const struct egret_event *event)
{
	bool connects = event->kind == EGRET_EVENT_CONNECT || event->kind == EGRET_EVENT_TLS;
	if (event->flags || event->kind == EGRET_EVENT_HTTP)
		return event->flags;
	if (event->verdict && !event->verdict->allow)
		return event->verdict->reason == EGRET_REASON_DENY_ENTRY ? NULL : "NR";
	return connects && event->error ? "UF" : NULL;
}

size_t egret_log_format(enum egret_log_format format, const struct egret_event *event, char *buf, size_t size)
{
	static egret_log_formatter *const formats[] = {
		[EGRET_LOG_JSON] = egret_log_json, [EGRET_LOG_TEXT] = egret_log_text, [EGRET_LOG_ENVOY] = egret_log_envoy };
	struct egret_line line = { .buf = buf, .size = size };
	struct egret_event timed = *event;
	if (size < 64)
		return 0;
	if (!timed.time_us)
		timed.time_us = now_us();
	timed.flags = flags_of(event);
	buf[0] = '\0';
	if (!formats[format](&line, &timed))
		return 0;
	buf[line.used++] = '\n'; /* egret_line_text always leaves room for it and the NUL */
	buf[line.used] = '\0';
	return line.used;
}

long egret_log_open(const char *path, int flags)
{
	return egret_raw_open(path, flags | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

int egret_log_append(int fd, const char *line, size_t length)
{
	long n = egret_raw_write(fd, line, length);
	size_t done = n > 0 ? (size_t)n : 0;
	if (n == -EAGAIN || (n >= 0 && done < length)) {
		egret_raw(SYS_fcntl, fd, F_SETFL, O_APPEND, 0);
		n = egret_raw_write(fd, line + done, length - done);
		done += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? (int)n : done == length ? 0 : -EIO;
}

static int append(const char *path, const char *line, size_t length)
{
	long fd = egret_log_open(path, O_CREAT);
	if (fd < 0)
		return (int)fd;
	int result = egret_log_append((int)fd, line, length);
	egret_raw_close((int)fd);
	return result;
}

int egret_log_write(const char *target, enum egret_log_format format, const struct egret_event *event)
{
	char line[LINE_SIZE];
	if (!target)
		return 0;
	size_t length = egret_log_format(format, event, line, sizeof line);
	if (length == 0)
		return 0;
	if (strcmp(target, "stderr") != 0)
		return append(target, line, length);
	long n = egret_raw_write(2, line, length);
	return n < 0 ? (int)n : 0;
}
