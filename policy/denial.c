#include "denial.h"

#include <stdio.h>
#include <string.h>

#define TARGET_BYTES (EGRET_NAME_MAX + 64u)

static bool is_named(const struct egret_denial *denial) { return denial->host && denial->host[0]; }
static bool is_located(const struct egret_denial *denial) { return denial->addr && denial->addr->family != EGRET_NO_ADDR; }

/* HOST:PORT, ADDRESS:PORT, or without the port where none is known. */
static void target_of(const struct egret_denial *denial, char target[TARGET_BYTES])
{
	char address[EGRET_ADDR_TEXT];

	if (is_named(denial) && denial->port)
		snprintf(target, TARGET_BYTES, "%s:%u", denial->host, denial->port);
	else if (is_named(denial))
		snprintf(target, TARGET_BYTES, "%s", denial->host);
	else if (is_located(denial))
		snprintf(target, TARGET_BYTES, "%s", egret_addr_format(denial->addr, denial->port ? denial->port : -1, address));
	else
		snprintf(target, TARGET_BYTES, "?");
}

void egret_denial_judged(struct egret_denial *denial, const struct egret_verdict *verdict)
{
	denial->why = egret_reason_text(verdict->reason);
	denial->entry = verdict->entry;
	denial->nameable = verdict->reason == EGRET_REASON_NO_ENTRY || verdict->reason == EGRET_REASON_PORT;
}

void egret_denial_hello(struct egret_denial *denial, const struct egret_verdict *verdict, const char *server_name, char name[EGRET_NAME_MAX])
{
	egret_denial_judged(denial, verdict);
	denial->detail = server_name;
	denial->nameable = verdict->reason == EGRET_REASON_SNI && server_name &&
			   egret_name_canonical(server_name, strlen(server_name), name, EGRET_NAME_MAX);
	denial->allow = denial->nameable ? name : NULL;
}

void egret_denial_request(struct egret_denial *denial, const struct egret_event *event, char kind[EGRET_DENIAL_KIND])
{
	const char *method = event->method ? event->method : event->http_protocol;

	*denial = (struct egret_denial){ .what = kind, .path = event->path ? event->path : "", .host = event->host ? event->host : event->address,
					 .port = event->host ? (uint16_t)event->port : 0, .why = event->reason_text, .detail = event->rule,
					 .entry = event->verdict->entry };
	snprintf(kind, EGRET_DENIAL_KIND, "http%s%.32s", method ? " " : "", method ? method : "");
	if (event->verdict->allow) {
		denial->passed = true;
		denial->what = "http";
		denial->path = "";
		denial->why = event->error;
		denial->detail = NULL;
	}
}

/* What `egret allow` takes; empty: there is no such thing, an address without a port. */
static void grant_of(const struct egret_denial *denial, const char *target, char *grant, size_t size)
{
	bool local = strcmp(denial->what, "unix") == 0;
	const char *scheme = local ? "unix://" : strcmp(denial->what, "udp") == 0 ? "udp://" : "";

	grant[0] = '\0';
	if (!denial->nameable || (!denial->port && !local && !is_named(denial)))
		return;
	if (denial->allow)
		snprintf(grant, size, "%s%s:%u", scheme, denial->allow, denial->port);
	else
		snprintf(grant, size, "%s%s%s", scheme, target, denial->port || local ? "" : ":PORT");
}

void egret_denial_line(const struct egret_denial *denial, char *line, size_t size)
{
	const struct egret_entry *entry = denial->entry;
	const char *path = denial->path ? denial->path : "";
	char target[TARGET_BYTES], where[EGRET_ADDR_TEXT + 4] = "", grant[TARGET_BYTES + 16], address[EGRET_ADDR_TEXT], source[512] = "";

	target_of(denial, target);
	grant_of(denial, target, grant, sizeof grant);
	if (is_named(denial) && is_located(denial))
		snprintf(where, sizeof where, " (%s)", egret_addr_format(denial->addr, -1, address));
	if (entry)
		snprintf(source, sizeof source, " (entry [%s], %s:%u)", entry->name, entry->file, entry->line);
	snprintf(line, size, "%s%s%s%s%s%s%s: %s%s%s%s%s%s", denial->passed ? "" : "denied ", denial->what, path[0] ? " " : "", path,
		 denial->path ? " to " : " ", target, where, denial->why, denial->detail ? ": " : "", denial->detail ? denial->detail : "",
		 source, grant[0] ? "; to allow it: egret allow " : "", grant);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211); /* FNV-1a */
	return (hash ^ 0xff) * UINT64_C(1099511628211);
}

bool egret_denial_is_new(struct egret_told *told, int process, const struct egret_denial *denial)
{
	char target[TARGET_BYTES];
	uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)(unsigned)process;

	target_of(denial, target);
	hash = hash_text(hash_text(hash, denial->what), target);
	hash = hash_text(hash_text(hash, denial->why), denial->detail ? denial->detail : "") | 1;
	return atomic_exchange(&told->seen[hash % 512], hash) != hash;
}
