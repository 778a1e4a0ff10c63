/* Waits of a call on a connection, in the kernel.
 *
 * Meanwhile nothing of ours is held, no lock, no reference and no clean-up for a cancellation: a signal handler may leave the wait for good
 * (siglongjmp), a cancelled thread goes, and another thread may close the connection. *HELD is NULL then, and EGRET_WAIT_GONE what is told.
 */
#ifndef EGRET_WAITS_H
#define EGRET_WAITS_H

#include "conn.h"

#include <errno.h>
#include <sys/uio.h>

#define EGRET_WAIT_GONE EOWNERDEAD /* no call of the kernel's on a socket gives it */
#define EGRET_WAIT_LOOK_MS 100   /* how often is looked at what the kernel does not tell */

/* No wait: whoever is cancelled goes at its next call, as the libc's functions have it, also where nothing is to be waited for. False: gone. */
bool egret_wait_no_more(struct egret_conn **held);

/* For EVENTS, LIMIT_MS at most (-1: for ever). 0, or a positive errno: EAGAIN when the time is over, EINTR. */
int egret_wait_for(struct egret_conn **held, int fd, short events, int limit_ms);

/* For more to read of a call that has a part, or a time-out (LIMIT_MS, -1: none): EINTR also under SA_RESTART. */
int egret_wait_for_rest(struct egret_conn **held, int fd, int limit_ms);

/* For room to send, the thread to be cancelled there or not (CANCELS), or until another thread has shut both halves, of which the kernel may know
 * a part only (egret_wire_owes_fin). As above; 0 also where there is none yet. */
int egret_wait_for_room(struct egret_conn **held, int fd, int limit_ms, bool cancels);

/* In the kernel's own recv on the same descriptor: O_NONBLOCK, SO_RCVTIMEO, SA_RESTART and cancellation are the kernel's. 0, or a positive errno:
 * ENODATA at the end of what the server sends. */
int egret_wait_in_recv(struct egret_conn **held, int fd);

/* All that was asked for is to be looked at, in the clear: the kernel's own recv waits for it. A count, or a negative errno; 0: the end, or an
 * answer of ours comes first. */
ssize_t egret_wait_and_peek(struct egret_conn **held, int fd, const struct iovec *iov, int count);

#endif
