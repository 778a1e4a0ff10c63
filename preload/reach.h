/* Would the kernel answer EFAULT? A hook that looks at the program's memory asks before: a bad pointer is an errno, not a crash inside
 * the library, as it is none in the kernel.
 *
 * One system call tells of a page; those that were good are remembered, so that a program which uses its buffers again pays nothing. Of a
 * large piece the first page, the last, and one in each STRIDE are asked for. Memory that was good and is unmapped while it is remembered is
 * not noticed: what uses it then is a crash, as it is in any other code of the program.
 * Async-signal-safe; leaves errno alone.
 */
#ifndef EGRET_REACH_H
#define EGRET_REACH_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/uio.h>

#define EGRET_REACH_STRIDE 65536 /* bytes */

bool egret_can_read(const void *start, size_t size);
bool egret_can_write(const void *start, size_t size);

/* Can the addresses be a program's at all? The kernel asks this of a buffer before anything else. */
bool egret_is_own_range(const void *start, size_t size);

/* SIZE bytes at most of what COUNT pieces point to, behind the first SKIP bytes of the first one. */
bool egret_can_read_pieces(const struct iovec *iov, int count, size_t skip, size_t size);
bool egret_can_write_pieces(const struct iovec *iov, int count, size_t skip, size_t size);

#endif
