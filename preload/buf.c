#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define KEEP (64 * 1024) /* bytes an empty buffer may hold on to */

uint8_t *egret_buf_room(struct egret_buf *buf, size_t count)
{
	if (buf->size - buf->end >= count && buf->data)
		return buf->data + buf->end;
	size_t length = egret_buf_len(buf);
	if (buf->size >= length + count && buf->data) {
		memmove(buf->data, buf->data + buf->start, length);
	} else {
		size_t size = buf->size ? buf->size : 4096;
		while (size < length + count)
			size *= 2;
		uint8_t *data = malloc(size);
		if (!data)
			return NULL;
		if (length)
			memcpy(data, buf->data + buf->start, length);
		free(buf->data);
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
	if (buf->size > KEEP)
		egret_buf_free(buf);
}

void egret_buf_free(struct egret_buf *buf)
{
	free(buf->data);
	*buf = (struct egret_buf){ 0 };
}
