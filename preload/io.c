#include "io.h"

#include "answer.h"
#include "conn_log.h"
#include "connect.h"
#include "dns_watch.h"
#include "moved.h"
#include "observed.h"
#include "passthrough.h"
#include "reach.h"
#include "ready.h"
#include "real.h"
#include "send_plain.h"
#include "waits.h"
#include "within.h"

#include "policy/raw.h"
#include "runtime.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>

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

int egret_io_await_open(struct egret_conn **held, int fd, int flags)
{
	int result;
	if (atomic_load(&(*held)->state) == EGRET_CONN_OPEN)
		return 0;
	while ((result = egret_connect_step(*held)) == -EAGAIN) {
		if (egret_io_is_nonblocking(fd, flags))
			return EAGAIN;
		int error = egret_wait_for(held, fd, (*held)->wire.wants, egret_connect_next_look(*held));
		if (error == EINTR || error == EGRET_WAIT_GONE)
			return error;
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

short egret_io_readable(struct egret_conn *conn)
{
	if (conn->observed)
		return egret_observed_readable(conn->observed) ? POLLIN | POLLRDNORM : 0;
	const struct egret_conn *busy = egret_within_conn;
	egret_within_conn = conn;
	short seen = egret_wire_readable(&conn->wire);
	egret_within_conn = busy;
	return seen;
}

size_t egret_io_available(struct egret_conn *conn)
{
	return conn->observed ? egret_observed_available(conn->observed) : egret_wire_available(&conn->wire);
}

void egret_io_take_over_lowat(struct egret_conn *conn, int fd)
{
	int bytes = 1, one = 1;
	socklen_t size = sizeof bytes;
	real.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &size);
	if (bytes != 1)
		real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	atomic_store(&conn->lowat, bytes);
	if (conn->observed || !conn->wrapped)
		return;
	egret_guard_enter();
	bool untold = egret_wire_set_least(&conn->wire, (size_t)bytes);
	if (untold || conn->wire.made_eof || egret_wire_hid_reset(&conn->wire))
		egret_ready_end_again(conn);
	egret_guard_leave();
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

/* Of a connection that has gone while the call waited: was it moved to a relay, so that FD is native now? */
static bool is_native_now(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len;
	return egret_moved_address(fd, true, &ss, &len);
}

/* Did another thread move the connection to a relay meanwhile? Then FD is native, once its slot is empty. */
static bool moved_away(const struct egret_conn *conn, int fd, ssize_t result)
{
	while (result == -ESTALE && egret_conn_other_fd(conn) >= 0 && egret_conn_has(fd))
		sched_yield();
	return (result == -ESTALE && is_native_now(fd)) || (result == -ENOTSOCK && egret_conn_drop_stale(conn, fd));
}

/* Does another thread close FD, as far as a call that ended with RESULT can tell? Then what it says is not for the kernel, and nobody's fault. */
static bool is_closed(const struct egret_conn *conn, ssize_t result)
{
	return result == -ESTALE || (conn->wrapped && (atomic_load(&conn->wire.fd) < 0 || (result == -EPIPE && atomic_load(&conn->fd_count) == 0)));
}

/* What every transfer asks first. 0: open; a positive errno: not now, or not at all; BROKEN; EGRET_WAIT_GONE. */
static int begin(struct egret_conn **held, int fd, int flags)
{
	if (!egret_wait_no_more(held))
		return EGRET_WAIT_GONE;
	if (!egret_conn_own(*held))
		return atomic_load(&(*held)->fd_count) ? EIO : EBADF;
	int error = egret_io_await_open(held, fd, flags);
	return error == 0 || error == EAGAIN || error == EINTR || error == EGRET_WAIT_GONE ? error : BROKEN;
}

/* Bytes of IOV, as many as one call transfers; a negative errno as readv(2) gives it. DROPS: no memory is needed. What IOV points to is
 * looked at when there is something to copy, as the kernel does it. */
static ssize_t length_of(const struct iovec *iov, int count, bool drops)
{
	size_t total = 0;
	if (!egret_can_read(iov, (size_t)count * sizeof *iov))
		return -EFAULT;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > SSIZE_MAX)
			return -EINVAL;
		if (!drops && !egret_is_own_range(iov[i].iov_base, iov[i].iov_len))
			return -EFAULT;
		total = iov[i].iov_len < EGRET_IO_MOST - total ? total + iov[i].iov_len : EGRET_IO_MOST;
	}
	return (ssize_t)total;
}

bool egret_io_is_nothing(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if (!egret_can_read(&iov[i], sizeof iov[i]) || iov[i].iov_len)
			return false;
	return true;
}

int egret_io_advance(const struct iovec *iov, int count, size_t skip, struct iovec *out)
{
	int n = 0;
	for (int i = 0; i < count && n < EGRET_IO_PIECES; i++) {
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

/* ---- receiving ---- */

/* Where the program's bytes come out: what is there now, into IOV behind its first DONE bytes. A count, or a negative errno. */
static ssize_t take_plain(struct egret_conn *conn, const struct iovec *iov, int count, size_t done, int flags)
{
	struct iovec rest[EGRET_IO_PIECES];
	int n_rest = done ? egret_io_advance(iov, count, done, rest) : count;
	egret_within_enter(conn);
	ssize_t n = conn->observed ? egret_observed_read(conn->observed, done ? rest : iov, n_rest, flags & (MSG_PEEK | MSG_WAITALL)) :
				     egret_wire_read(&conn->wire, done ? rest : iov, n_rest, flags);
	egret_within_leave();
	return n;
}

/* Waits until there may be more to read. 0, or a positive errno, as egret_wait_in_recv. A second wait of one call has what time the first left. PART:
 * the call has something to return, which a signal makes it do, SA_RESTART or not. */
static int wait_readable(struct egret_conn **held, int fd, int flags, struct egret_patience *patience, bool part)
{
	if ((flags & MSG_DONTWAIT) || (part && egret_io_is_nonblocking(fd, flags)))
		return EAGAIN;
	int64_t started = patience->started_us;
	if (!started && !part) {
		patience->started_us = egret_now_us();
		return egret_wait_in_recv(held, fd);
	}
	egret_patience_begin(patience, fd);
	patience->started_us = started ? started : patience->started_us;
	if (patience->limit_ms < 0 && !part)
		return egret_wait_in_recv(held, fd);
	return egret_wait_for_rest(held, fd, egret_patience_left(patience));
}

/* A program that wrote and now reads with a descriptor that blocks: there will be nothing yet. Waiting first saves a system call. */
static bool expects_to_wait(struct egret_conn *conn, int flags)
{
	return atomic_load_explicit(&conn->wrote, memory_order_relaxed) && atomic_load_explicit(&conn->waits, memory_order_relaxed) &&
	       !(flags & (MSG_DONTWAIT | MSG_PEEK)) && atomic_load_explicit(&conn->lowat, memory_order_relaxed) == 1 && !egret_answer_due(conn);
}

/* Bytes that a call which may wait waits for, socket(7), recv(2). */
static size_t enough(struct egret_conn *conn, int flags, size_t total)
{
	size_t lowat = (size_t)atomic_load_explicit(&conn->lowat, memory_order_relaxed);
	return (flags & MSG_WAITALL) || total < lowat ? total : lowat;
}

/* Receives into IOV until it is enough. A count, or a negative errno; *HELD is NULL when the connection has gone. */
static ssize_t receive(struct egret_conn **held, int fd, const struct iovec *iov, int count, size_t total, int flags)
{
	struct egret_conn *conn = *held;
	struct egret_patience patience = { .option = SO_RCVTIMEO };
	size_t done = 0, target = enough(conn, flags, total);
	int how = flags & (MSG_PEEK | MSG_TRUNC), error = 0;
	bool peeks_all = (flags & (MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT)) == (MSG_PEEK | MSG_WAITALL);
	if (peeks_all && !conn->wrapped) {
		ssize_t n = egret_wait_and_peek(held, fd, iov, count);
		if (n != 0)
			return n;
		target = 1;
	}
	how |= peeks_all ? MSG_WAITALL : 0;
	if (expects_to_wait(conn, flags))
		error = wait_readable(held, fd, flags, &patience, false);
	while (error == 0 || (error == ENODATA && !done)) {
		error = 0;
		ssize_t n = take_plain(conn, iov, count, (flags & MSG_PEEK) ? 0 : done, how);
		if (n > 0)
			done = (flags & MSG_PEEK) ? (size_t)n : done + (size_t)n;
		if (n == 0 || (n > 0 && (done >= target || (peeks_all && egret_answer_due(conn)))))
			break; /* behind an answer of ours there may be nothing for which the kernel could wake anybody */
		if (n > 0 && !(flags & MSG_PEEK))
			continue;
		error = n > 0 || n == -EAGAIN ? wait_readable(held, fd, flags, &patience, done > 0) : (int)-n;
		if (n < 0 && n != -EAGAIN && done && !conn->observed) {
			egret_guard_enter();
			egret_wire_give_back_error(&conn->wire, error);
			egret_guard_leave();
		}
	}
	if (!*held)
		return done ? (ssize_t)done : -EGRET_WAIT_GONE;
	if (peeks_all && conn->wrapped && done < target) {
		egret_guard_enter();
		egret_wire_readable(&conn->wire);
		egret_guard_leave();
	}
	atomic_store_explicit(&conn->wrote, false, memory_order_relaxed);
	return done || !error ? (ssize_t)done : -error;
}

static ssize_t receive_held(struct egret_conn **held, int fd, const struct iovec *iov, int count, int flags)
{
	struct egret_conn *conn = *held;
	ssize_t total = length_of(iov, count, (flags & MSG_TRUNC) != 0);
	if (total < 0)
		return fail((int)-total);
	if ((flags & MSG_TRUNC) && conn->observed)
		return fail(EOPNOTSUPP); /* every byte of a response is read */
	if (flags & MSG_OOB)
		return fail(EINVAL); /* no urgent data, tcp(7): TLS has none */
	int error = begin(held, fd, flags);
	if (error > 0)
		return fail(error);
	if (error == BROKEN) {
		error = taken_errno(conn);
		return error ? fail(error) : 0;
	}
	ssize_t n = receive(held, fd, iov, count, (size_t)total, flags);
	if (!*held)
		return n < 0 ? fail(EGRET_WAIT_GONE) : n;
	if (n < 0 && moved_away(conn, fd, n))
		return real.readv(fd, iov, count);
	if (n < 0 && is_closed(conn, n))
		return fail(EBADF);
	if (n < 0 && n != -EAGAIN && n != -EFAULT) {
		egret_connect_broke(conn);
		egret_conn_log_outcome(conn, (int)-n);
	}
	if (n < 0)
		return fail((int)-n);
	if (!(flags & MSG_PEEK))
		atomic_fetch_add_explicit(&conn->bytes_received, n, memory_order_relaxed);
	return n;
}

ssize_t egret_receive_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	ssize_t n = receive_held(&conn, fd, iov, count, flags);
	if (!conn && n < 0)
		return is_native_now(fd) ? real.readv(fd, iov, count) : 0;
	egret_conn_put(conn);
	return n;
}

/* ---- sending ---- */

static ssize_t broken_pipe(int error, int flags)
{
	if (error == EPIPE && !(flags & MSG_NOSIGNAL))
		egret_raw(SYS_tgkill, egret_raw(SYS_getpid, 0, 0, 0, 0), egret_raw(SYS_gettid, 0, 0, 0, 0), SIGPIPE, 0);
	return fail(error);
}

/* Where the program's bytes go in: what fits now, of IOV behind its first DONE bytes. A count, or a negative errno. */
static ssize_t give_plain(struct egret_conn *conn, const struct iovec *iov, int count, size_t done)
{
	struct iovec rest[EGRET_IO_PIECES];
	int n_rest = done ? egret_io_advance(iov, count, done, rest) : count;
	egret_within_enter(conn);
	ssize_t n = conn->observed ? egret_observed_write(conn->observed, done ? rest : iov, n_rest) :
				     egret_wire_write(&conn->wire, done ? rest : iov, n_rest);
	egret_within_leave();
	return n;
}

int egret_io_wait_for_room(struct egret_conn **held, int fd, int flags, struct egret_patience *patience, bool cancels)
{
	if (egret_io_is_nonblocking(fd, flags))
		return EAGAIN;
	if (patience->started_us == 0)
		egret_patience_begin(patience, fd);
	int left = egret_patience_left(patience);
	return left == 0 ? EAGAIN : egret_wait_for_room(held, fd, left, cancels);
}

static int flush(struct egret_conn *conn)
{
	egret_guard_enter();
	int result = egret_wire_flush(&conn->wire);
	egret_guard_leave();
	return result;
}

/* Sends all of IOV, or what fits when the descriptor does not block. A count, or a negative errno; *HELD is NULL when the connection has gone. */
static ssize_t send_all(struct egret_conn **held, int fd, const struct iovec *iov, int count, size_t total, int flags)
{
	struct egret_conn *conn = *held;
	struct egret_patience patience = { .option = SO_SNDTIMEO };
	size_t done = 0;
	for (;;) {
		ssize_t n = give_plain(conn, iov, count, done);
		done += n > 0 ? (size_t)n : 0;
		if (done >= total && n >= 0)
			break;
		if (n < 0 && n != -EAGAIN)
			return done ? (ssize_t)done : n;
		int error = n > 0 && count > EGRET_IO_PIECES ? 0 : egret_io_wait_for_room(held, fd, flags, &patience, true);
		if (error)
			return done ? (ssize_t)done : -error;
	}
	while (conn->wire.stuck && flush(conn) == -EAGAIN) /* a blocking write ends with its last byte in the kernel */
		if (egret_io_wait_for_room(held, fd, flags, &patience, true))
			break;
	return (ssize_t)done;
}

/* False: errno is set. */
static bool may_send(struct egret_conn **held, int fd, int flags)
{
	int error = begin(held, fd, flags), taken = error == BROKEN ? taken_errno(*held) : 0;
	if (error == BROKEN)
		broken_pipe(taken ? taken : EPIPE, flags);
	else if (error)
		fail(error);
	return error == 0;
}

/* Is what the program writes read before it is encrypted? */
static bool is_looked_at(const struct egret_conn *conn)
{
	return conn->observed || atomic_load_explicit(&conn->unspoken, memory_order_relaxed) || atomic_load_explicit(&conn->asks, memory_order_relaxed);
}

/* SO_ZEROCOPY was set before egret knew the connection: its program waits for a notice of each send, and sends with a copy when it is told that
 * there is no room for them. */
static bool wants_notices(int fd)
{
	int on = 0;
	socklen_t size = sizeof on;
	return real.getsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, &size) == 0 && on;
}

/* On what a relay has the other end of, or what is no socket any more. */
static ssize_t native_send(int fd, const struct iovec *iov, int count, int flags)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
	return flags ? egret_send_plain_message(fd, &message, flags) : real.writev(fd, iov, count);
}

static ssize_t send_held(struct egret_conn **held, int fd, const struct iovec *iov, int count, int flags)
{
	struct egret_conn *conn = *held;
	ssize_t total = length_of(iov, count, false);
	if (total < 0)
		return fail((int)-total);
	if (flags & MSG_OOB)
		return fail(EOPNOTSUPP);
	if ((flags & MSG_ZEROCOPY) && total > 0 && wants_notices(fd))
		return fail(ENOBUFS);
	int error;
	if (!may_send(held, fd, flags))
		return (flags & MSG_FASTOPEN) && errno == EAGAIN ? fail(EALREADY) : -1;
	if ((flags & MSG_FASTOPEN) && atomic_exchange(&conn->reported, true))
		return fail(EISCONN); /* the first time it is a connect that learns of its end, tcp_sendmsg_fastopen */
	bool unreadable = is_looked_at(conn) && !egret_can_read_pieces(iov, count, 0, (size_t)total);
	if (unreadable && conn->observed)
		return fail(EFAULT);
	if (!unreadable && atomic_load_explicit(&conn->unspoken, memory_order_relaxed) && (error = egret_passthrough_within_tls(conn, iov, count)) != 0)
		return fail(error);
	if (!unreadable && atomic_load_explicit(&conn->asks, memory_order_relaxed)) {
		if (egret_connect_answered(conn, iov, count))
			return total;
		if (!may_send(held, fd, flags))
			return -1;
	}
	bool first = atomic_load_explicit(&conn->prompt, memory_order_relaxed) == EGRET_PROMPT_DUE && total > 0 && egret_connect_speaks(conn);
	ssize_t n = send_all(held, fd, iov, count, (size_t)total, flags);
	if (!*held)
		return n < 0 ? fail(EGRET_WAIT_GONE) : n;
	if (first)
		egret_connect_spoken(conn, n > 0);
	if (n < 0 && moved_away(conn, fd, n))
		return native_send(fd, iov, count, flags);
	if (n < 0 && is_closed(conn, n))
		return fail(EBADF);
	if (n < 0) {
		egret_conn_log_outcome(conn, (int)-n);
		return broken_pipe((int)-n, flags);
	}
	atomic_store_explicit(&conn->wrote, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&conn->bytes_sent, n, memory_order_relaxed);
	return n;
}

ssize_t egret_send_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	ssize_t n = send_held(&conn, fd, iov, count, flags);
	if (!conn && n < 0)
		return is_native_now(fd) ? native_send(fd, iov, count, flags) : broken_pipe(EPIPE, flags);
	egret_conn_put(conn);
	return n;
}

/* The same where the kernel carries the bytes, which are looked at. */
static ssize_t send_looked_at(struct egret_conn **held, int fd, const struct msghdr *message, int flags)
{
	ssize_t total = length_of(message->msg_iov, (int)message->msg_iovlen, false);
	if (total < 0 || !egret_can_read_pieces(message->msg_iov, (int)message->msg_iovlen, 0, (size_t)total))
		return fail(total < 0 ? (int)-total : EFAULT);
	if ((*held)->dns)
		return egret_dns_send(*held, fd, message, flags);
	return egret_passthrough_send(held, fd, message, flags);
}

ssize_t egret_io_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	if (conn->wrapped || conn->observed)
		return egret_send_plain(conn, fd, message->msg_iov, (int)message->msg_iovlen, flags);
	if (!conn->dns && !atomic_load(&conn->passthrough)) {
		egret_conn_put(conn); /* a peer of another name is all that it knows */
		return egret_send_plain_message(fd, message, flags);
	}
	ssize_t n = send_looked_at(&conn, fd, message, flags);
	egret_conn_put(conn);
	return n;
}
