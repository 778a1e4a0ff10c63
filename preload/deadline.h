/* Time-outs of calls that wait, as the kernel takes them, and when they end. */
#ifndef EGRET_DEADLINE_H
#define EGRET_DEADLINE_H

#include "runtime.h"

#include <time.h>

#define EGRET_LONGEST_S INT64_C(1000000000000) /* longer is for ever: 30 000 years */

/* Would the kernel wait for TIMEOUT (NULL: for ever)? Else it says EINVAL. */
static inline bool egret_is_timeout(const struct timespec *timeout)
{
	return !timeout || (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000);
}

/* When TIMEOUT ends, by egret_now_us; -1: never. */
static inline int64_t egret_deadline_of(const struct timespec *timeout)
{
	return timeout && timeout->tv_sec < EGRET_LONGEST_S ? egret_now_us() + timeout->tv_sec * INT64_C(1000000) + timeout->tv_nsec / 1000 : -1;
}

#endif
