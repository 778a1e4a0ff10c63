/* Where the plaintext of a read goes: the pieces of the program's memory, one after the other. wire_read.c's alone; a sink lives as long as the call. */
#ifndef EGRET_WIRE_SINK_H
#define EGRET_WIRE_SINK_H

#include "reach.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct egret_sink {
	const struct iovec *iov;
	int count, at;
	size_t offset; /* within iov[at] */
	size_t left;   /* bytes that all of it still takes */
	size_t done;
	bool keep;     /* it goes to `peeked`: undelivered still */
	bool fault;    /* the next place for it cannot be written to */
};

static inline void egret_sink_advance(struct egret_sink *sink, size_t count)
{
	sink->left -= count;
	sink->done += count;
	sink->offset += count;
}

/* The piece of memory that comes next; its size, 0 when all are full. */
static inline size_t egret_sink_room(struct egret_sink *sink, uint8_t **data)
{
	while (sink->at < sink->count && sink->offset == sink->iov[sink->at].iov_len) {
		sink->at++;
		sink->offset = 0;
	}
	if (sink->at == sink->count)
		return 0;
	*data = (uint8_t *)sink->iov[sink->at].iov_base + sink->offset;
	size_t room = sink->iov[sink->at].iov_len - sink->offset;
	return room < sink->left ? room : sink->left;
}

/* Can SIZE bytes, as far as it has room for them, be put where they belong? Else none are: the kernel copies a segment whole or not at all. */
static inline bool egret_sink_can_take(struct egret_sink *sink, size_t size)
{
	sink->fault = !sink->keep && !egret_can_write_pieces(sink->iov + sink->at, sink->count - sink->at, sink->offset, size < sink->left ? size : sink->left);
	return !sink->fault;
}

#endif
