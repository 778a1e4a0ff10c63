/* The mesh's access log, field by field as Envoy's default format prints them: a line for each request, and for each connection that was
 * refused or failed before there could be one. */
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

/* Where a connection without a request was to lead. */
static const char *destination(const struct egret_event *event, char *buf, size_t size)
{
	if (!event->host || !event->port)
		return event->host;
	snprintf(buf, size, "%s:%d", event->host, event->port);
	return buf;
}

bool egret_log_envoy(struct egret_line *line, const struct egret_event *event)
{
	char method[64], path[2048], protocol[32], flags[64], where[512];
	bool http = event->kind == EGRET_EVENT_HTTP;
	if (!http && !event->flags)
		return false;
	egret_line_text(line, "[");
	egret_line_time(line, event->time_us, 3);
	egret_line_text(line, "] \"");
	egret_line_text(line, field(event->method, method, sizeof method));
	egret_line_text(line, " ");
	egret_line_text(line, field(event->path, path, sizeof path));
	egret_line_text(line, " ");
	egret_line_text(line, field(http ? event->http_protocol : NULL, protocol, sizeof protocol));
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
	quoted(line, http ? event->authority : destination(event, where, sizeof where));
	quoted(line, http ? event->upstream : event->verdict ? NULL : event->address); /* with a verdict: it was not dialled */
	return true;
}
