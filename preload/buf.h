/* A growing byte queue for ciphertext on its way out and in.
 *
 * Owner: the struct it stands in. Locked by its owner. A failed growth leaves it as it was.
 */
#ifndef EGRET_BUF_H
#define EGRET_BUF_H

#include "memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct egret_buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t start;  /* bytes: first one that is not consumed */
	size_t end;    /* bytes: one past the last */
	size_t size;   /* bytes allocated */
};

static inline size_t egret_buf_len(const struct egret_buf *buf) { return buf->end - buf->start; }
static inline uint8_t *egret_buf_head(const struct egret_buf *buf) { return buf->data ? buf->data + buf->start : NULL; }

/* Makes room for COUNT more bytes at the end and returns where they go; NULL when memory is out. Commit with egret_buf_added. */
uint8_t *egret_buf_room(struct egret_buf *buf, size_t count);
static inline void egret_buf_added(struct egret_buf *buf, size_t count) { buf->end += count; }
bool egret_buf_append(struct egret_buf *buf, const void *data, size_t count);
/* Drops COUNT bytes from the front. An emptied buffer of the smallest size, or larger than 64 KiB, gives its memory back. */
void egret_buf_consume(struct egret_buf *buf, size_t count);
void egret_buf_free(struct egret_buf *buf);

/* Where the memory comes from from now on, before the first buffer or in a relay: in the beginning it is malloc. */
void egret_buf_use(const struct egret_memory *memory);

#endif
