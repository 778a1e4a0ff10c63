#include "lookup.h"

#include "guard.h"
#include "names.h"
#include "runtime.h"
#include "say.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void log_denied(const struct egret_lookup *lookup, const char *asked, uint16_t port)
{
	struct egret_event event;
	char shown[EGRET_NAME_MAX];
	egret_event_init(&event, EGRET_EVENT_DNS);
	snprintf(shown, sizeof shown, "%s", lookup->name[0] ? lookup->name : asked);
	event.verdict = &lookup->verdict;
	event.protocol = port ? "tcp" : "dns";
	event.host = shown;
	event.port = port;
	egret_runtime_log(lookup->policy, &event);
	egret_say_denied(event.protocol, shown, NULL, port, &lookup->verdict);
}

/* Services ask for "_ldap._tcp.HOST", RFC 2782: the host is what counts. */
static const char *host_of(const char *asked)
{
	for (const char *dot; asked[0] == '_' && (dot = strchr(asked, '.')) != NULL && dot[1];)
		asked = dot + 1;
	return asked;
}

/* No name: an address, perhaps with the interface that it is meant on ("fe80::1%eth0", "ff02::fb%2", RFC 4007). The libc asks nobody of
 * any IPv6 address with a zone, also where it takes none but a number. The kernel's call is judged. */
static bool is_literal(const char *asked)
{
	char text[EGRET_ADDR_TEXT];
	struct egret_addr addr;
	size_t len = strcspn(asked, "%");
	if (!asked[len] || len >= sizeof text)
		return egret_addr_parse(asked, &addr);
	memcpy(text, asked, len);
	text[len] = '\0';
	return strchr(text, ':') && egret_addr_parse(text, &addr);
}

/* Judges ASKED; true: go on. The caller ends with lookup_end. */
bool egret_lookup_begin(struct egret_lookup *lookup, const char *asked, uint16_t port)
{
	memset(lookup, 0, sizeof *lookup);
	if (!asked || is_literal(asked))
		return true;
	egret_guard_enter();
	lookup->policy = egret_runtime_policy();
	if (lookup->policy) {
		egret_name_canonical(asked, strlen(asked), lookup->name, sizeof lookup->name);
		lookup->verdict = egret_decide_name(lookup->policy, host_of(asked), strlen(host_of(asked)), egret_runtime.mode);
		lookup->judged = true;
		if (!lookup->verdict.allow)
			log_denied(lookup, asked, port);
	}
	egret_guard_leave();
	return lookup->verdict.allow;
}

void egret_lookup_end(struct egret_lookup *lookup)
{
	egret_policy_unref(lookup->policy);
	lookup->policy = NULL;
	lookup->verdict.entry = NULL;
}

uint16_t egret_lookup_port(const char *service)
{
	char *end;
	unsigned long port = service && *service ? strtoul(service, &end, 10) : 0;
	return service && *service && *end == '\0' && port <= 65535 ? (uint16_t)port : 0;
}

/* The entry whose `addresses` stand for the name, NULL when the resolver is to be asked. */
const struct egret_entry *egret_lookup_fixed(const struct egret_lookup *lookup, uint16_t port)
{
	if (!lookup->judged)
		return NULL;
	struct egret_request request = { .transport = EGRET_STREAM, .host = lookup->name, .host_len = strlen(lookup->name), .port = port };
	struct egret_verdict verdict = port ? egret_decide(lookup->policy, &request, egret_runtime.mode) : lookup->verdict;
	if (!verdict.entry && lookup->verdict.entry)
		verdict = lookup->verdict;
	return verdict.entry && verdict.entry->endpoint_count ? verdict.entry : NULL;
}

void egret_lookup_remember(const struct egret_lookup *lookup, const struct addrinfo *list)
{
	struct egret_addr addr;
	uint16_t port;
	if (!lookup->judged || !lookup->name[0])
		return;
	egret_guard_enter();
	for (; list; list = list->ai_next)
		if (egret_addr_from_sockaddr(list->ai_addr, list->ai_addrlen, &addr, &port))
			egret_names_remember(&addr, lookup->name);
	egret_guard_leave();
}

void egret_lookup_remember_addr(const struct egret_lookup *lookup, int family, const void *address)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct addrinfo one = { .ai_addr = (struct sockaddr *)&ss, .ai_addrlen = sizeof ss };
	if (family == AF_INET6)
		memcpy(&((struct sockaddr_in6 *)&ss)->sin6_addr, address, 16);
	else
		memcpy(&((struct sockaddr_in *)&ss)->sin_addr, address, 4);
	egret_lookup_remember(lookup, &one);
}

bool egret_lookup_reverse(const struct egret_addr *addr)
{
	struct egret_request request = { .transport = EGRET_STREAM, .addr = *addr };
	char name[EGRET_NAME_MAX];
	egret_guard_enter();
	struct egret_policy *policy = egret_runtime_policy();
	struct egret_verdict verdict = egret_decide(policy, &request, egret_runtime.mode);
	/* No port was asked for: an entry of other ports covers the address all the same. */
	bool covered = verdict.allow || verdict.reason == EGRET_REASON_PORT || verdict.reason == EGRET_REASON_PROTOCOL ||
		       (policy && !egret_policy_defaults(policy)->dns_filter) || egret_names_find(addr, name, NULL, 0);
	egret_policy_unref(policy);
	egret_guard_leave();
	return covered;
}

bool egret_lookup_covers(const char *name)
{
	egret_guard_enter();
	struct egret_policy *policy = egret_runtime_policy();
	const char *host = host_of(name);
	struct egret_verdict verdict = egret_decide_name(policy, host, strlen(host), EGRET_ENFORCE);
	egret_policy_unref(policy);
	egret_guard_leave();
	return verdict.allow && (verdict.reason == EGRET_REASON_ENTRY || verdict.reason == EGRET_REASON_INTERNAL);
}
