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

void egret_line_text(struct egret_line *line, const char *text)
{
	size_t length = strlen(text);
	if (line->used + length + 2 > line->size) {
		line->full = true;
		return;
	}
	memcpy(line->buf + line->used, text, length + 1);
	line->used += length;
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

void egret_line_time(struct egret_line *line, int64_t time_us, int digits)
{
	time_t seconds = (time_t)(time_us / 1000000);
	long fraction = (long)(time_us % 1000000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof tm);
	if (digits == 3)
		fraction /= 1000;
	egret_line_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%0*ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			  tm.tm_sec, digits, fraction);
}

static int64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
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
	buf[0] = '\0';
	if (!formats[format](&line, &timed))
		return 0;
	buf[line.used++] = '\n'; /* egret_line_text always leaves room for it and the NUL */
	buf[line.used] = '\0';
	return line.used;
}

static int append(const char *path, const char *text, size_t length)
{
	long fd = egret_raw_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return (int)fd;
	long n = egret_raw_write((int)fd, text, length);
	egret_raw_close((int)fd);
	return n < 0 ? (int)n : (size_t)n == length ? 0 : -EIO;
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
