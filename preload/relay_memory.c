/* A relay's memory: one region, blocks of powers of two, a free list for each. */
#include "pool.h"

#include <stdbool.h>
#include <stdint.h>

#define SMALLEST 64 /* bytes of a block with its header */
#define CLASSES 24

struct block {
	size_t class;       /* the block has SMALLEST << class bytes, this header among them */
	struct block *next; /* while it is free */
};
#define HEADER 16 /* bytes before what the caller gets */

static char *region, *region_end, *unused;
static struct block *free_blocks[CLASSES];

void egret_relay_memory_is(void *memory, size_t size)
{
	region = unused = memory;
	region_end = region + size;
}

static void *allocate(size_t size)
{
	size_t class = 0;
	while (class < CLASSES && (size > SIZE_MAX - HEADER || ((size_t)SMALLEST << class) < size + HEADER))
		class++;
	if (class == CLASSES)
		return NULL;
	struct block *block = free_blocks[class];
	if (block) {
		free_blocks[class] = block->next;
	} else {
		size_t bytes = (size_t)SMALLEST << class;
		if ((size_t)(region_end - unused) < bytes)
			return NULL;
		block = (struct block *)unused;
		unused += bytes;
		block->class = class;
	}
	return (char *)block + HEADER;
}

static bool is_ours(const void *pointer) { return (const char *)pointer >= region && (const char *)pointer < region_end; }

static void release(void *pointer)
{
	if (!pointer || !is_ours(pointer))
		return;
	struct block *block = (struct block *)((char *)pointer - HEADER);
	block->next = free_blocks[block->class];
	free_blocks[block->class] = block;
}

static size_t size_of(void *pointer)
{
	if (!is_ours(pointer))
		return egret_pool.size(pointer);
	return ((size_t)SMALLEST << ((struct block *)((char *)pointer - HEADER))->class) - HEADER;
}

const struct egret_memory egret_relay_memory = { allocate, release, size_of };
