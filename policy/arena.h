/* Memory that is freed as a whole, and equal byte strings stored once.
 *
 * Owner: the policy (what entries point to) or the loader (drafts). Zero-initialised is empty. Not thread-safe while it grows.
 * Out of memory: returns NULL and sets `failed`, which the loader checks once at its end.
 */
#ifndef EGRET_ARENA_H
#define EGRET_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct egret_arena {
	struct egret_arena_block *blocks; /* newest first */
	size_t used, size;                /* bytes of the newest block */
	bool failed;
};

/* ALIGN: a power of two. */
void *egret_arena_alloc(struct egret_arena *arena, size_t size, size_t align);
/* A copy of LEN bytes with a NUL behind them. */
const char *egret_arena_text(struct egret_arena *arena, const char *text, size_t len);
/* A copy of COUNT items of SIZE bytes; NULL for none. */
const void *egret_arena_copy(struct egret_arena *arena, const void *items, size_t count, size_t size);
void egret_arena_free(struct egret_arena *arena);

/* The set of byte strings that were stored once. The bytes live in ARENA, the set itself until egret_intern_free. */
struct egret_intern {
	struct egret_arena *arena;
	struct egret_interned *table;
};
const void *egret_intern(struct egret_intern *intern, const void *bytes, size_t len);
/* NUL-terminated. */
const char *egret_intern_text(struct egret_intern *intern, const char *text, size_t len);
void egret_intern_free(struct egret_intern *intern);

#endif
