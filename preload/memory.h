/* Where the library and the engine take memory from: the program's malloc; the engine, and the buffers of connections, a pool that is safe in
 * signal handlers (pool.h); in a relay pages of its own.
 *
 * A relay (relay.h) begins as a copy of one thread of a program that may have many: a lock of the program's malloc may be held for good
 * by a thread that the copy lacks. So both shared objects are linked with --wrap=malloc,... and one call turns them away from it.
 * What was allocated before can still be released: it is left alone then.
 */
#ifndef EGRET_MEMORY_H
#define EGRET_MEMORY_H

#include <stddef.h>

struct egret_memory {
	void *(*allocate)(size_t size); /* bytes; aligned to 16; NULL when memory is out */
	void (*release)(void *block);   /* of any origin */
	size_t (*size)(void *block);    /* bytes that BLOCK has room for, of any origin */
};

/* From now on in this shared object, in place of malloc. One thread, nothing else under way. */
void egret_memory_use(const struct egret_memory *memory);

/* The relay's: SIZE bytes at MEMORY, zeroed, one thread (relay_memory.c). */
extern const struct egret_memory egret_relay_memory;
void egret_relay_memory_is(void *memory, size_t size);

#endif
