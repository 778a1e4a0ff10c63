#include "compiled.h"

#include "draft.h"

#include <stdlib.h>
#include <string.h>

/* Puts in the host that waits. */
static bool settle(struct egret_index *index)
{
	struct egret_waiting host = index->waiting;
	struct egret_host_node *node;
	uint32_t *last;
	bool is_new;

	index->waiting.hosts = NULL;
	if (!host.hosts)
		return true;
	node = egret_hosts_add(host.hosts, host.key, host.len, host.hash, &is_new);
	if (!node)
		return false;
	if (is_new)
		node->ref = host.ref;
	if (node->ref == host.ref)
		return true;
	if (!egret_grow(&index->links, &index->link_room, index->link_count, sizeof(*index->links)))
		return false;
	for (last = &node->next; *last; last = &index->links[*last - 1].next)
		if (index->links[*last - 1].ref == host.ref)
			return true;
	index->links[index->link_count] = (struct egret_link){.ref = host.ref};
	*last = (uint32_t)++index->link_count;
	return true;
}

/* Adds REF under a key. A large table's slot is far away: it is fetched while the next host is parsed, and filled when that one comes. */
static bool add(struct egret_index *index, struct egret_hosts *hosts, const void *key, size_t len, uint32_t ref)
{
	bool good = settle(index);

	index->waiting = (struct egret_waiting){.hosts = hosts, .key = key, .len = len, .hash = egret_hosts_hash(key, len), .ref = ref};
	egret_hosts_fetch(hosts, index->waiting.hash);
	return good;
}

bool egret_index_add_path(struct egret_policy *policy, const char *path, uint32_t ref)
{
	return add(&policy->index, &policy->index.names, path, strlen(path), ref);
}

static unsigned count_labels(const char *name)
{
	unsigned labels = 1;

	for (; *name; name++)
		labels += *name == '.';
	return labels < 63 ? labels : 63;
}

bool egret_index_add_name(struct egret_policy *policy, const char *name, bool suffix, uint32_t ref)
{
	if (suffix) {
		name++; /* the star: the key is ".suffix", which no host name is */
		policy->index.suffix_labels |= (uint64_t)1 << count_labels(name + 1);
	}
	/* Entries keep their text; what is internal exists here only. */
	if (ref == EGRET_REF_INTERNAL)
		name = egret_arena_text(&policy->arena, name, strlen(name));
	return name && add(&policy->index, &policy->index.names, name, strlen(name), ref);
}

static struct egret_net_key net_key(const struct egret_addr *addr, unsigned bits)
{
	struct egret_addr net = *addr;
	struct egret_net_key key = {.family = addr->family, .bits = (uint8_t)bits};

	egret_addr_mask(&net, bits);
	memcpy(key.bytes, net.bytes, sizeof(key.bytes));
	return key;
}

bool egret_index_add_net(struct egret_policy *policy, const struct egret_addr *net, unsigned bits, uint32_t ref)
{
	struct egret_net_key key = net_key(net, bits);
	const struct egret_net_key *stored = egret_arena_copy(&policy->arena, &key, 1, sizeof(key));

	policy->index.lengths[net->family == EGRET_IPV6][bits / 64] |= (uint64_t)1 << (bits % 64);
	return stored && add(&policy->index, &policy->index.nets, stored, sizeof(*stored), ref);
}

bool egret_index_close(struct egret_index *index)
{
	bool good = settle(index);

	egret_hosts_fit(&index->names);
	egret_hosts_fit(&index->nets);
	return good;
}

void egret_index_free(struct egret_index *index)
{
	egret_hosts_free(&index->names);
	egret_hosts_free(&index->nets);
	free(index->links);
}

static void visit_node(const struct egret_index *index, const struct egret_host_node *node, enum egret_match match, egret_visit visit,
		       void *ctx)
{
	if (!node)
		return;
	visit(ctx, node->ref, match);
	for (uint32_t next = node->next; next; next = index->links[next - 1].next)
		visit(ctx, index->links[next - 1].ref, match);
}

void egret_index_path(const struct egret_policy *policy, const char *path, egret_visit visit, void *ctx)
{
	visit_node(&policy->index, egret_hosts_find(&policy->index.names, path, strlen(path)), EGRET_MATCH_EXACT, visit, ctx);
}

void egret_index_name(const struct egret_policy *policy, const char *name, egret_visit visit, void *ctx)
{
	size_t len = strlen(name);
	unsigned labels = count_labels(name);
	const char *end = name + len, *dot = name;

	visit_node(&policy->index, egret_hosts_find(&policy->index.names, name, len), EGRET_MATCH_EXACT, visit, ctx);
	while (policy->index.suffix_labels && (dot = memchr(dot, '.', (size_t)(end - dot))) != NULL) {
		/* Names of over 63 labels are looked up whatever the bits say. */
		bool exists = labels >= 63 || (policy->index.suffix_labels >> --labels & 1);

		if (exists)
			visit_node(&policy->index, egret_hosts_find(&policy->index.names, dot, (size_t)(end - dot)), EGRET_MATCH_SUFFIX, visit, ctx);
		dot++;
	}
}

void egret_index_addr(const struct egret_policy *policy, const struct egret_addr *addr, egret_visit visit, void *ctx)
{
	const uint64_t *lengths = policy->index.lengths[addr->family == EGRET_IPV6];

	for (int word = 2; word >= 0; word--) {
		for (uint64_t left = lengths[word]; left;) {
			unsigned bit = 63 - (unsigned)__builtin_clzll(left);
			struct egret_net_key key = net_key(addr, (unsigned)word * 64 + bit);

			left &= ~((uint64_t)1 << bit);
			visit_node(&policy->index, egret_hosts_find(&policy->index.nets, &key, sizeof(key)), EGRET_MATCH_NET, visit, ctx);
		}
	}
}

bool egret_entry_has_port(const struct egret_entry *entry, uint16_t port)
{
	for (size_t i = 0; i < entry->port_count; i++)
		if (port >= entry->ports[i].first && port <= entry->ports[i].last)
			return true;
	return false;
}

bool egret_entry_has_transport(const struct egret_entry *entry, enum egret_transport transport)
{
	switch (entry->protocol) {
	case EGRET_TCP:
	case EGRET_TLS:
	case EGRET_HTTP:
		return transport == EGRET_STREAM || (entry->any_transport && transport == EGRET_DATAGRAM);
	case EGRET_UDP:
		return transport == EGRET_DATAGRAM;
	case EGRET_UNIX:
		return transport == EGRET_LOCAL;
	}
	return false;
}
