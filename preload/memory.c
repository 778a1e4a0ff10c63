#include "memory.h"

#include <stdint.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static const struct egret_memory *instead; /* NULL: the program's malloc */

void egret_memory_use(const struct egret_memory *memory) { instead = memory; }

void *__wrap_malloc(size_t size)
{
	return instead ? instead->allocate(size) : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	if (!instead)
		return __real_calloc(count, size);
	void *block = size && count > SIZE_MAX / size ? NULL : instead->allocate(count * size);
	return block ? memset(block, 0, count * size) : NULL;
}

void *__wrap_realloc(void *block, size_t size)
{
	if (!instead)
		return __real_realloc(block, size);
	size_t had = block ? instead->size(block) : 0;
	if (had >= size && had / 2 <= size)
		return block;
	void *fresh = instead->allocate(size);
	if (fresh && block) {
		memcpy(fresh, block, had < size ? had : size);
		instead->release(block);
	}
	return fresh;
}

void __wrap_free(void *block)
{
	if (instead)
		instead->release(block);
	else
		__real_free(block);
}
