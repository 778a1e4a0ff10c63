#include "reach.h"

#include "policy/raw.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>

#define PAGE 4096 /* bytes: the least that a page has anywhere */
#define FIRST_GOOD PAGE
#define OWN_END (UINT64_C(1) << 56) /* above is the kernel's, on every machine with 64 bits */
#define REMEMBERED 4096 /* pages: the buffers of some thousand connections */

/* By their number in the address space, which all threads share; 0: none. A program with few buffers touches few pages of it. */
typedef _Atomic uintptr_t memory[REMEMBERED];
static memory readable, writable;

/* The kernel copies the set in before it finds that there is no such way to use it, sigprocmask(2). */
static bool page_reads(uintptr_t at)
{
	return egret_raw(SYS_rt_sigprocmask, -1, at & ~(uintptr_t)7, 0, 8) != -EFAULT;
}

/* An atomic OR of nothing: written, and as it was. */
static bool page_writes(uintptr_t at)
{
	static uint32_t nobody_waits_here;
	return egret_raw6(SYS_futex, (long)&nobody_waits_here, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, (long)(at & ~(uintptr_t)3),
			  FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) != -EFAULT;
}

static bool reaches(memory known, bool (*page_is_good)(uintptr_t at), uintptr_t at)
{
	uintptr_t page = at / PAGE;
	_Atomic uintptr_t *place = &known[page % REMEMBERED];
	if (atomic_load_explicit(place, memory_order_relaxed) == page)
		return true;
	if (!page_is_good(at))
		return false;
	atomic_store_explicit(place, page, memory_order_relaxed);
	return true;
}

bool egret_is_own_range(const void *start, size_t size)
{
	return size == 0 || ((uintptr_t)start < OWN_END && size < OWN_END - (uintptr_t)start);
}

static bool all_reach(memory known, bool (*page_is_good)(uintptr_t at), uintptr_t start, size_t size)
{
	if (size == 0)
		return true;
	if (start < FIRST_GOOD || !egret_is_own_range((void *)start, size))
		return false;
	uintptr_t last = start + size - 1;
	for (size_t done = 0; done < size; done += EGRET_REACH_STRIDE)
		if (!reaches(known, page_is_good, start + done))
			return false;
	return last / PAGE == start / PAGE || reaches(known, page_is_good, last);
}

static bool pieces_reach(const struct iovec *iov, int count, size_t skip, size_t size, bool (*reach)(const void *start, size_t size))
{
	for (int i = 0; i < count && size > 0; i++) {
		size_t length = iov[i].iov_len > skip ? iov[i].iov_len - skip : 0, step = length < size ? length : size;
		if (!reach((const char *)iov[i].iov_base + skip, step))
			return false;
		size -= step;
		skip = 0;
	}
	return true;
}

bool egret_can_read(const void *start, size_t size) { return all_reach(readable, page_reads, (uintptr_t)start, size); }
bool egret_can_write(const void *start, size_t size) { return all_reach(writable, page_writes, (uintptr_t)start, size); }

bool egret_can_read_pieces(const struct iovec *iov, int count, size_t skip, size_t size)
{
	return pieces_reach(iov, count, skip, size, egret_can_read);
}

bool egret_can_write_pieces(const struct iovec *iov, int count, size_t skip, size_t size)
{
	return pieces_reach(iov, count, skip, size, egret_can_write);
}
