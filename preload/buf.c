#include "buf.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 256     /* bytes of a first allocation, which costs malloc little to give again */
#define KEEP (64 * 1024) /* bytes an empty buffer may hold on to */

/* A block of KEEP bytes that the last reader left, for the next: readers need one for a moment only, and the same one is in the cache. */
static _Atomic(uint8_t *) spare;

static _Atomic(const struct egret_memory *) source; /* NULL: malloc */

void egret_buf_use(const struct egret_memory *memory) { atomic_store_explicit(&source, memory, memory_order_release); }

static uint8_t *new_block(size_t size)
{
	const struct egret_memory *memory = atomic_load_explicit(&source, memory_order_acquire);
	uint8_t *block = size == KEEP ? atomic_exchange_explicit(&spare, NULL, memory_order_acquire) : NULL;
	return block ? block : memory ? memory->allocate(size) : malloc(size);
}

static void free_block(uint8_t *block, size_t size)
{
	const struct egret_memory *memory = atomic_load_explicit(&source, memory_order_acquire);
	if (block && size == KEEP)
		block = atomic_exchange_explicit(&spare, block, memory_order_acq_rel);
	if (memory)
		memory->release(block);
	else
		free(block);
}

uint8_t *egret_buf_room(struct egret_buf *buf, size_t count)
{
	if (buf->size - buf->end >= count && buf->data)
		return buf->data + buf->end;
	size_t length = egret_buf_len(buf);
	if (buf->size >= length + count && buf->data) {
		memmove(buf->data, buf->data + buf->start, length);
	} else {
		size_t size = buf->size ? buf->size : SMALLEST;
		while (size < length + count)
			size *= 2;
		uint8_t *data = new_block(size);
		if (!data)
			return NULL;
		if (length)
			memcpy(data, buf->data + buf->start, length);
		free_block(buf->data, buf->size);
		buf->data = data;
		buf->size = size;
	}
	buf->start = 0;
	buf->end = length;
	return buf->data + length;
}

bool egret_buf_append(struct egret_buf *buf, const void *data, size_t count)
{
	uint8_t *room = egret_buf_room(buf, count);
	if (!room)
		return false;
	memcpy(room, data, count);
	buf->end += count;
	return true;
}

void egret_buf_consume(struct egret_buf *buf, size_t count)
{
	buf->start += count;
	if (buf->start < buf->end)
		return;
	buf->start = buf->end = 0;
	if (buf->size > KEEP || buf->size == SMALLEST)
		egret_buf_free(buf);
}

void egret_buf_free(struct egret_buf *buf)
{
	free_block(buf->data, buf->size);
	*buf = (struct egret_buf){ 0 };
}
