/* The functions that libegret.so stands in front of, the libc's as found behind us in the search order, and those of the libc that it calls
 * besides (libc.def).
 *
 * `real.read` and its like are filled once by egret_start (start.c), at the first hook that runs, and never change: their page becomes
 * read-only, as relro would have made it. One that the libc does not have stays NULL. Inside the library only these are called, never the
 * plain names.
 */
#ifndef EGRET_REAL_H
#define EGRET_REAL_H

#include "hook_types.h"

enum egret_bound {
#define LIBC(name) EGRET_BOUND_##name,
#include "libc.def"
#undef LIBC
	EGRET_BOUND_COUNT
};

#if defined(__x86_64__)
#define EGRET_PAGE 4096
#else
#define EGRET_PAGE 65536 /* the largest there is */
#endif

struct egret_real {
	void *bound[EGRET_BOUND_COUNT]; /* bind.c jumps through them: first */
#define HOOK(ret, name, handler, params, args, early) ret (*name) params;
#define HAND(ret, name, params, early) ret (*name) params;
#include "hooks.def"
#undef HOOK
#undef HAND
} __attribute__((aligned(EGRET_PAGE)));

extern __attribute__((visibility("hidden"))) struct egret_real real;

/* real.syscall, where assembly finds it. */
extern __attribute__((visibility("hidden"))) long (*egret_libc_syscall)(long number, ...);

/* Fills `real`; no function of libc.def may be called before. By egret_start alone. */
void egret_real_fill(void);

#endif
