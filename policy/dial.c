#include "policy.h"

#include <string.h>

size_t egret_dial(const struct egret_verdict *verdict, const struct egret_request *request, struct egret_endpoint *out, size_t max)
{
	const struct egret_entry *entry = verdict->entry;
	uint16_t port = entry && entry->connect_port ? entry->connect_port : request->port;

	if (!verdict->allow || request->transport == EGRET_LOCAL)
		return 0;
	if (!entry || entry->endpoint_count == 0) {
		if (max > 0)
			out[0] = (struct egret_endpoint){.addr = request->addr, .port = port};
		return 1;
	}
	for (size_t i = 0; i < entry->endpoint_count && i < max; i++) {
		out[i] = entry->endpoints[i];
		if (out[i].port == 0)
			out[i].port = port;
	}
	return entry->endpoint_count;
}

bool egret_entry_covers_name(const struct egret_entry *entry, const char *sni, size_t len)
{
	char name[EGRET_NAME_MAX];
	struct egret_addr literal;
	size_t size;

	if (!sni || entry->protocol == EGRET_UNIX || !egret_name_canonical(sni, len, name, sizeof(name)) || egret_addr_parse_libc(name, &literal))
		return false;
	size = strlen(name);
	for (size_t i = 0; i < entry->host_count; i++) {
		const char *host = entry->hosts[i];
		size_t host_size = strlen(host);

		if (host[0] == '*') {
			/* "*.suffix": what stands before ".suffix" is at least one label. */
			if (size > host_size - 1 && memcmp(name + size - (host_size - 1), host + 1, host_size - 1) == 0)
				return true;
		} else if (size == host_size && memcmp(name, host, size) == 0) {
			return true;
		}
	}
	return false;
}
