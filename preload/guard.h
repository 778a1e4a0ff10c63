/* Are we inside the library already? Hooks that meet themselves (dlsym that mallocs, a program's malloc that writes, OpenSSL) go
 * straight to the kernel. Thread-local, initial-exec: usable in signal handlers and before constructors.
 */
#ifndef EGRET_GUARD_H
#define EGRET_GUARD_H

#include <pthread.h>
#include <stdbool.h>

extern __thread __attribute__((tls_model("initial-exec"))) unsigned egret_guard_depth;

static inline bool egret_guard_inside(void) { return egret_guard_depth != 0; }
static inline void egret_guard_enter(void) { egret_guard_depth++; }
static inline void egret_guard_leave(void) { egret_guard_depth--; }

/* The same where files may be opened, or descriptors closed and waited for: the libc would act on a cancellation there, which would leave locks
 * and halves behind. Who cancels waits until it is over. */
static inline int egret_guard_enter_whole(void)
{
	int before;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	egret_guard_enter();
	return before;
}

static inline void egret_guard_leave_whole(int before)
{
	egret_guard_leave();
	pthread_setcancelstate(before, NULL);
}

#endif
