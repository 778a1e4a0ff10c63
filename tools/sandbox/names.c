/* Addresses to names: a hash of fixed size, four-way sets, least recently answered goes. */
#include "names.h"

#include <time.h>

#define NAME_SETS 4096u
#define NAME_WAYS 8u

struct row {
	struct egret_addr addr;
	int64_t until; /* milliseconds, monotonic; 0: empty */
	uint64_t stamp;
	char *name; /* owned */
};

struct egret_names {
	pthread_mutex_t lock;
	uint64_t stamp;
	struct row rows[NAME_SETS][NAME_WAYS];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct row *set_of(struct egret_names *names, const struct egret_addr *addr)
{
	uint32_t hash = 2166136261u ^ addr->family;

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		hash = (hash ^ addr->bytes[i]) * 16777619u;
	return names->rows[(hash ^ hash >> 15) % NAME_SETS];
}

struct egret_names *egret_names_new(void)
{
	struct egret_names *names = calloc(1, sizeof(*names));

	if (names)
		pthread_mutex_init(&names->lock, NULL);
	return names;
}

static struct row *place_for(struct row *set, const char *name, const struct egret_addr *addr)
{
	struct row *oldest = set;

	for (size_t i = 0; i < NAME_WAYS; i++) {
		if (set[i].until && egret_addr_equal(&set[i].addr, addr) && !strcmp(set[i].name, name))
			return &set[i];
		if (set[i].stamp < oldest->stamp)
			oldest = &set[i];
	}
	return oldest;
}

void egret_names_add(struct egret_names *names, const char *name, const struct egret_addr *addr, int64_t ttl_ms)
{
	char *copy = strdup(name);
	struct row *row;

	if (!copy)
		return;
	pthread_mutex_lock(&names->lock);
	row = place_for(set_of(names, addr), name, addr);
	free(row->name);
	row->name = copy;
	row->addr = *addr;
	row->stamp = ++names->stamp;
	row->until = now_ms() + ttl_ms;
	pthread_mutex_unlock(&names->lock);
}

bool egret_names_get(struct egret_names *names, const struct egret_addr *addr, size_t i, char name[EGRET_NAME_MAX])
{
	int64_t now = now_ms();
	const struct row *set, *best;
	uint64_t below = UINT64_MAX;

	pthread_mutex_lock(&names->lock);
	set = set_of(names, addr);
	do {
		best = NULL;
		for (size_t w = 0; w < NAME_WAYS; w++)
			if (set[w].until > now && set[w].stamp < below && egret_addr_equal(&set[w].addr, addr) &&
			    (!best || set[w].stamp > best->stamp))
				best = &set[w];
		below = best ? best->stamp : 0;
	} while (best && i--);
	if (best)
		snprintf(name, EGRET_NAME_MAX, "%s", best->name);
	pthread_mutex_unlock(&names->lock);
	return best != NULL;
}
