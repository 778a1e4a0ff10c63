/* What a signal handler may do that has interrupted the library.
 *
 * The thread holds locks then, and whatever it was at is half done. One thing is possible all the same while it carries the bytes of some
 * connection: a write. That needs no lock but those of the connection it is for, which are tried, and of the engine nothing that two
 * connections share. Everything else on a connection is told EAGAIN, as if it had to wait: what a write says is sent is in the kernel, also
 * where the handler never returns.
 */
#ifndef EGRET_WITHIN_H
#define EGRET_WITHIN_H

#include "conn.h"
#include "guard.h"

/* The connection whose bytes this thread carries, and nothing else; NULL: none, or it may be at anything. */
extern __thread __attribute__((tls_model("initial-exec"))) const struct egret_conn *egret_within_conn;

void egret_within_end(void);
/* Of a connection that others let go while a handler had it: who was interrupted ends it. NULL: none. */
extern __thread __attribute__((tls_model("initial-exec"))) struct egret_conn *egret_within_left;

static inline void egret_within_enter(const struct egret_conn *conn)
{
	egret_guard_enter();
	atomic_signal_fence(memory_order_seq_cst);
	egret_within_conn = conn->observed ? NULL : conn;
}

static inline void egret_within_leave(void)
{
	egret_within_conn = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	egret_guard_leave();
	if (__builtin_expect(egret_within_left != NULL, 0))
		egret_within_end();
}

/* writev(2) on FD, which has a conn, by such a handler. A count, or a negative errno. */
ssize_t egret_within_write(int fd, const struct iovec *iov, int count);

#endif
