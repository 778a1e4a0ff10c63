/* The handlers that hooks.def names: one short function a hook, in the on_*.c file of its family.
 *
 * A handler has the signature of the function it stands for, sets errno like it, and is called with `real` filled. Variadic
 * functions are taken apart in exports.c and reach their handler with fixed arguments, declared here by hand.
 */
#ifndef EGRET_HOOKS_H
#define EGRET_HOOKS_H

#include "hook_types.h"

#define HOOK(ret, name, handler, params, args, early) ret egret_on_##handler params;
#define HAND(ret, name, params, early)
#include "hooks.def"
#undef HOOK
#undef HAND

int egret_on_fcntl(int fd, int command, void *arg);
int egret_on_ioctl(int fd, unsigned long request, void *arg);
int egret_on_clone(int (*run)(void *), void *stack, int flags, void *arg, void *const extra[3]);
/* What vfork goes on with, a function that takes nothing and returns like it. */
void *egret_on_vfork(void);
/* May a connection at FD be at TO, too, one of those that stdio uses by itself? It is moved to a relay for that. False: errno is set. */
bool egret_fd_may_land(int fd, int to);
/* The process ends: connections that are this process's to end are ended as by close (start.c, _exit). */
void egret_fd_farewell(void);
/* These do not return. */
void egret_on_abort(void);
void egret_on_assert_fail(const char *expression, const char *file, unsigned line, const char *function);
void egret_on_assert_perror_fail(int error, const char *file, unsigned line, const char *function);
long egret_on_syscall(long number, const long args[6]);

#endif
