#include "hosts.h"

#include "draft.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16
#define MIX UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio */

uint32_t egret_hosts_hash(const void *key, size_t len)
{
	const unsigned char *at = key;
	uint64_t state = len * MIX, word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		state = (state ^ word) * MIX;
		state ^= state >> 32;
	}
	word = 0;
	memcpy(&word, at, len);
	state = (state ^ word) * MIX;
	return (uint32_t)(state >> 32);
}

/* The slot that has the key, or the free one where it belongs. */
static uint32_t *slot_of(const struct egret_hosts *hosts, const void *key, size_t len, uint32_t hash)
{
	size_t mask = hosts->slot_count - 1, at = hash & mask;

	for (; hosts->slots[at]; at = (at + 1) & mask) {
		const struct egret_host_node *node = &hosts->nodes[hosts->slots[at] - 1];

		if (node->hash == hash && node->len == len && memcmp(node->key, key, len) == 0)
			break;
	}
	return &hosts->slots[at];
}

struct egret_host_node *egret_hosts_find(const struct egret_hosts *hosts, const void *key, size_t len)
{
	uint32_t number = hosts->slot_count ? *slot_of(hosts, key, len, egret_hosts_hash(key, len)) : 0;

	return number ? &hosts->nodes[number - 1] : NULL;
}

static bool widen(struct egret_hosts *hosts, size_t wanted)
{
	uint32_t *slots = calloc(wanted, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < hosts->count; i++) {
		size_t at = hosts->nodes[i].hash & (wanted - 1);

		while (slots[at])
			at = (at + 1) & (wanted - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(hosts->slots);
	hosts->slots = slots;
	hosts->slot_count = wanted;
	return true;
}

/* Is there a free slot for one more than COUNT hosts among SLOTS, and one of four besides? */
static bool is_wide_enough(size_t slots, size_t count)
{
	return count < slots / 4 * 3;
}

void egret_hosts_reserve(struct egret_hosts *hosts, size_t count)
{
	size_t wanted = FIRST_SLOTS;

	while (!is_wide_enough(wanted, count))
		wanted *= 2;
	if (wanted > hosts->slot_count)
		widen(hosts, wanted);
	egret_reserve(&hosts->nodes, &hosts->room, count, sizeof(*hosts->nodes));
}

void egret_hosts_fetch(const struct egret_hosts *hosts, uint32_t hash)
{
	if (hosts->slot_count)
		__builtin_prefetch(&hosts->slots[hash & (hosts->slot_count - 1)], 1);
}

struct egret_host_node *egret_hosts_add(struct egret_hosts *hosts, const void *key, size_t len, uint32_t hash, bool *is_new)
{
	uint32_t *slot;

	*is_new = false;
	if (!is_wide_enough(hosts->slot_count, hosts->count) && !widen(hosts, hosts->slot_count ? hosts->slot_count * 2 : FIRST_SLOTS))
		return NULL;
	slot = slot_of(hosts, key, len, hash);
	if (*slot)
		return &hosts->nodes[*slot - 1];
	if (!egret_grow(&hosts->nodes, &hosts->room, hosts->count, sizeof(*hosts->nodes)))
		return NULL;
	hosts->nodes[hosts->count] = (struct egret_host_node){.key = key, .len = (uint32_t)len, .hash = hash};
	*slot = (uint32_t)++hosts->count;
	*is_new = true;
	return &hosts->nodes[hosts->count - 1];
}

void egret_hosts_fit(struct egret_hosts *hosts)
{
	void *fitting = hosts->count ? realloc(hosts->nodes, hosts->count * sizeof(*hosts->nodes)) : NULL;

	if (fitting) {
		hosts->nodes = fitting;
		hosts->room = hosts->count;
	}
}

void egret_hosts_free(struct egret_hosts *hosts)
{
	free(hosts->nodes);
	free(hosts->slots);
	*hosts = (struct egret_hosts){0};
}
