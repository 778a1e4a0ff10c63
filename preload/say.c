#include "say.h"

#include "early.h"
#include "policy/denial.h"
#include "policy/raw.h"
#include "scratch.h"

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
	struct room {
		char text[2048], line[4096];
	} *room = egret_say_can() ? egret_scratch_take() : NULL;
	if (!room)
		return;
	if (vsnprintf(room->text, sizeof room->text, format, list) >= 0) {
		egret_escape(room->text, strlen(room->text), room->line, sizeof room->line - 1);
		size_t length = strlen(room->line);
		room->line[length] = '\n';
		(void)egret_raw_write(2, room->line, length + 1);
	}
	egret_scratch_give(room);
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

/* One line a destination and reason. */
static void say_denial(const struct egret_denial *denial)
{
	static struct egret_told told;
	char *line = egret_denial_is_new(&told, 0, denial) ? egret_scratch_take() : NULL;
	if (!line)
		return;
	egret_denial_line(denial, line, EGRET_DENIAL_LINE);
	egret_say("egret: %s", line);
	egret_scratch_give(line);
}

void egret_say_denied(const char *protocol, const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict)
{
	struct egret_denial denial = { .what = protocol, .host = host, .addr = addr, .port = port };
	egret_denial_judged(&denial, verdict);
	say_denial(&denial);
}

void egret_say_hello_denied(const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict,
			    const char *server_name)
{
	struct egret_denial denial = { .what = "tls", .host = host, .addr = addr, .port = port };
	char name[EGRET_NAME_MAX];
	egret_denial_hello(&denial, verdict, server_name, name);
	say_denial(&denial);
}

void egret_say_request(const struct egret_event *event)
{
	struct egret_denial denial;
	char kind[EGRET_DENIAL_KIND];
	if (event->verdict->allow && !event->error)
		return;
	egret_denial_request(&denial, event, kind);
	say_denial(&denial);
}
