/* Look-ups: a name that the policy does not cover does not resolve; what does resolve is remembered with the name asked. */
#include "guard.h"
#include "hooks.h"
#include "names.h"
#include "real.h"
#include "runtime.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

struct lookup {
	struct egret_policy *policy; /* referenced; NULL: out of memory, deny */
	struct egret_verdict verdict;
	char name[EGRET_NAME_MAX]; /* canonical */
	bool judged;               /* false: no host name (an address literal, NULL): not ours */
};

static void log_denied(const struct lookup *lookup, const char *asked, uint16_t port)
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

/* Judges ASKED; true: go on. The caller ends with lookup_end. */
static bool lookup_begin(struct lookup *lookup, const char *asked, uint16_t port)
{
	memset(lookup, 0, sizeof *lookup);
	struct egret_addr literal;
	if (!asked || egret_addr_parse(asked, &literal))
		return true;
	egret_guard_enter();
	lookup->policy = egret_runtime_policy();
	if (lookup->policy) {
		egret_name_canonical(asked, strlen(asked), lookup->name, sizeof lookup->name);
		lookup->verdict = egret_decide_name(lookup->policy, asked, strlen(asked), egret_runtime.mode);
		lookup->judged = true;
		if (!lookup->verdict.allow)
			log_denied(lookup, asked, port);
	}
	egret_guard_leave();
	return lookup->verdict.allow;
}

static void lookup_end(struct lookup *lookup)
{
	egret_policy_unref(lookup->policy);
}

/* The entry whose `addresses` stand for the name, NULL when the resolver is to be asked. */
static const struct egret_entry *fixed_entry(const struct lookup *lookup, uint16_t port)
{
	if (!lookup->judged)
		return NULL;
	struct egret_request request = { .transport = EGRET_STREAM, .host = lookup->name, .host_len = strlen(lookup->name), .port = port };
	struct egret_verdict verdict = port ? egret_decide(lookup->policy, &request, egret_runtime.mode) : lookup->verdict;
	if (!verdict.entry && lookup->verdict.entry)
		verdict = lookup->verdict;
	return verdict.entry && verdict.entry->endpoint_count ? verdict.entry : NULL;
}

static void remember_list(const struct lookup *lookup, const struct addrinfo *list)
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

/* The `addresses` of ENTRY as the libc itself would return them: one numeric look-up each, chained (glibc frees node by node). */
static int answer_fixed(const struct egret_entry *entry, const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	struct addrinfo numeric = { 0 }, *first = NULL, **tail = &first;
	if (hints)
		numeric = *hints;
	bool canonical = numeric.ai_flags & AI_CANONNAME;
	numeric.ai_flags = (numeric.ai_flags & ~(AI_CANONNAME | AI_ADDRCONFIG)) | AI_NUMERICHOST;
	int error = EAI_NONAME;
	for (size_t i = 0; i < entry->endpoint_count; i++) {
		char text[EGRET_ADDR_TEXT];
		int one = real.getaddrinfo(egret_addr_format(&entry->endpoints[i].addr, -1, text), service, &numeric, tail);
		if (one != 0)
			error = error == EAI_NONAME ? one : error;
		while (*tail)
			tail = &(*tail)->ai_next;
	}
	if (!first)
		return error == EAI_ADDRFAMILY ? EAI_NONAME : error;
	if (canonical)
		first->ai_canonname = strdup(node);
	*res = first;
	return 0;
}

static uint16_t port_of(const char *service)
{
	char *end;
	unsigned long port = service && *service ? strtoul(service, &end, 10) : 0;
	return service && *service && *end == '\0' && port <= 65535 ? (uint16_t)port : 0;
}

int egret_on_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	struct lookup lookup;
	if (hints && (hints->ai_flags & AI_NUMERICHOST))
		return real.getaddrinfo(node, service, hints, res);
	bool go_on = lookup_begin(&lookup, node, port_of(service));
	const struct egret_entry *fixed = go_on ? fixed_entry(&lookup, port_of(service)) : NULL;
	int result = !go_on ? EAI_NONAME : fixed ? answer_fixed(fixed, node, service, hints, res) : real.getaddrinfo(node, service, hints, res);
	if (result == 0)
		remember_list(&lookup, *res);
	lookup_end(&lookup);
	return result;
}

static void remember_host(const struct lookup *lookup, const struct hostent *host)
{
	if (!host || !lookup->judged || !lookup->name[0])
		return;
	egret_guard_enter();
	for (char **it = host->h_addr_list; *it; it++) {
		struct sockaddr_storage ss = { .ss_family = (sa_family_t)host->h_addrtype };
		if (host->h_addrtype == AF_INET6)
			memcpy(&((struct sockaddr_in6 *)&ss)->sin6_addr, *it, 16);
		else
			memcpy(&((struct sockaddr_in *)&ss)->sin_addr, *it, 4);
		struct egret_addr addr;
		uint16_t port;
		if (egret_addr_from_sockaddr((struct sockaddr *)&ss, sizeof ss, &addr, &port))
			egret_names_remember(&addr, lookup->name);
	}
	egret_guard_leave();
}

/* What the libc is asked instead of NAME: the first fixed address of FAMILY, or NAME itself. */
static const char *asked_instead(const struct lookup *lookup, const char *name, int family, char text[EGRET_ADDR_TEXT])
{
	const struct egret_entry *fixed = fixed_entry(lookup, 0);
	for (size_t i = 0; fixed && i < fixed->endpoint_count; i++)
		if (fixed->endpoints[i].addr.family == (family == AF_INET6 ? EGRET_IPV6 : EGRET_IPV4))
			return egret_addr_format(&fixed->endpoints[i].addr, -1, text);
	return name;
}

struct hostent *egret_on_gethostbyname2(const char *name, int family)
{
	struct lookup lookup;
	char text[EGRET_ADDR_TEXT];
	struct hostent *host = NULL;
	if (lookup_begin(&lookup, name, 0))
		host = real.gethostbyname2(asked_instead(&lookup, name, family, text), family);
	else
		h_errno = HOST_NOT_FOUND;
	remember_host(&lookup, host);
	lookup_end(&lookup);
	return host;
}

struct hostent *egret_on_gethostbyname(const char *name)
{
	return egret_on_gethostbyname2(name, AF_INET);
}

int egret_on_gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	struct lookup lookup;
	char text[EGRET_ADDR_TEXT];
	int result = 0;
	*res = NULL;
	if (lookup_begin(&lookup, name, 0))
		result = real.gethostbyname2_r(asked_instead(&lookup, name, family, text), family, ret, buf, size, res, h_err);
	else
		*h_err = HOST_NOT_FOUND;
	remember_host(&lookup, *res);
	lookup_end(&lookup);
	return result;
}

int egret_on_gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	return egret_on_gethostbyname2_r(name, AF_INET, ret, buf, size, res, h_err);
}
