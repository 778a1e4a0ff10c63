/* What wire.c, wire_read.c and wire_write.c share: the system calls, and what an error leaves behind. */
#ifndef EGRET_WIRE_INTERNAL_H
#define EGRET_WIRE_INTERNAL_H

#include "wire.h"

#include "policy/raw.h"

#include <errno.h>

static inline long egret_wire_recv(struct egret_wire *wire, void *data, size_t size, int flags)
{
	return egret_raw6(SYS_recvfrom, wire->fd, (long)data, (long)size, flags | MSG_DONTWAIT, 0, 0);
}

static inline long egret_wire_send(struct egret_wire *wire, const void *data, size_t size)
{
	return egret_raw6(SYS_sendto, wire->fd, (long)data, (long)size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

/* Sends what is in `out`; under out_lock. 0: all gone, -EAGAIN, -errno. */
int egret_wire_send_out(struct egret_wire *wire);

/* Remembers the first error and its sentence; returns it negative. */
int egret_wire_break(struct egret_wire *wire, int error);

#endif
