/* The mesh's access log: http lines only, field by field as Envoy's default format prints them. */
#include "log_line.h"

#include <string.h>

static const char *field(const char *text, char *buf, size_t size)
{
	if (!text || !text[0])
		return "-";
	egret_escape(text, strlen(text), buf, size);
	for (char *p = buf; *p; p++)
		if (*p == '"')
			*p = '\''; /* a quote would end the field */
	return buf;
}

static void quoted(struct egret_line *line, const char *text)
{
	char buf[2048];
	egret_line_text(line, " \"");
	egret_line_text(line, field(text, buf, sizeof buf));
	egret_line_text(line, "\"");
}

static void count(struct egret_line *line, int64_t value)
{
	egret_line_text(line, " ");
	egret_line_number(line, value < 0 ? 0 : value, 1);
}

static void duration(struct egret_line *line, double value)
{
	if (value < 0)
		egret_line_text(line, " -");
	else
		count(line, (int64_t)(value + .5));
}

bool egret_log_envoy(struct egret_line *line, const struct egret_event *event)
{
	char method[64], path[2048], protocol[32], flags[64];
	if (event->kind != EGRET_EVENT_HTTP)
		return false;
	egret_line_text(line, "[");
	egret_line_time(line, event->time_us, 3);
	egret_line_text(line, "] \"");
	egret_line_text(line, field(event->method, method, sizeof method));
	egret_line_text(line, " ");
	egret_line_text(line, field(event->path, path, sizeof path));
	egret_line_text(line, " ");
	egret_line_text(line, field(event->http_protocol, protocol, sizeof protocol));
	egret_line_text(line, "\"");
	count(line, event->status);
	egret_line_text(line, " ");
	egret_line_text(line, field(event->flags, flags, sizeof flags));
	count(line, event->bytes_received);
	count(line, event->bytes_sent);
	duration(line, event->duration_ms);
	duration(line, event->upstream_ms);
	quoted(line, event->forwarded_for);
	quoted(line, event->user_agent);
	quoted(line, event->request_id);
	quoted(line, event->authority);
	quoted(line, event->upstream);
	return true;
}
