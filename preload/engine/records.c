/* Memory for OpenSSL, with a few blocks of a record's size kept ready.
 *
 * A connection gives its two record buffers back after each record (SSL_MODE_RELEASE_BUFFERS), so that an idle one holds none. Through
 * malloc that costs more than the record's cipher: blocks of that size are split, merged and returned to the system each time. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOT 20480u   /* bytes; a record, its header, tag and OpenSSL's alignment, in whole pages */
#define SLOT_LEAST 16384u
#define SLOTS 64      /* one bit each in `taken`; a page that was never used takes no memory */

static uint8_t *_Atomic slots; /* mapped at the first use, for good */
static _Atomic uint64_t taken;

static uint8_t *mapped(void)
{
	uint8_t *known = atomic_load_explicit(&slots, memory_order_acquire);
	if (known)
		return known;
	uint8_t *fresh = mmap(NULL, SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fresh == MAP_FAILED)
		return NULL;
	if (atomic_compare_exchange_strong(&slots, &known, fresh))
		return fresh;
	munmap(fresh, SLOT * SLOTS);
	return known;
}

static void *take_slot(void)
{
	uint8_t *base = mapped();
	uint64_t seen = atomic_load_explicit(&taken, memory_order_relaxed);
	while (base && seen != UINT64_MAX) {
		int free_one = __builtin_ctzll(~seen);
		if (atomic_compare_exchange_weak_explicit(&taken, &seen, seen | UINT64_C(1) << free_one, memory_order_acquire, memory_order_relaxed))
			return base + (size_t)free_one * SLOT;
	}
	return NULL;
}

static bool is_slot(const void *block)
{
	uint8_t *base = atomic_load_explicit(&slots, memory_order_relaxed);
	return base && (uintptr_t)block - (uintptr_t)base < SLOT * SLOTS;
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	void *slot = size >= SLOT_LEAST && size <= SLOT ? take_slot() : NULL;
	return slot || size == 0 ? slot : malloc(size);
}

static void release(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	if (is_slot(block))
		atomic_fetch_and_explicit(&taken, ~(UINT64_C(1) << ((size_t)((uint8_t *)block - slots) / SLOT)), memory_order_release);
	else
		free(block);
}

static void *reallocate(void *block, size_t size, const char *file, int line)
{
	if (size == 0) {
		release(block, file, line);
		return NULL;
	}
	if (!is_slot(block))
		return realloc(block, size);
	void *fresh = malloc(size);
	if (fresh) {
		memcpy(fresh, block, size < SLOT ? size : SLOT);
		release(block, file, line);
	}
	return fresh;
}

void egret_records_keep(void) { CRYPTO_set_mem_functions(allocate, reallocate, release); }
