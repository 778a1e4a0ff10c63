#include "say.h"

#include "early.h"
#include "policy/raw.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

bool egret_say_can(void)
{
	struct stat st;
	return egret_early.stderr_known && fstat(2, &st) == 0 && st.st_dev == egret_early.stderr_device && st.st_ino == egret_early.stderr_inode;
}

static void write_line(const char *format, va_list list)
{
	char text[2048], line[4096];
	if (!egret_say_can())
		return;
	int n = vsnprintf(text, sizeof text, format, list);
	if (n < 0)
		return;
	egret_escape(text, strlen(text), line, sizeof line - 1);
	size_t length = strlen(line);
	line[length] = '\n';
	(void)egret_raw_write(2, line, length + 1);
}

void egret_say(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	write_line(format, list);
	va_end(list);
}

void egret_say_once(unsigned key, const char *format, ...)
{
	static _Atomic uint64_t said;
	if (atomic_fetch_or(&said, UINT64_C(1) << (key & 63)) & (UINT64_C(1) << (key & 63)))
		return;
	va_list list;
	va_start(list, format);
	write_line(format, list);
	va_end(list);
}

/* A set of hashes that forgets when it is full: a line too many is better than one too few. */
static bool first_time(uint64_t hash)
{
	static _Atomic uint64_t seen[512];
	_Atomic uint64_t *slot = &seen[hash % 512];
	return atomic_exchange(slot, hash) != hash;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return hash;
}

/* A destination in the words of a denial. */
struct shown {
	char target[EGRET_NAME_MAX + 16]; /* host:port, as `egret allow` takes it */
	char where[EGRET_ADDR_TEXT + 4];  /* " (address)" where the target is a name */
	char source[512];                 /* " (entry ...)" where one decided */
};

static void show(struct shown *shown, const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict)
{
	char address[EGRET_ADDR_TEXT];
	bool named = host && host[0];
	bool located = addr && addr->family != EGRET_NO_ADDR;
	memset(shown, 0, sizeof *shown);
	if (named && port)
		snprintf(shown->target, sizeof shown->target, "%s:%u", host, port);
	else if (named)
		snprintf(shown->target, sizeof shown->target, "%s", host);
	else
		snprintf(shown->target, sizeof shown->target, "%s", located ? egret_addr_format(addr, port, address) : "?");
	if (named && located)
		snprintf(shown->where, sizeof shown->where, " (%s)", egret_addr_format(addr, -1, address));
	if (verdict->entry)
		snprintf(shown->source, sizeof shown->source, " (entry [%s], %s:%u)", verdict->entry->name, verdict->entry->file,
			 verdict->entry->line);
}

/* One line a destination, and for a ClientHello a server name. */
static bool told_already(const char *protocol, const struct shown *shown, const char *server_name)
{
	uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), protocol, strlen(protocol) + 1);
	hash = hash_bytes(hash, shown->target, strlen(shown->target) + 1);
	if (server_name)
		hash = hash_bytes(hash, server_name, strlen(server_name));
	return !first_time(hash | 1);
}

void egret_say_denied(const char *protocol, const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict)
{
	struct shown shown;
	show(&shown, host, addr, port, verdict);
	if (told_already(protocol, &shown, NULL))
		return;
	bool nameable = verdict->reason == EGRET_REASON_NO_ENTRY || verdict->reason == EGRET_REASON_PORT;
	bool udp = strcmp(protocol, "udp") == 0;
	egret_say("egret: denied %s %s%s: %s%s%s%s%s%s", protocol, shown.target, shown.where, egret_reason_text(verdict->reason), shown.source,
		  nameable ? "; to allow it: egret allow " : "", nameable && udp ? "udp://" : "", nameable ? shown.target : "",
		  nameable && !port ? ":PORT" : "");
}

void egret_say_hello_denied(const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict,
			    const char *server_name)
{
	struct shown shown;
	char name[EGRET_NAME_MAX], allow[EGRET_NAME_MAX + 64] = "";
	show(&shown, host, addr, port, verdict);
	if (told_already("tls", &shown, server_name ? server_name : ""))
		return;
	if (verdict->reason == EGRET_REASON_SNI && server_name && egret_name_canonical(server_name, strlen(server_name), name, sizeof name))
		snprintf(allow, sizeof allow, "; to allow it: egret allow %s:%u", name, port);
	egret_say("egret: denied tls %s%s: %s%s%s%s%s", shown.target, shown.where, egret_reason_text(verdict->reason), server_name ? ": " : "",
		  server_name ? server_name : "", shown.source, allow);
}

static void say_went_wrong(const struct egret_event *event)
{
	const struct egret_verdict *verdict = event->verdict;
	struct shown shown;
	show(&shown, event->host ? event->host : event->address, NULL, event->host ? (uint16_t)event->port : 0, verdict);
	if (!told_already("http response", &shown, event->error))
		egret_say("egret: http to %s: %s%s", shown.target, event->error, shown.source);
}

void egret_say_request(const struct egret_event *event)
{
	const struct egret_verdict *verdict = event->verdict;
	char kind[128];
	struct shown shown;
	if (verdict->allow) {
		if (event->error)
			say_went_wrong(event);
		return;
	}
	show(&shown, event->host ? event->host : event->address, NULL, event->host ? (uint16_t)event->port : 0, verdict);
	const char *what = event->method ? event->method : event->http_protocol;
	snprintf(kind, sizeof kind, "http%s%.32s", what ? " " : "", what ? what : "");
	if (told_already(kind, &shown, event->reason_text))
		return;
	egret_say("egret: denied %s%s%s to %s: %s%s%s%s", kind, event->path ? " " : "", event->path ? event->path : "", shown.target,
		  event->reason_text, event->rule ? ": " : "", event->rule ? event->rule : "", shown.source);
}
