#include "names.h"

#include "lock.h"
#include "names_shared.h"
#include "runtime.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_ADDRESSES 4096
#define BUCKETS 8192  /* a power of two */
#define MAX_NAMES 4   /* of one address */
#define NOBODY 0      /* items count from 1 */
#define ANY_THREAD 0

struct name_of {
	char text[EGRET_NAME_MAX];
	uint64_t stamp; /* 0: free */
	int thread;     /* that asked; ANY_THREAD: another process */
};

struct known {
	struct egret_addr addr;
	uint16_t next;         /* in its bucket */
	uint16_t newer, older; /* by use */
	struct name_of names[MAX_NAMES];
};

/* One mapping, zeroed by the kernel, of which only touched pages cost memory. Under names_lock. */
struct table {
	uint64_t clock;
	uint16_t count, newest, oldest;
	uint16_t buckets[BUCKETS];
	struct known items[MAX_ADDRESSES + 1];
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct table *table;
static _Atomic bool anything_known; /* the table was made */
static uint64_t forker_mask; /* under names_lock */

void egret_names_before_fork(void)
{
	uint64_t before;
	egret_lock(&names_lock, &before);
	forker_mask = before;
}

void egret_names_after_fork(void)
{
	uint64_t before = forker_mask;
	egret_unlock(&names_lock, &before);
}

static struct table *table_ready(void)
{
	if (!table) {
		long at = egret_raw6(SYS_mmap, 0, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		table = at < 0 && at > -4096 ? NULL : (struct table *)at;
		atomic_store(&anything_known, table != NULL);
	}
	return table;
}

static uint16_t *bucket_of(const struct egret_addr *addr)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < sizeof addr->bytes; i++)
		hash = (hash ^ addr->bytes[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return &table->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static void unlink_use(uint16_t i)
{
	struct known *it = &table->items[i];
	*(it->newer ? &table->items[it->newer].older : &table->newest) = it->older;
	*(it->older ? &table->items[it->older].newer : &table->oldest) = it->newer;
	it->newer = it->older = NOBODY;
}

static void link_newest(uint16_t i)
{
	table->items[i].older = table->newest;
	*(table->newest ? &table->items[table->newest].newer : &table->oldest) = i;
	table->newest = i;
}

static struct known *find(const struct egret_addr *addr)
{
	for (uint16_t i = table ? *bucket_of(addr) : NOBODY; i; i = table->items[i].next)
		if (egret_addr_equal(&table->items[i].addr, addr)) {
			unlink_use(i);
			link_newest(i);
			return &table->items[i];
		}
	return NULL;
}

/* Takes the address that was not used for longest out of its bucket. */
static uint16_t evict(void)
{
	uint16_t i = table->oldest, *link = bucket_of(&table->items[i].addr);
	while (*link != i)
		link = &table->items[*link].next;
	*link = table->items[i].next;
	unlink_use(i);
	memset(&table->items[i], 0, sizeof table->items[i]);
	return i;
}

static struct known *find_or_make(const struct egret_addr *addr)
{
	struct known *known = find(addr);
	if (known || !table_ready())
		return known;
	uint16_t i = table->count < MAX_ADDRESSES ? ++table->count : evict(), *bucket = bucket_of(addr);
	known = &table->items[i];
	known->addr = *addr;
	known->addr.scope_id = 0;
	known->next = *bucket;
	*bucket = i;
	link_newest(i);
	return known;
}

static struct name_of *name_in(struct known *known, const char *name)
{
	for (int i = 0; known && i < MAX_NAMES; i++)
		if (known->names[i].stamp && strcmp(known->names[i].text, name) == 0)
			return &known->names[i];
	return NULL;
}

static void remember(const struct egret_addr *addr, const char *name, int thread)
{
	struct known *known = find_or_make(addr);
	struct name_of *slot = name_in(known, name);
	if (!known)
		return;
	for (int i = 0; !slot && i < MAX_NAMES; i++)
		if (!known->names[i].stamp)
			slot = &known->names[i];
	if (!slot) {
		slot = &known->names[0];
		for (int i = 1; i < MAX_NAMES; i++)
			if (known->names[i].stamp < slot->stamp)
				slot = &known->names[i];
	}
	snprintf(slot->text, sizeof slot->text, "%s", name);
	slot->stamp = ++table->clock;
	slot->thread = thread;
}

/* This thread's, which no system call tells. */
static int own_number(void)
{
	static __thread __attribute__((tls_model("initial-exec"))) int number;
	static _Atomic int latest_given = ANY_THREAD;
	if (!number)
		number = atomic_fetch_add(&latest_given, 1) + 1;
	return number;
}

/* What another process asked counts for addresses that this one asked nothing about. */
static void remember_others(const struct egret_addr *addr, const char *name)
{
	struct known *known = find(addr);
	for (int i = 0; known && i < MAX_NAMES; i++)
		if (known->names[i].stamp && known->names[i].thread != ANY_THREAD)
			return;
	remember(addr, name, ANY_THREAD);
}

void egret_names_remember(const struct egret_addr *addr, const char *name)
{
	uint64_t before;
	egret_lock(&names_lock, &before);
	bool told = name_in(find(addr), name) != NULL;
	if (!told) {
		egret_names_read_shared(remember_others);
		told = name_in(find(addr), name) != NULL;
	}
	remember(addr, name, own_number());
	egret_unlock(&names_lock, &before);
	if (!told)
		egret_names_share(addr, name);
}

/* THREAD's latest; ANY_THREAD: the latest of all, what this process asked first. */
static const struct name_of *latest(const struct known *known, int thread)
{
	const struct name_of *best = NULL;
	for (int i = 0; i < MAX_NAMES; i++) {
		const struct name_of *it = &known->names[i];
		bool fits = it->stamp && (thread == ANY_THREAD || it->thread == thread);
		bool own = it->thread != ANY_THREAD, best_own = best && best->thread != ANY_THREAD;
		if (fits && (!best || (own == best_own ? it->stamp > best->stamp : own)))
			best = it;
	}
	return best;
}

static void list_others(const struct known *known, const struct name_of *chosen, char *others, size_t size)
{
	size_t used = 0;
	others[0] = '\0';
	for (int i = 0; i < MAX_NAMES; i++)
		if (known->names[i].stamp && &known->names[i] != chosen && used < size)
			used += (size_t)snprintf(others + used, size - used, "%s%s", used ? "," : "", known->names[i].text);
}

/* Nobody has asked for a name: neither this process nor another that would tell. */
static bool nothing_known(void) { return !atomic_load(&anything_known) && !egret_runtime.run_dir[0]; }

bool egret_names_find(const struct egret_addr *addr, char name[EGRET_NAME_MAX], char *others, size_t others_size)
{
	uint64_t before;
	if (nothing_known())
		return false;
	egret_lock(&names_lock, &before);
	struct known *known = find(addr);
	if (!known) {
		egret_names_read_shared(remember_others);
		known = find(addr);
	}
	const struct name_of *chosen = known ? latest(known, own_number()) : NULL;
	if (known && !chosen)
		chosen = latest(known, ANY_THREAD);
	if (chosen) {
		memcpy(name, chosen->text, sizeof chosen->text);
		if (others)
			list_others(known, chosen, others, others_size);
	}
	egret_unlock(&names_lock, &before);
	return chosen != NULL;
}
