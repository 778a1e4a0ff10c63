/* The buffers of records. OpenSSL takes one of 17 KiB for each record and gives it back behind it (SSL_MODE_RELEASE_BUFFERS), so that an idle
 * connection is small. A malloc needs 500 instructions for a block of this size and finds it here and there; each thread has a place of
 * its own here, which is in the cache still. A block that is kept longer, since its record is not read to the end, has the place meanwhile:
 * the next one is allocated as any.
 */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 32
#define BLOCK (20 * 1024) /* bytes: a record with all that OpenSSL adds, RFC 5246 6.2.3 */
#define LINE 64           /* bytes of the cache: threads do not meet in one */

struct place {
	_Alignas(LINE) uint8_t block[BLOCK];
	_Alignas(LINE) _Atomic bool taken;
};
static struct place places[PLACES]; /* its pages are touched as threads come */

static struct place *own_place(void)
{
	uint64_t mixed = (uint64_t)pthread_self() * UINT64_C(0x9E3779B97F4A7C15); /* stacks lie at even distances */
	return &places[mixed >> 59];
}

static struct place *place_of(const void *block)
{
	uintptr_t distance = (uintptr_t)block - (uintptr_t)places;
	return distance < sizeof places ? &places[distance / sizeof places[0]] : NULL;
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size > EGRET_RECORD_PLAIN && size <= BLOCK) {
		struct place *place = own_place();
		if (!atomic_exchange_explicit(&place->taken, true, memory_order_acquire))
			return place->block;
	}
	return size ? malloc(size) : NULL;
}

static void release(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	struct place *place = place_of(block);
	if (place)
		atomic_store_explicit(&place->taken, false, memory_order_release);
	else
		free(block);
}

static void *resize(void *block, size_t size, const char *file, int line)
{
	if (!place_of(block))
		return realloc(block, size);
	void *fresh = allocate(size, file, line);
	if (fresh)
		memcpy(fresh, block, size < BLOCK ? size : BLOCK);
	if (fresh || size == 0)
		release(block, file, line);
	return fresh;
}

void egret_blocks_use(void) { CRYPTO_set_mem_functions(allocate, resize, release); }
