/* poll, select and their like: a wake-up that brings nothing for the program is swallowed, a handshake is driven on the way.
 *
 * Without a governed connection in the process each of these costs one load more than the libc's.
 */
#include "answer.h"
#include "connect.h"
#include "deadline.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "policy/raw.h"
#include "reach.h"
#include "real.h"
#include "runtime.h"
#include "waits.h"

#include <stdlib.h>
#include <string.h>

extern void __chk_fail(void) __attribute__((noreturn));

#define READ_EVENTS (POLLIN | POLLRDNORM)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM | POLLWRBAND)

static bool under_way(struct egret_conn *conn)
{
	int state = atomic_load(&conn->state);
	return state == EGRET_CONN_CONNECTING || state == EGRET_CONN_HANDSHAKING;
}

static short look_readable(struct egret_conn *conn)
{
	if (!egret_conn_own(conn))
		return POLLIN;
	egret_guard_enter();
	short seen = egret_io_readable(conn);
	egret_guard_leave();
	if (seen)
		atomic_store_explicit(&conn->wrote, false, memory_order_relaxed);
	return seen;
}

/* What is waited for, without a reference meanwhile (conn.h). */
struct waited {
	struct egret_conn *conn; /* NULL: none whose answers may come from here */
	uint64_t serial;
};

/* False: no need to wait. */
static bool begin_wait(struct egret_conn *conn, struct waited *waited)
{
	if (!conn->observed)
		return true;
	*waited = (struct waited){ conn, conn->serial };
	return egret_answer_wait(conn);
}

static void end_waits(const struct waited *waited, nfds_t count)
{
	for (nfds_t i = 0; i < count; i++)
		if (waited[i].conn && egret_conn_rejoin(waited[i].conn, waited[i].serial)) {
			egret_answer_waited(waited[i].conn);
			egret_conn_put(waited[i].conn);
		}
}

static int earlier(int bound, int other) { return bound < 0 || (other >= 0 && other < bound) ? other : bound; }

/* Who waits for room is told when another thread shuts both halves, see egret_wait_for_room. ENDED: an end was met, which tells no more. */
static int watch_for_shut(const struct egret_conn *conn, struct pollfd *work, bool ended)
{
	if (!conn->wrapped || !(work->events & WRITE_EVENTS) || (work->events & POLLRDHUP))
		return -1;
	work->events |= ended ? 0 : POLLRDHUP;
	return ended ? EGRET_WAIT_LOOK_MS : -1;
}

/* What the kernel is asked instead of FDS. Returns the milliseconds until something is to be looked at (the first handshake gives up), -1:
 * nothing. */
static int prepare(const struct pollfd *fds, struct pollfd *work, struct waited *waited, nfds_t count, bool ended)
{
	int bound = -1;
	for (nfds_t i = 0; i < count; i++) {
		work[i] = fds[i];
		work[i].revents = 0;
		waited[i].conn = NULL;
		struct egret_conn *conn = egret_io_wrapped(fds[i].fd);
		if (conn && under_way(conn) && egret_connect_step(conn) == -EAGAIN) {
			bound = earlier(bound, egret_connect_next_look(conn));
			work[i].events = conn->wire.wants;
		} else if (conn && (work[i].events & READ_EVENTS) && (!begin_wait(conn, &waited[i]) || egret_answer_due(conn))) {
			bound = 0;
		} else if (conn && conn->wire.fin_due) {
			bound = 0;
		} else if (conn) {
			bound = earlier(bound, watch_for_shut(conn, &work[i], ended));
		}
		egret_conn_put(conn);
	}
	return bound;
}

/* What the kernel's queue does not show. */
static short event_of_answer(const struct egret_conn *conn, const struct pollfd *fd)
{
	return egret_answer_due(conn) && atomic_load(&conn->state) == EGRET_CONN_OPEN ? fd->events & READ_EVENTS : 0;
}

/* What failed may have been an endpoint of a connect of another thread's that is at the next by now: is it still so? */
static void look_again(const struct egret_conn *conn, struct pollfd *work)
{
	if (!(work->revents & (POLLERR | POLLHUP)))
		return;
	const struct timespec now = { 0 };
	bool dials_on = egret_connect_dials_on(conn);
	long n = egret_raw6(SYS_ppoll, (long)work, 1, (long)&now, 0, 8, 0); /* nobody is cancelled here */
	if (n <= 0 || dials_on)
		work->revents = 0;
}

/* Turns what the kernel answered into what the program sees. Returns how many have events; *AGAIN: something moved on, ask anew; *ENDED: an end
 * was met that nobody asked for. */
static int settle(struct pollfd *fds, struct pollfd *work, nfds_t count, bool *again, bool *ended)
{
	int ready = 0;
	for (nfds_t i = 0; i < count; i++) {
		struct egret_conn *conn = egret_io_wrapped(fds[i].fd);
		if (conn)
			look_again(conn, &work[i]);
		*ended = *ended || (work[i].revents & ~fds[i].events & POLLRDHUP);
		work[i].revents &= fds[i].events | ~POLLRDHUP;
		fds[i].revents = work[i].revents;
		if (conn && work[i].revents && under_way(conn)) {
			*again = *again || egret_connect_step(conn) != -EAGAIN;
			fds[i].revents = 0;
		} else if (conn && work[i].revents && atomic_load(&conn->state) == EGRET_CONN_FAILED) {
			fds[i].revents |= atomic_load(&conn->connect_errno) ? POLLERR : 0; /* until the program was told */
		} else if (conn && ((work[i].revents | event_of_answer(conn, &fds[i])) & READ_EVENTS)) {
			short seen = look_readable(conn);
			fds[i].revents = (short)((fds[i].revents & ~READ_EVENTS) | (seen & (fds[i].events | POLLERR)));
		}
		if (conn)
			fds[i].revents |= egret_wire_shut_events(&conn->wire) & (fds[i].events | POLLHUP);
		if (conn && work[i].revents && conn->wire.error_once)
			fds[i].revents |= POLLERR; /* the kernel's, which reading took from it */
		if (conn && (fds[i].revents & POLLERR) && egret_wire_hides_reset(&conn->wire))
			fds[i].revents &= ~POLLERR;
		egret_conn_put(conn);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* The time that is left, cut to BOUND milliseconds; NULL: for ever. */
static struct timespec *time_left(int64_t deadline, int bound, struct timespec *ts)
{
	int64_t left = deadline < 0 ? -1 : deadline - egret_now_us();
	if (deadline >= 0 && left < 0)
		left = 0;
	if (bound >= 0 && (left < 0 || left > (int64_t)bound * 1000))
		left = (int64_t)bound * 1000;
	if (left < 0)
		return NULL;
	ts->tv_sec = left / 1000000;
	ts->tv_nsec = left % 1000000 * 1000;
	return ts;
}

static int poll_governed(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, struct pollfd *work,
			 struct waited *waited)
{
	int64_t deadline = egret_deadline_of(timeout);
	bool ended = false;
	for (;;) {
		struct timespec ts;
		bool again = false;
		int bound = prepare(fds, work, waited, count, ended), n, error;
		n = real.ppoll(work, count, time_left(deadline, bound, &ts), mask);
		error = errno;
		end_waits(waited, count);
		errno = error;
		if (n < 0)
			return -1;
		int ready = settle(fds, work, count, &again, &ended);
		if (ready > 0)
			return ready;
		if (!again && deadline >= 0 && egret_now_us() >= deadline)
			return 0;
	}
}

#define STACK_FDS 64

static int poll_any(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd stack[STACK_FDS], *work = stack;
	struct waited stack_waited[STACK_FDS], *waited = stack_waited;
	if (count > STACK_FDS) {
		work = malloc(count * (sizeof *work + sizeof *waited));
		waited = (struct waited *)(work + count);
	}
	if (!work) {
		errno = ENOMEM;
		return -1;
	}
	int result = poll_governed(fds, count, timeout, mask, work, waited);
	int error = errno;
	if (work != stack)
		free(work);
	errno = error;
	return result;
}

/* Of what cannot be read none: the kernel says so. */
static bool any_governed(const struct pollfd *fds, nfds_t count)
{
	if (!egret_can_read(fds, count * sizeof *fds))
		return false;
	for (nfds_t i = 0; i < count; i++)
		if (egret_conn_has(fds[i].fd))
			return true;
	return false;
}

int egret_on_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 || !any_governed(fds, count))
		return real.poll(fds, count, timeout);
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000L };
	return poll_any(fds, count, timeout < 0 ? NULL : &ts, NULL);
}

int egret_on_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 || !any_governed(fds, count) || !egret_is_timeout(timeout))
		return real.ppoll(fds, count, timeout, mask);
	return poll_any(fds, count, timeout, mask);
}

int egret_on_poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (room / sizeof *fds < count)
		__chk_fail();
	return egret_on_poll(fds, count, timeout);
}

int egret_on_ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
	if (room / sizeof *fds < count)
		__chk_fail();
	return egret_on_ppoll(fds, count, timeout, mask);
}

/* ---- select, by way of poll ---- */

/* Sets may be larger than FD_SETSIZE when the program says so: bits are read by hand. */
static bool in_set(const fd_set *set, int fd)
{
	return set && (((const unsigned long *)set)[fd / (8 * (int)sizeof(long))] >> (fd % (8 * (int)sizeof(long))) & 1);
}

static void keep_in_set(fd_set *set, int fd, bool keep)
{
	if (set && !keep)
		((unsigned long *)set)[fd / (8 * (int)sizeof(long))] &= ~(1UL << (fd % (8 * (int)sizeof(long))));
}

static short events_in(int fd, const fd_set *reads, const fd_set *writes, const fd_set *excepts)
{
	return (short)((in_set(reads, fd) ? POLLIN : 0) | (in_set(writes, fd) ? POLLOUT : 0) | (in_set(excepts, fd) ? POLLPRI : 0));
}

static nfds_t count_set(int count, const fd_set *reads, const fd_set *writes, const fd_set *excepts)
{
	nfds_t n = 0;
	for (int fd = 0; fd < count; fd++)
		n += events_in(fd, reads, writes, excepts) != 0;
	return n;
}

static nfds_t to_poll(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct pollfd *fds)
{
	nfds_t n = 0;
	for (int fd = 0; fd < count; fd++) {
		short events = events_in(fd, reads, writes, excepts);
		if (events)
			fds[n++] = (struct pollfd){ .fd = fd, .events = events };
	}
	return n;
}

static bool is_ready(const struct pollfd *fd, short asked, short answers) { return (fd->events & asked) && (fd->revents & answers); }

#define CAN_READ(fd) is_ready(fd, POLLIN, POLLIN | POLLHUP | POLLERR)
#define CAN_WRITE(fd) is_ready(fd, POLLOUT, POLLOUT | POLLERR)
#define HAS_EXCEPT(fd) is_ready(fd, POLLPRI, POLLPRI)

/* select(2) counts bits, and says EBADF where poll says POLLNVAL. */
static int count_bits(const struct pollfd *fds, nfds_t n)
{
	int bits = 0;
	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].revents & POLLNVAL) {
			errno = EBADF;
			return -1;
		}
		bits += CAN_READ(&fds[i]) + CAN_WRITE(&fds[i]) + HAS_EXCEPT(&fds[i]);
	}
	return bits;
}

static void to_sets(const struct pollfd *fds, nfds_t n, fd_set *reads, fd_set *writes, fd_set *excepts)
{
	for (nfds_t i = 0; i < n; i++) {
		keep_in_set(reads, fds[i].fd, CAN_READ(&fds[i]));
		keep_in_set(writes, fds[i].fd, CAN_WRITE(&fds[i]));
		keep_in_set(excepts, fds[i].fd, HAS_EXCEPT(&fds[i]));
	}
}

static bool is_set_readable(const fd_set *set, int count) { return !set || egret_can_read(set, ((size_t)count + 63) / 64 * sizeof(long)); }

static bool any_governed_set(int count, fd_set *reads, fd_set *writes, fd_set *excepts)
{
	if (!is_set_readable(reads, count) || !is_set_readable(writes, count) || !is_set_readable(excepts, count))
		return false;
	for (int fd = egret_conn_next_fd(0); fd >= 0 && fd < count; fd = egret_conn_next_fd(fd + 1))
		if (in_set(reads, fd) || in_set(writes, fd))
			return true;
	return false;
}

static int select_governed(int count, fd_set *reads, fd_set *writes, fd_set *excepts, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd stack[STACK_FDS], *fds = stack;
	if (count_set(count, reads, writes, excepts) > STACK_FDS)
		fds = malloc((size_t)count * sizeof *fds);
	if (!fds) {
		errno = ENOMEM;
		return -1;
	}
	int64_t deadline = egret_deadline_of(timeout);
	nfds_t n = to_poll(count, reads, writes, excepts, fds);
	int result;
	do { /* a bare POLLHUP wakes poll, but is nothing to a select that only asks to write */
		struct timespec ts;
		result = poll_any(fds, n, time_left(deadline, -1, &ts), mask);
		if (result > 0)
			result = count_bits(fds, n);
	} while (result == 0 && (deadline < 0 || egret_now_us() < deadline));
	if (result >= 0)
		to_sets(fds, n, reads, writes, excepts);
	int error = errno;
	if (fds != stack)
		free(fds);
	errno = error;
	return result;
}

int egret_on_pselect(int count, fd_set *reads, fd_set *writes, fd_set *excepts, const struct timespec *timeout, const sigset_t *mask)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 || count <= 0 || !any_governed_set(count, reads, writes, excepts) ||
	    !egret_is_timeout(timeout))
		return real.pselect(count, reads, writes, excepts, timeout, mask);
	return select_governed(count, reads, writes, excepts, timeout, mask);
}

int egret_on_select(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct timeval *timeout)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 || count <= 0 || !any_governed_set(count, reads, writes, excepts) ||
	    (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
		return real.select(count, reads, writes, excepts, timeout);
	struct timespec ts = { 0 };
	int64_t start = egret_now_us();
	if (timeout) /* of microseconds there may be a million and more */
		ts = (struct timespec){ timeout->tv_sec + timeout->tv_usec / 1000000, timeout->tv_usec % 1000000 * 1000 };
	int result = select_governed(count, reads, writes, excepts, timeout ? &ts : NULL, NULL);
	if (timeout && ts.tv_sec < EGRET_LONGEST_S) { /* Linux tells how much time is left, select(2) */
		int64_t left = ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000 - (egret_now_us() - start);
		left = left < 0 ? 0 : left;
		*timeout = (struct timeval){ left / 1000000, left % 1000000 };
	}
	return result;
}
