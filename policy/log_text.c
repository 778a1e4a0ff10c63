/* One line for people: time, event, verdict, what, why. */
#include "log_line.h"

#include <string.h>

static void word(struct egret_line *line, const char *before, const char *text)
{
	char escaped[2048];
	if (!text)
		return;
	egret_line_text(line, before);
	egret_line_text(line, egret_escape(text, strlen(text), escaped, sizeof escaped));
}

static void destination(struct egret_line *line, const struct egret_event *event)
{
	word(line, " ", event->protocol);
	word(line, " ", event->host);
	if (event->port && event->host)
		egret_line_format(line, ":%d", event->port);
	if (event->address) {
		word(line, event->host ? " (" : " ", event->address);
		egret_line_text(line, event->host ? ")" : "");
	}
}

static void tls_words(struct egret_line *line, const struct egret_event *event)
{
	word(line, " sni=", event->server_name);
	word(line, " ", event->tls_version);
	word(line, " ", event->tls_cipher);
	word(line, " alpn=", event->tls_alpn);
	if (event->tls_resumed == 1)
		egret_line_text(line, " resumed");
	if (event->handshake_ms >= 0)
		egret_line_format(line, " handshake=%.1fms", event->handshake_ms);
	word(line, " peer=", event->tls_peer);
}

static void http_words(struct egret_line *line, const struct egret_event *event)
{
	word(line, " ", event->method);
	word(line, " ", event->path);
	if (event->status)
		egret_line_format(line, " %d", event->status);
	if (event->bytes_received >= 0 || event->bytes_sent >= 0)
		egret_line_format(line, " received=%lld sent=%lld", (long long)event->bytes_received, (long long)event->bytes_sent);
	if (event->duration_ms >= 0)
		egret_line_format(line, " %.1fms", event->duration_ms);
}

bool egret_log_text(struct egret_line *line, const struct egret_event *event)
{
	const struct egret_verdict *verdict = event->verdict;
	egret_line_time(line, event->time_us, 3);
	egret_line_format(line, " %s[%d]", egret_event_name(event->kind), event->pid);
	if (verdict)
		egret_line_text(line, verdict->audited ? " audit" : verdict->allow ? " allow" : " deny");
	destination(line, event);
	http_words(line, event);
	tls_words(line, event);
	word(line, " flags=", event->flags);
	word(line, " entry=", verdict && verdict->entry ? verdict->entry->name : event->entry);
	word(line, ": ", event->error ? event->error : egret_event_reason(event));
	return true;
}
