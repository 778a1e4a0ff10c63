#include "ready_index.h"

#include <stdlib.h>

#define FIRST_BUCKETS 16 /* a power of two */

struct registration **egret_ready_bucket_of(struct set *set, uint64_t data)
{
	return &set->buckets[(data * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (set->bucket_count - 1)];
}

static bool grow(struct set *set)
{
	size_t old_count = set->bucket_count, count = old_count ? 2 * old_count : FIRST_BUCKETS;
	struct registration **old = set->buckets, **buckets = calloc(count, sizeof *buckets);
	if (!buckets)
		return old != NULL;
	set->buckets = buckets;
	set->bucket_count = count;
	for (size_t i = 0; i < old_count; i++)
		for (struct registration *it = old[i], *next; it; it = next) {
			struct registration **bucket = egret_ready_bucket_of(set, it->data);
			next = it->next_of_data;
			it->next_of_data = *bucket;
			*bucket = it;
		}
	free(old);
	return true;
}

bool egret_ready_index_add(struct set *set, struct registration *it)
{
	if (set->count >= set->bucket_count && !grow(set))
		return false;
	struct registration **bucket = egret_ready_bucket_of(set, it->data);
	for (struct registration *other = *bucket; other && !set->shares; other = other->next_of_data)
		set->shares = other->data == it->data;
	it->next_of_data = *bucket;
	*bucket = it;
	set->count++;
	return true;
}

void egret_ready_index_remove(struct set *set, struct registration *it)
{
	for (struct registration **link = egret_ready_bucket_of(set, it->data); *link; link = &(*link)->next_of_data)
		if (*link == it) {
			*link = it->next_of_data;
			set->count--;
			return;
		}
}
