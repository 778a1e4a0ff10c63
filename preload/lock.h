/* A lock that a signal handler never finds held by the thread it interrupted: signals wait while it is held, which is short. */
#ifndef EGRET_LOCK_H
#define EGRET_LOCK_H

#include "policy/raw.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define EGRET_SIGSET_BYTES 8 /* the kernel's sigset_t, rt_sigprocmask(2) */

/* *BEFORE is for egret_unlock. */
static inline void egret_lock(pthread_mutex_t *lock, uint64_t *before)
{
	const uint64_t all = ~UINT64_C(0);
	egret_raw(SYS_rt_sigprocmask, SIG_BLOCK, &all, before, EGRET_SIGSET_BYTES);
	pthread_mutex_lock(lock);
}

static inline void egret_unlock(pthread_mutex_t *lock, const uint64_t *before)
{
	pthread_mutex_unlock(lock);
	egret_raw(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, EGRET_SIGSET_BYTES);
}

/* In a copy of a process, where no other thread is: was LOCK free when the copy was made? It is now: whoever held it did not come along. */
static inline bool egret_lock_was_free(pthread_mutex_t *lock)
{
	bool was = pthread_mutex_trylock(lock) == 0;
	if (was)
		pthread_mutex_unlock(lock);
	else
		pthread_mutex_init(lock, NULL);
	return was;
}

#endif
