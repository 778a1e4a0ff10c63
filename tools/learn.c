#include "tools/learn.h"

#include "policy/draft.h"
#include "policy/edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of member NAME of a log line, as it stands there, into OUT ("" when absent, too long or escaped: such a text is no host).
 * The log escapes quotes inside strings, so that the words looked for are members. */
static void member(const char *line, const char *name, char *out, size_t size)
{
	char word[40];
	const char *at, *end;

	out[0] = '\0';
	snprintf(word, sizeof(word), "\"%s\":", name);
	at = strstr(line, word);
	if (!at)
		return;
	at += strlen(word);
	end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, ",}");
	if (!end || (size_t)(end - at) >= size || memchr(at, '\\', (size_t)(end - at)))
		return;
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
}

static int by_host(const void *left, const void *right)
{
	const struct egret_learnt *a = left, *b = right;
	int order = a->by_address - b->by_address;

	if (!order)
		order = strcmp(a->host, b->host);
	if (!order)
		order = a->udp - b->udp;
	return order ? order : (int)a->port - (int)b->port;
}

static bool is_known(const struct egret_lesson *lesson, const struct egret_learnt *item)
{
	for (size_t i = 0; i < lesson->count; i++)
		if (!by_host(&lesson->items[i], item))
			return true;
	return false;
}

/* The address of "ip:port" or "[ip]:port" without its port. */
static bool host_of_address(const char *text, char *out, size_t size)
{
	struct egret_addr addr;
	char shown[EGRET_ADDR_TEXT], only[EGRET_ADDR_TEXT];
	const char *colon = strrchr(text, ':');

	if (!colon || (size_t)(colon - text) >= sizeof(only))
		return false;
	snprintf(only, sizeof(only), "%.*s", (int)(colon - text), text);
	if (!egret_addr_parse(only, &addr))
		return false;
	addr.scope_id = 0;
	snprintf(out, size, "%s", egret_addr_format(&addr, -1, shown));
	return true;
}

/* What an allow entry would not change. */
static bool is_beyond(struct egret_lesson *lesson, const char *line, const struct egret_learnt *item)
{
	char entry[64], reason[256];

	member(line, "entry", entry, sizeof(entry));
	member(line, "reason", reason, sizeof(reason));
	if (!entry[0])
		return false;
	/* An entry that decided, and not for it: a deny entry, or a name that was led astray. */
	egret_err_add(&lesson->beyond, NULL, 0, "%s:%u was not added: entry [%s] stands against it: %s", item->host, item->port, entry, reason);
	return true;
}

static bool take_connect(struct egret_lesson *lesson, const char *line)
{
	struct egret_learnt item = { .port = 0 };
	char protocol[16], port[16], address[EGRET_ADDR_TEXT + 16];

	member(line, "protocol", protocol, sizeof(protocol));
	member(line, "host", item.host, sizeof(item.host));
	member(line, "port", port, sizeof(port));
	member(line, "address", address, sizeof(address));
	item.udp = !strcmp(protocol, "udp");
	item.port = (uint16_t)strtoul(port, NULL, 10);
	if (!item.port || item.host[0] == '/' || item.host[0] == '@')
		return true;
	if (!item.host[0]) {
		item.by_address = true;
		if (!host_of_address(address, item.host, sizeof(item.host)))
			return true;
	}
	if (is_known(lesson, &item) || is_beyond(lesson, line, &item))
		return true;
	if (!egret_grow(&lesson->items, &lesson->room, lesson->count, sizeof(item)))
		return false;
	lesson->items[lesson->count++] = item;
	return true;
}

static bool take_line(struct egret_lesson *lesson, const char *line)
{
	char event[16], path[512], why[512];

	member(line, "event", event, sizeof(event));
	if (!strcmp(event, "exec")) {
		member(line, "path", path, sizeof(path));
		member(line, "error", why, sizeof(why));
		egret_err_add(&lesson->beyond, NULL, 0, "%s %s: what it called is not known; --sandbox=require sees it", path, why);
	}
	return strcmp(event, "connect") != 0 || !strstr(line, "\"audited\":true") || take_connect(lesson, line);
}

bool egret_lesson_read(struct egret_lesson *lesson, const char *events)
{
	FILE *from = fopen(events, "re");
	char *line = NULL;
	size_t size = 0;
	bool good = true;

	if (!from) {
		egret_err_add(&lesson->beyond, events, 0, "cannot be read: %s", strerror(errno));
		return false;
	}
	while (good && getline(&line, &size, from) > 0)
		good = take_line(lesson, line);
	free(line);
	fclose(from);
	if (lesson->count)
		qsort(lesson->items, lesson->count, sizeof(*lesson->items), by_host);
	return good;
}

/* Where the section [NAME] begins; NULL. */
static const char *find_title(const char *text, const char *name)
{
	char title[EGRET_NAME_MAX + 4];
	const char *at = text;

	snprintf(title, sizeof(title), "[%s]\n", name);
	while ((at = strstr(at, title)) && at > text && at[-1] != '\n')
		at++;
	return at;
}

/* Puts a comment above the entry of an address. Takes over TEXT. */
static char *explain_address(char *text, const char *host)
{
	static const char comment[] = "; an address that no look-up gave a name to\n";
	const char *at = find_title(text, host);
	char *result = NULL;

	if (!at || asprintf(&result, "%.*s%s%s", (int)(at - text), text, comment, at) < 0)
		return text;
	free(text);
	return result;
}

char *egret_lesson_apply(const struct egret_lesson *lesson, const char *file, const char *text, struct egret_err *err)
{
	char *now = strdup(text);

	for (size_t i = 0; now && i < lesson->count; i++) {
		const struct egret_learnt *item = &lesson->items[i];
		struct egret_grant grant = { .host = item->host, .port = item->port, .protocol = item->udp ? "udp" : NULL };
		bool is_new = item->by_address && !find_title(now, item->host);
		char *next = egret_edit_allow(file, now, strlen(now), &grant, err);
		free(now);
		now = next && is_new ? explain_address(next, item->host) : next;
	}
	if (!now && !egret_err_any(err))
		egret_err_add(err, file, 0, "out of memory");
	return now;
}

void egret_lesson_free(struct egret_lesson *lesson)
{
	free(lesson->items);
	egret_err_free(&lesson->beyond);
	*lesson = (struct egret_lesson){ 0 };
}
