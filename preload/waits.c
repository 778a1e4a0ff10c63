#include "waits.h"

#include "answer.h"
#include "guard.h"
#include "io.h"
#include "policy/raw.h"
#include "real.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

/* Behind a wait that HELD was parted from with SERIAL. False: it has gone, and is NULL. */
static bool rejoin(struct egret_conn **held, uint64_t serial)
{
	if (egret_conn_rejoin(*held, serial))
		return true;
	*held = NULL;
	return false;
}

bool egret_wait_no_more(struct egret_conn **held)
{
	uint64_t serial = egret_conn_part(*held);
	pthread_testcancel();
	return rejoin(held, serial);
}

/* poll(2), where the thread is cancelled or not. */
static int poll_one(struct pollfd *pfd, int limit_ms, bool cancels)
{
	struct timespec limit = { limit_ms / 1000, limit_ms % 1000 * 1000000L };
	if (cancels)
		return real.poll(pfd, 1, limit_ms);
	long n = egret_raw6(SYS_ppoll, (long)pfd, 1, limit_ms < 0 ? 0 : (long)&limit, 0, 8, 0);
	if (n >= 0)
		return (int)n;
	errno = (int)-n;
	return -1;
}

static int wait_for(struct egret_conn **held, struct pollfd *pfd, int limit_ms, bool cancels, bool restarts)
{
	bool waits = !(pfd->events & POLLIN) || egret_answer_wait(*held);
	uint64_t serial = egret_conn_part(*held);
	int n, error;
	do { /* the kernel's own send would go on after a handler with SA_RESTART, but never where a time-out is set, signal(7) */
		n = poll_one(pfd, waits ? limit_ms : 0, cancels);
		error = errno;
	} while (n < 0 && error == EINTR && limit_ms < 0 && restarts && egret_io_signals_restart());
	if (!rejoin(held, serial))
		return EGRET_WAIT_GONE;
	if (pfd->events & POLLIN)
		egret_answer_waited(*held);
	return n > 0 || !waits ? 0 : n == 0 ? EAGAIN : error;
}

int egret_wait_for(struct egret_conn **held, int fd, short events, int limit_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	return wait_for(held, &pfd, limit_ms, true, true);
}

/* Who shuts both halves and keeps the FIN back shuts reading, which is an end; where one was there before nothing tells. */
int egret_wait_for_room(struct egret_conn **held, int fd, int limit_ms, bool cancels)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT | POLLRDHUP };
	int error = wait_for(held, &pfd, limit_ms, cancels, true);
	if (error || pfd.revents != POLLRDHUP || (*held)->wire.write_closed)
		return error;
	bool looks = limit_ms < 0 || limit_ms > EGRET_WAIT_LOOK_MS;
	pfd.events = POLLOUT;
	error = wait_for(held, &pfd, looks ? EGRET_WAIT_LOOK_MS : limit_ms, cancels, true);
	bool goes_on = looks && (error == EAGAIN || (error == EINTR && limit_ms < 0 && egret_io_signals_restart()));
	return goes_on ? 0 : error;
}

/* FLAGS beside MSG_PEEK. */
static int wait_in_recv(struct egret_conn **held, int fd, int flags)
{
	char bytes[2]; /* of which one is enough, unless it is hidden (wire.h) */
	struct egret_conn *conn = *held;
	bool waits = egret_answer_wait(conn);
	uint64_t serial = egret_conn_part(conn);
	ssize_t n = waits ? real.recv(fd, bytes, sizeof bytes, MSG_PEEK | flags) : 0;
	int error = errno;
	if (!rejoin(held, serial))
		return EGRET_WAIT_GONE;
	egret_answer_waited(conn);
	if (n < 0 && error != EAGAIN && error != EINTR) { /* the kernel tells its error once: it is told below, in its turn */
		egret_guard_enter();
		egret_wire_note_error(&conn->wire, error);
		egret_guard_leave();
		return 0;
	}
	if (n == 1 && conn->wire.hidden)
		return EAGAIN; /* which the kernel itself gives where nothing is: it does not wait, or not any longer */
	if (n >= 0)
		atomic_store_explicit(&conn->waits, true, memory_order_relaxed);
	return n > 0 || (n == 0 && !waits) ? 0 : n == 0 ? ENODATA : error;
}

int egret_wait_in_recv(struct egret_conn **held, int fd) { return wait_in_recv(held, fd, 0); }

/* The byte that is hidden is all there is, and poll tells of it: where memory is short the kernel's looks at no SO_RCVLOWAT, tcp_epollin_ready, its
 * recv does. */
static bool is_told_too_soon(const struct egret_conn *conn, int fd)
{
	int queued = 0;
	return conn->wire.hidden && egret_raw(SYS_ioctl, fd, FIONREAD, &queued, 0) == 0 && queued <= 1;
}

/* The kernel's own recv of one byte has no part: a handler with SA_RESTART would not end it. */
int egret_wait_for_rest(struct egret_conn **held, int fd, int limit_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int error = limit_ms == 0 ? EAGAIN : wait_for(held, &pfd, limit_ms, true, false);
	if (error)
		return error;
	return is_told_too_soon(*held, fd) ? wait_in_recv(held, fd, 0) : limit_ms < 0 ? wait_in_recv(held, fd, MSG_DONTWAIT) : 0;
}

ssize_t egret_wait_and_peek(struct egret_conn **held, int fd, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
	bool waits = egret_answer_wait(*held);
	uint64_t serial = egret_conn_part(*held);
	ssize_t n = waits ? real.recvmsg(fd, &message, MSG_PEEK | MSG_WAITALL) : 0;
	int error = errno;
	if (!rejoin(held, serial))
		return -EGRET_WAIT_GONE;
	egret_answer_waited(*held);
	return n < 0 ? -error : n;
}
