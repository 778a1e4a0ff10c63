/* A bit for each descriptor. Pages that no descriptor of the program needs are never touched. */
#ifndef EGRET_FD_BITS_H
#define EGRET_FD_BITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define EGRET_DESCRIPTORS (2 << 20) /* above fs.nr_open's default; no other has a bit, nor a connection of ours */

typedef _Atomic uint64_t egret_fd_bits[EGRET_DESCRIPTORS / 64];

static inline bool egret_fd_bit(egret_fd_bits bits, int fd)
{
	return fd >= 0 && fd < EGRET_DESCRIPTORS && (atomic_load_explicit(&bits[fd / 64], memory_order_relaxed) >> (fd % 64) & 1);
}

/* What it was. */
static inline bool egret_fd_bit_put(egret_fd_bits bits, int fd, bool on)
{
	const uint64_t bit = UINT64_C(1) << (fd % 64);
	if (fd < 0 || fd >= EGRET_DESCRIPTORS || egret_fd_bit(bits, fd) == on)
		return on;
	return ((on ? atomic_fetch_or(&bits[fd / 64], bit) : atomic_fetch_and(&bits[fd / 64], ~bit)) & bit) != 0;
}

#endif
