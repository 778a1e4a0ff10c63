#include "build.h"

#include <stdlib.h>
#include <string.h>

/* One port range of one allow entry of a host. */
struct claim {
	uint32_t entry;
	uint16_t first, last;
	enum egret_transport transport;
};

static int by_transport_and_port(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (a->transport != b->transport)
		return a->transport < b->transport ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static bool same_rules(const struct egret_http_rule *a, size_t a_count, const struct egret_http_rule *b, size_t b_count)
{
	/* Their strings are stored once. */
	return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

static bool same_endpoints(const struct egret_entry *a, const struct egret_entry *b)
{
	if (a->endpoint_count != b->endpoint_count)
		return false;
	for (size_t i = 0; i < a->endpoint_count; i++)
		if (!egret_addr_equal(&a->endpoints[i].addr, &b->endpoints[i].addr) || a->endpoints[i].port != b->endpoints[i].port)
			return false;
	return true;
}

static bool same_treatment(const struct egret_entry *a, const struct egret_entry *b)
{
	return a->protocol == b->protocol && a->mode == b->mode && a->tls == b->tls && a->connect_port == b->connect_port &&
	       a->settings == b->settings && same_endpoints(a, b) &&
	       same_rules(a->http_allow, a->http_allow_count, b->http_allow, b->http_allow_count) &&
	       same_rules(a->http_deny, a->http_deny_count, b->http_deny, b->http_deny_count);
}

static void add_claims(struct egret_build *build, struct egret_vector *claims, uint32_t ref)
{
	const struct egret_entry *entry;

	if (ref & EGRET_REF_ENDPOINT) /* and the internal list: neither competes */
		return;
	entry = &build->policy->entries[ref];
	if (entry->action == EGRET_DENY)
		return;
	for (size_t i = 0; i < entry->port_count; i++) {
		struct claim claim = {.entry = ref, .first = entry->ports[i].first, .last = entry->ports[i].last,
				      .transport = entry->protocol == EGRET_UDP ? EGRET_DATAGRAM : EGRET_STREAM};

		egret_push(build, claims, &claim, sizeof(claim));
	}
}

static void complain(struct egret_build *build, const struct egret_entry *first, const struct egret_entry *second, uint16_t port)
{
	const struct egret_entry *earlier = first < second ? first : second, *later = first < second ? second : first;

	egret_err_add(build->err, later->file, later->line,
		      "[%s] and [%s] (%s:%u) cover the same host and port %u with different settings; give them the same settings, or different ports",
		      later->name, earlier->name, earlier->file, earlier->line, port);
}

/* Claims sorted by port: each is compared with the one before it that reaches furthest. Equality being transitive, that finds a
 * conflict wherever there is one. */
static void check_host(struct egret_build *build, struct egret_vector *claims)
{
	const struct egret_entry *entries = build->policy->entries;
	const struct claim *list = claims->items, *reach = list;

	qsort(claims->items, claims->count, sizeof(struct claim), by_transport_and_port);
	for (size_t i = 1; i < claims->count; i++) {
		const struct claim *claim = &list[i];

		if (claim->transport == reach->transport && claim->first <= reach->last && claim->entry != reach->entry &&
		    !same_treatment(&entries[claim->entry], &entries[reach->entry])) {
			complain(build, &entries[reach->entry], &entries[claim->entry], claim->first);
			return;
		}
		if (claim->transport != reach->transport || claim->last > reach->last)
			reach = claim;
	}
}

static void check_table(struct egret_build *build, const struct egret_hosts *hosts, struct egret_vector *claims)
{
	const struct egret_index *index = &build->policy->index;

	for (size_t i = 0; i < hosts->count; i++) {
		const struct egret_host_node *node = &hosts->nodes[i];

		if (!node->next)
			continue;
		claims->count = 0;
		add_claims(build, claims, node->ref);
		for (uint32_t next = node->next; next; next = index->links[next - 1].next)
			add_claims(build, claims, index->links[next - 1].ref);
		if (claims->count > 1)
			check_host(build, claims);
	}
}

void egret_check_conflicts(struct egret_build *build)
{
	struct egret_vector claims = {0};

	check_table(build, &build->policy->index.names, &claims);
	check_table(build, &build->policy->index.nets, &claims);
	free(claims.items);
}
