/* Look-ups: a name that the policy does not cover does not resolve; what does resolve is remembered with the name asked. */
#include "hooks.h"
#include "lookup.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>

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
	struct egret_lookup lookup;
	if (hints && (hints->ai_flags & AI_NUMERICHOST))
		return real.getaddrinfo(node, service, hints, res);
	bool go_on = egret_lookup_begin(&lookup, node, port_of(service));
	const struct egret_entry *fixed = go_on ? egret_lookup_fixed(&lookup, port_of(service)) : NULL;
	int result = !go_on ? EAI_NONAME : fixed ? answer_fixed(fixed, node, service, hints, res) : real.getaddrinfo(node, service, hints, res);
	if (result == 0)
		egret_lookup_remember(&lookup, *res);
	egret_lookup_end(&lookup);
	return result;
}

static void remember_host(const struct egret_lookup *lookup, const struct hostent *host)
{
	for (char **it = host ? host->h_addr_list : NULL; it && *it; it++)
		egret_lookup_remember_addr(lookup, host->h_addrtype, *it);
}

/* What the libc is asked instead of NAME: the first fixed address of FAMILY, or NAME itself. */
static const char *asked_instead(const struct egret_lookup *lookup, const char *name, int family, char text[EGRET_ADDR_TEXT])
{
	const struct egret_entry *fixed = egret_lookup_fixed(lookup, 0);
	for (size_t i = 0; fixed && i < fixed->endpoint_count; i++)
		if (fixed->endpoints[i].addr.family == (family == AF_INET6 ? EGRET_IPV6 : EGRET_IPV4))
			return egret_addr_format(&fixed->endpoints[i].addr, -1, text);
	return name;
}

struct hostent *egret_on_gethostbyname2(const char *name, int family)
{
	struct egret_lookup lookup;
	char text[EGRET_ADDR_TEXT];
	struct hostent *host = NULL;
	if (egret_lookup_begin(&lookup, name, 0))
		host = real.gethostbyname2(asked_instead(&lookup, name, family, text), family);
	else
		h_errno = HOST_NOT_FOUND;
	remember_host(&lookup, host);
	egret_lookup_end(&lookup);
	return host;
}

struct hostent *egret_on_gethostbyname(const char *name)
{
	return egret_on_gethostbyname2(name, AF_INET);
}

int egret_on_gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	struct egret_lookup lookup;
	char text[EGRET_ADDR_TEXT];
	int result = 0;
	*res = NULL;
	if (egret_lookup_begin(&lookup, name, 0))
		result = real.gethostbyname2_r(asked_instead(&lookup, name, family, text), family, ret, buf, size, res, h_err);
	else
		*h_err = HOST_NOT_FOUND;
	remember_host(&lookup, *res);
	egret_lookup_end(&lookup);
	return result;
}

int egret_on_gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	return egret_on_gethostbyname2_r(name, AF_INET, ret, buf, size, res, h_err);
}
