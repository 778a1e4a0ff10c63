#include "io.h"

#include "connect.h"
#include "dns_watch.h"
#include "guard.h"
#include "observed.h"
#include "passthrough.h"
#include "real.h"

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

#define IOV_STACK 16 /* iovecs handled in one round */

struct egret_conn *egret_io_wrapped(int fd)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (conn && !conn->wrapped && !conn->observed) {
		egret_conn_put(conn);
		return NULL;
	}
	return conn;
}

bool egret_io_is_nonblocking(int fd, int flags)
{
	if (flags & MSG_DONTWAIT)
		return true;
	int status = real.fcntl(fd, F_GETFL);
	return status >= 0 && (status & O_NONBLOCK);
}

/* SO_RCVTIMEO or SO_SNDTIMEO in milliseconds, -1: none (socket(7)). */
static int timeout_of(int fd, int option)
{
	struct timeval tv = { 0 };
	socklen_t size = sizeof tv;
	if (real.getsockopt(fd, SOL_SOCKET, option, &tv, &size) != 0 || (tv.tv_sec == 0 && tv.tv_usec == 0))
		return -1;
	return (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

int egret_io_await_open(struct egret_conn *conn, int fd, int flags)
{
	int result;
	while ((result = egret_connect_step(conn)) == -EAGAIN) {
		if (egret_io_is_nonblocking(fd, flags))
			return EAGAIN;
		struct pollfd pfd = { .fd = fd, .events = conn->wire.wants };
		if (real.poll(&pfd, 1, egret_connect_time_left(conn)) < 0 && errno == EINTR)
			return EINTR;
	}
	return -result;
}

int egret_io_finish(struct egret_conn *conn)
{
	egret_guard_enter();
	if (conn->observed)
		egret_observed_finish_writing(conn->observed);
	int result = conn->wrapped ? egret_wire_close_notify(&conn->wire) : 0;
	egret_guard_leave();
	return result;
}

bool egret_io_readable(struct egret_conn *conn)
{
	return conn->observed ? egret_observed_readable(conn->observed) : egret_wire_readable(&conn->wire);
}

size_t egret_io_available(struct egret_conn *conn)
{
	return conn->observed ? egret_observed_available(conn->observed) : egret_wire_available(&conn->wire);
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

/* The errno of a failed connection is given once, as the kernel gives sk_err; then the end (reads) or EPIPE (writes). */
static int taken_errno(struct egret_conn *conn)
{
	return atomic_exchange(&conn->connect_errno, 0);
}

#define BROKEN (-1) /* the connection failed: see taken_errno */

/* Did another thread move the connection to a relay meanwhile? Then FD is native, once its slot is empty. */
static bool moved_away(const struct egret_conn *conn, int fd, ssize_t result)
{
	while (result == -ESTALE && egret_conn_other_fd(conn) >= 0 && egret_conn_has(fd))
		sched_yield();
	return result == -ESTALE || (result == -ENOTSOCK && egret_conn_drop_stale(conn, fd));
}

/* What every transfer asks first. 0: open; a positive errno: not now, or not at all; BROKEN. */
static int begin(struct egret_conn *conn, int fd, int flags)
{
	if (flags & MSG_OOB)
		return EOPNOTSUPP;
	if (!egret_conn_own(conn))
		return EIO;
	int error = egret_io_await_open(conn, fd, flags);
	return error == 0 || error == EAGAIN || error == EINTR ? error : BROKEN;
}

static size_t length_of(const struct iovec *iov, int count)
{
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

/* IOV without its first SKIP bytes, into OUT (IOV_STACK places; what does not fit waits for the next round). Returns how many. */
static int advance(const struct iovec *iov, int count, size_t skip, struct iovec *out)
{
	int n = 0;
	for (int i = 0; i < count && n < IOV_STACK; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		out[n].iov_base = (char *)iov[i].iov_base + skip;
		out[n++].iov_len = iov[i].iov_len - skip;
		skip = 0;
	}
	return n;
}

static ssize_t wire_read(struct egret_conn *conn, const struct iovec *iov, int count, int flags)
{
	egret_guard_enter();
	ssize_t n = conn->observed ? egret_observed_read(conn->observed, iov, count, flags) :
				     egret_wire_read(&conn->wire, iov, count, flags & MSG_PEEK);
	egret_guard_leave();
	return n;
}

/* Waits in the kernel's own recv on the same descriptor: O_NONBLOCK, SO_RCVTIMEO, SA_RESTART and cancellation are the kernel's. */
static bool wait_readable(int fd)
{
	char byte;
	return real.recv(fd, &byte, 1, MSG_PEEK) >= 0;
}

ssize_t egret_receive_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	size_t total = length_of(iov, count), done = 0;
	struct iovec rest[IOV_STACK];
	int error = begin(conn, fd, flags);
	if (error > 0)
		return fail(error);
	if (error == BROKEN) {
		error = taken_errno(conn);
		return error ? fail(error) : 0;
	}
	if (count > IOV_STACK)
		count = IOV_STACK; /* a short read is always allowed */
	for (;;) {
		int n_rest = advance(iov, count, done, rest);
		ssize_t n = total ? wire_read(conn, rest, n_rest, flags) : 0;
		if (n > 0)
			done += (size_t)n;
		bool more = (flags & MSG_WAITALL) && !(flags & MSG_PEEK) && n > 0 && done < total;
		if (n >= 0 && !more)
			break;
		if (n < 0 && moved_away(conn, fd, n))
			return real.readv(fd, iov, count);
		if (n < 0 && n != -EAGAIN) {
			egret_connect_broke(conn);
			return done ? (ssize_t)done : fail((int)-n);
		}
		if (n < 0 && egret_io_is_nonblocking(fd, flags))
			return done ? (ssize_t)done : fail(EAGAIN);
		if (n < 0 && !wait_readable(fd))
			return done ? (ssize_t)done : -1;
	}
	atomic_fetch_add(&conn->bytes_received, (flags & MSG_PEEK) ? 0 : (int64_t)done);
	return (ssize_t)done;
}

static ssize_t broken_pipe(int error, int flags)
{
	if (error == EPIPE && !(flags & MSG_NOSIGNAL))
		pthread_kill(pthread_self(), SIGPIPE);
	return fail(error);
}

static ssize_t wire_write(struct egret_conn *conn, const struct iovec *iov, int count)
{
	egret_guard_enter();
	ssize_t n = conn->observed ? egret_observed_write(conn->observed, iov, count) : egret_wire_write(&conn->wire, iov, count);
	egret_guard_leave();
	return n;
}

/* Waits until the send buffer takes more. 0, or a positive errno: EAGAIN after SO_SNDTIMEO, EINTR. */
static int wait_writable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int n = real.poll(&pfd, 1, timeout_of(fd, SO_SNDTIMEO));
	return n > 0 ? 0 : n == 0 ? EAGAIN : errno;
}

/* A blocking write ends with its last byte in the kernel. */
static void flush_stuck(struct egret_conn *conn, int fd)
{
	for (;;) {
		egret_guard_enter();
		int result = egret_wire_flush(&conn->wire);
		egret_guard_leave();
		if (result != -EAGAIN || (wait_writable(fd) != 0 && errno != EINTR))
			return;
	}
}

ssize_t egret_send_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	size_t total = length_of(iov, count), done = 0;
	struct iovec rest[IOV_STACK];
	int error = begin(conn, fd, flags);
	if (error > 0)
		return fail(error);
	if (error == BROKEN) {
		error = taken_errno(conn);
		return broken_pipe(error ? error : EPIPE, flags);
	}
	if (atomic_load_explicit(&conn->unspoken, memory_order_relaxed) && (error = egret_passthrough_within_tls(conn, iov, count)) != 0)
		return fail(error);
	if (atomic_load_explicit(&conn->asks, memory_order_relaxed) && egret_connect_answered(conn, iov, count))
		return (ssize_t)total;
	bool nonblocking = egret_io_is_nonblocking(fd, flags);
	while (done < total) {
		bool direct = done == 0 && count <= IOV_STACK;
		int n_rest = direct ? count : advance(iov, count, done, rest);
		ssize_t n = wire_write(conn, direct ? iov : rest, n_rest);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && moved_away(conn, fd, n))
			return real.writev(fd, iov, count);
		else if (n != -EAGAIN)
			return done ? (ssize_t)done : broken_pipe((int)-n, flags);
		if (done == total || (nonblocking && n > 0))
			break;
		if (nonblocking)
			return done ? (ssize_t)done : fail(EAGAIN);
		if ((error = wait_writable(fd)) != 0)
			return done ? (ssize_t)done : fail(error);
	}
	if (!nonblocking && conn->wrapped)
		flush_stuck(conn, fd);
	atomic_fetch_add(&conn->bytes_sent, (int64_t)done);
	return (ssize_t)done;
}

ssize_t egret_io_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	if (conn->wrapped || conn->observed)
		return egret_send_plain(conn, fd, message->msg_iov, (int)message->msg_iovlen, flags);
	if (conn->dns)
		return egret_dns_send(conn, fd, message, flags);
	if (atomic_load(&conn->passthrough))
		return egret_passthrough_send(conn, fd, message, flags);
	return real.sendmsg(fd, message, flags);
}
