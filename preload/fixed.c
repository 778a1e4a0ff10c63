#include "fixed.h"

#include "real.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One numeric look-up for each address, chained: glibc frees node by node. */
static int look_up_each(const struct egret_entry *entry, const char *service, const struct addrinfo *hints, struct addrinfo **first)
{
	int error = EAI_NONAME;
	struct addrinfo **tail = first;
	for (size_t i = 0; i < entry->endpoint_count; i++) {
		char text[EGRET_ADDR_TEXT];
		int one = real.getaddrinfo(egret_addr_format(&entry->endpoints[i].addr, -1, text), service, hints, tail);
		if (one != 0)
			error = error == EAI_NONAME ? one : error;
		while (*tail)
			tail = &(*tail)->ai_next;
	}
	return *first ? 0 : error;
}

int egret_fixed_addrinfo(const struct egret_entry *entry, const char *node, const char *service, const struct addrinfo *hints,
			 struct addrinfo **res)
{
	struct addrinfo numeric = { 0 }, *first = NULL;
	if (hints)
		numeric = *hints;
	int asked = numeric.ai_flags;
	numeric.ai_flags = (asked & ~(AI_CANONNAME | AI_ADDRCONFIG)) | AI_NUMERICHOST;
	/* Mapped addresses are for want of others, unless AI_ALL asks for both. */
	if (!(asked & AI_ALL))
		numeric.ai_flags &= ~AI_V4MAPPED;
	int error = look_up_each(entry, service, &numeric, &first);
	if (error && numeric.ai_family == AF_INET6 && asked & AI_V4MAPPED && !(asked & AI_ALL)) {
		numeric.ai_flags |= AI_V4MAPPED;
		error = look_up_each(entry, service, &numeric, &first);
	}
	if (error)
		return error == EAI_ADDRFAMILY ? EAI_NONAME : error;
	if (asked & AI_CANONNAME)
		first->ai_canonname = strdup(node);
	*res = first;
	return 0;
}

static bool is_of(const struct egret_endpoint *endpoint, int family)
{
	return endpoint->addr.family == (family == AF_INET6 ? EGRET_IPV6 : EGRET_IPV4);
}

int egret_fixed_hostent(const struct egret_entry *entry, const char *name, int family, struct hostent *ret, char *buf, size_t size,
			struct hostent **res, int *h_err)
{
	size_t count = 0, length = family == AF_INET6 ? 16 : 4, skip = -(uintptr_t)buf % alignof(char *);
	for (size_t i = 0; i < entry->endpoint_count; i++)
		count += is_of(&entry->endpoints[i], family);
	*res = NULL;
	*h_err = NO_DATA;
	if (count == 0)
		return 0;
	/* The list of addresses, the empty list of aliases behind it, the addresses, the name. */
	if (skip + (count + 2) * sizeof(char *) + count * length + strlen(name) + 1 > size) {
		*h_err = NETDB_INTERNAL;
		return ERANGE;
	}
	char **list = (char **)(void *)(buf + skip), *at = (char *)(list + count + 2);
	*ret = (struct hostent){ .h_aliases = list + count + 1, .h_addrtype = family, .h_length = (int)length, .h_addr_list = list };
	for (size_t i = 0; i < entry->endpoint_count; i++) {
		if (!is_of(&entry->endpoints[i], family))
			continue;
		memcpy(at, entry->endpoints[i].addr.bytes, length);
		*list++ = at;
		at += length;
	}
	list[0] = list[1] = NULL;
	ret->h_name = memcpy(at, name, strlen(name) + 1);
	*h_err = NETDB_SUCCESS;
	*res = ret;
	return 0;
}
