/* The functions that libegret.so stands in front of: the libc's, as found behind us in the search order.
 *
 * `real.read` and its like are filled once by egret_start (start.c), before or at the first hook that runs, and never change. One
 * that the libc does not have stays NULL. Inside the library only these are called, never the plain names.
 */
#ifndef EGRET_REAL_H
#define EGRET_REAL_H

#include "hook_types.h"

struct egret_real {
#define HOOK(ret, name, handler, params, args, early) ret (*name) params;
#define HAND(ret, name, params, early) ret (*name) params;
#include "hooks.def"
#undef HOOK
#undef HAND
};

extern struct egret_real real;

/* real.syscall, where assembly finds it. */
extern __attribute__((visibility("hidden"))) long (*egret_libc_syscall)(long number, ...);

/* Fills `real`. False while another call of the same thread is still at it (dlsym allocated, malloc is the program's, it wrote). */
bool egret_real_fill(void);

#endif
