#include "pool.h"

#include "policy/raw.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096
#define UNIT 16                     /* bytes: how blocks are aligned, and what their places are counted in */
#define STEPS 4                     /* sizes between one power of two and the next */
#define SMALL 128                   /* bytes: up to here the sizes are a unit apart */
#define SMALLS (SMALL / UNIT)
#define MOST (1 << 20)              /* bytes of a block */
#define CLASSES (SMALLS + 13 * STEPS)
#define SHARDS 8                    /* lists of each size: threads do not meet at one */
#define AREAS 32
#define FIRST_AREA ((size_t)1 << 20) /* bytes; each has twice as many as the one before */
#define LAST_AREA ((size_t)1 << 30)  /* bytes */
#define PLACE_BITS 27

/* Blocks are cut from areas, a run of pages for each size at a time. */
struct area {
	size_t pages;
	_Atomic size_t used;     /* pages, more than there are when it is full */
	_Atomic uint8_t class[]; /* of the blocks that begin in a page */
};
static _Atomic(struct area *) areas[AREAS];
static _Atomic unsigned area_count;

/* Of free blocks: the place of the first, the next one's stands in it; 0: none. */
struct shard {
	_Alignas(64) _Atomic uint64_t heads[CLASSES]; /* place, and above it how often it was exchanged */
};
static struct shard shards[SHARDS];

static unsigned class_of(size_t size)
{
	if (size <= SMALL)
		return size ? (unsigned)((size - 1) / UNIT) : 0;
	unsigned power = 63 - (unsigned)__builtin_clzll(size - 1);
	return SMALLS + (power - 7) * STEPS + (unsigned)((size - 1) >> (power - 2) & (STEPS - 1));
}

static size_t size_of_class(unsigned class)
{
	if (class < SMALLS)
		return (class + 1) * UNIT;
	unsigned power = 7 + (class - SMALLS) / STEPS, step = (class - SMALLS) % STEPS;
	return ((size_t)1 << power) + (size_t)(step + 1) * ((size_t)1 << (power - 2));
}

static void *block_at(uint32_t place)
{
	struct area *area = atomic_load_explicit(&areas[place >> PLACE_BITS], memory_order_acquire);
	return (char *)area + (size_t)(place & ((1u << PLACE_BITS) - 1)) * UNIT;
}

/* False: it is none of ours. */
static bool find(const void *block, unsigned *class, uint32_t *place)
{
	for (unsigned i = atomic_load_explicit(&area_count, memory_order_acquire); i-- > 0;) {
		struct area *area = atomic_load_explicit(&areas[i], memory_order_acquire);
		size_t distance = (uintptr_t)block - (uintptr_t)area;
		if (distance >= area->pages * PAGE)
			continue;
		*class = atomic_load_explicit(&area->class[distance / PAGE], memory_order_relaxed);
		*place = (uint32_t)(i << PLACE_BITS | distance / UNIT);
		return true;
	}
	return false;
}

static struct shard *own_shard(void)
{
	uint64_t mixed = (uint64_t)(uintptr_t)&errno * UINT64_C(0x9E3779B97F4A7C15); /* each thread has its own, at even distances */
	return &shards[mixed >> 61];
}

static _Atomic uint32_t *next_of(void *block) { return block; }

/* The chain from FIRST to LAST, whose places are known to be free. */
static void put(_Atomic uint64_t *head, uint32_t first, void *last)
{
	uint64_t was = atomic_load_explicit(head, memory_order_relaxed);
	do
		atomic_store_explicit(next_of(last), (uint32_t)was, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(head, &was, ((was >> 32) + 1) << 32 | first, memory_order_acq_rel, memory_order_relaxed));
}

/* Of no use, and harmless, when another thread has the block by now and fills it: the exchange that follows fails then. ThreadSanitizer, which sees
 * two threads at one place, is not to look. */
__attribute__((no_sanitize("thread"))) static uint32_t next_behind(void *block)
{
	return atomic_load_explicit(next_of(block), memory_order_relaxed);
}

static void *take_free(_Atomic uint64_t *head)
{
	uint64_t was = atomic_load_explicit(head, memory_order_acquire);
	while ((uint32_t)was) {
		void *block = block_at((uint32_t)was);
		uint32_t next = next_behind(block);
		if (atomic_compare_exchange_weak_explicit(head, &was, ((was >> 32) + 1) << 32 | next, memory_order_acq_rel, memory_order_acquire))
			return block;
	}
	return NULL;
}

static struct area *map_area(size_t size)
{
	long at = egret_raw6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at < 0 && at >= -4095)
		return NULL;
	egret_raw(SYS_madvise, at, size, MADV_NOHUGEPAGE, 0); /* a page here and there is in use at first */
	struct area *area = (struct area *)at;
	area->pages = size / PAGE;
	atomic_store(&area->used, (sizeof *area + area->pages + PAGE - 1) / PAGE);
	return area;
}

/* One more area behind the first COUNT, by this thread or another. False: memory is out. */
static bool add_area(unsigned count, size_t pages)
{
	struct area *none = NULL, *area = NULL;
	size_t size = FIRST_AREA, least = pages * PAGE + FIRST_AREA / 4;
	for (unsigned i = 0; i < count && size < LAST_AREA; i++)
		size *= 2;
	if (count == AREAS)
		return false;
	while (size < least)
		size *= 2;
	while (!atomic_load(&areas[count]) && !(area = map_area(size)) && size / 2 >= least)
		size /= 2;
	if (area && !atomic_compare_exchange_strong(&areas[count], &none, area))
		egret_raw(SYS_munmap, area, size, 0, 0);
	if (!atomic_load(&areas[count]))
		return false;
	atomic_compare_exchange_strong(&area_count, &count, count + 1);
	return true;
}

/* PAGES pages that nobody has, of blocks of CLASS. */
static char *cut(size_t pages, unsigned class)
{
	for (;;) {
		unsigned count = atomic_load(&area_count);
		struct area *area = count ? atomic_load(&areas[count - 1]) : NULL;
		size_t at = area ? atomic_fetch_add(&area->used, pages) : 0;
		if (area && at + pages <= area->pages) {
			for (size_t i = 0; i < pages; i++)
				atomic_store_explicit(&area->class[at + i], (uint8_t)class, memory_order_relaxed);
			return (char *)area + at * PAGE;
		}
		if (!add_area(count, pages))
			return NULL;
	}
}

static size_t run_of(size_t size)
{
	return size <= 1024 ? PAGE : size <= 2048 ? 2 * PAGE : size <= PAGE ? 4 * PAGE : (size + PAGE - 1) / PAGE * PAGE;
}

/* The first block of a new run; the others are free for who comes next. */
static void *begin_run(_Atomic uint64_t *head, unsigned class)
{
	size_t size = size_of_class(class), run = run_of(size), count = run / size;
	char *first = cut(run / PAGE, class);
	uint32_t place = 0;
	if (!first || count == 1)
		return first;
	for (size_t i = count - 1; i > 0; i--) {
		atomic_store_explicit(next_of(first + i * size), place, memory_order_relaxed);
		find(first + i * size, &class, &place);
	}
	put(head, place, first + (count - 1) * size);
	return first;
}

static void *allocate(size_t size)
{
	unsigned class = class_of(size);
	if (size > MOST)
		return malloc(size);
	struct shard *own = own_shard();
	void *block = take_free(&own->heads[class]);
	for (struct shard *other = shards; !block && other < shards + SHARDS; other++)
		block = take_free(&other->heads[class]);
	if (!block && !(block = begin_run(&own->heads[class], class)))
		block = malloc(size);
	return block;
}

static void release(void *block)
{
	unsigned class;
	uint32_t place;
	if (!block)
		return;
	if (find(block, &class, &place))
		put(&own_shard()->heads[class], place, block);
	else
		free(block);
}

static size_t size_of(void *block)
{
	unsigned class;
	uint32_t place;
	return find(block, &class, &place) ? size_of_class(class) : malloc_usable_size(block);
}

const struct egret_memory egret_pool = { allocate, release, size_of };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* what they know of is malloc's */
void egret_pool_begin(void) {}
void egret_pool_serve(const struct egret_engine *engine) { (void)engine; }
#else
void egret_pool_begin(void) { egret_buf_use(&egret_pool); }
void egret_pool_serve(const struct egret_engine *engine) { engine->use_memory(&egret_pool); }
#endif
