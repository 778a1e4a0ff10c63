#include "arena.h"

#include "hash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK 4096
#define LARGEST_BLOCK ((size_t)256 * 1024)

struct egret_arena_block {
	struct egret_arena_block *next;
	_Alignas(16) char bytes[];
};

void *egret_arena_alloc(struct egret_arena *arena, size_t size, size_t align)
{
	size_t at = (arena->used + align - 1) & ~(align - 1);

	if (!arena->blocks || at > arena->size || size > arena->size - at) {
		size_t room = arena->blocks ? arena->size * 2 : FIRST_BLOCK;
		struct egret_arena_block *block;

		if (room > LARGEST_BLOCK)
			room = LARGEST_BLOCK;
		if (room < size)
			room = size;
		block = malloc(sizeof(*block) + room);
		if (!block) {
			arena->failed = true;
			return NULL;
		}
		block->next = arena->blocks;
		arena->blocks = block;
		arena->size = room;
		at = 0;
	}
	arena->used = at + size;
	return arena->blocks->bytes + at;
}

const char *egret_arena_text(struct egret_arena *arena, const char *text, size_t len)
{
	char *copy = egret_arena_alloc(arena, len + 1, 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

const void *egret_arena_copy(struct egret_arena *arena, const void *items, size_t count, size_t size)
{
	void *copy = count ? egret_arena_alloc(arena, count * size, 8) : NULL;

	if (copy)
		memcpy(copy, items, count * size);
	return copy;
}

void egret_arena_free(struct egret_arena *arena)
{
	while (arena->blocks) {
		struct egret_arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	*arena = (struct egret_arena){0};
}

struct egret_interned {
	UT_hash_handle hh;
	const void *bytes;
};

const void *egret_intern(struct egret_intern *intern, const void *bytes, size_t len)
{
	struct egret_interned *known;
	unsigned before;

	HASH_FIND(hh, intern->table, bytes, len, known);
	if (known)
		return known->bytes;
	known = calloc(1, sizeof(*known));
	if (known)
		known->bytes = egret_arena_copy(intern->arena, bytes, 1, len);
	if (!known || !known->bytes) {
		free(known);
		intern->arena->failed = true;
		return NULL;
	}
	bytes = known->bytes;
	before = HASH_COUNT(intern->table);
	HASH_ADD_KEYPTR(hh, intern->table, bytes, len, known);
	if (HASH_COUNT(intern->table) == before)
		free(known); /* stored, only not shared */
	return bytes;
}

const char *egret_intern_text(struct egret_intern *intern, const char *text, size_t len)
{
	const char *copy = strndup(text, len);
	const char *shared = copy ? egret_intern(intern, copy, len + 1) : NULL;

	if (!copy)
		intern->arena->failed = true;
	free((void *)copy);
	return shared;
}

void egret_intern_free(struct egret_intern *intern)
{
	struct egret_interned *item, *next;

	HASH_ITER(hh, intern->table, item, next) {
		HASH_DEL(intern->table, item);
		free(item);
	}
}
