/* Descriptors come and go: dup'ed ones share a connection, the last close ends it as TCP would. */
#include "append.h"
#include "conn_log.h"
#include "connect.h"
#include "copies.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "linger.h"
#include "passthrough.h"
#include "policy/raw.h"
#include "ready.h"
#include "real.h"
#include "relay.h"
#include "say.h"
#include "streams.h"

#include <limits.h>
#include <string.h>

/* A close does not wait, as TCP's does not: what is not sent yet is seen off by a relay. Tickets that nobody read are taken out, so that
 * the kernel sends a FIN and no reset; those that come after the close only the relay can meet: the kernel's reset would throw away all
 * that waits for the server to read on. What FD has registered would live as long as the relay has the socket. */
static void say_goodbye(struct egret_conn *conn, int fd)
{
	if (egret_linger_resets(conn))
		return; /* no close_notify: the server must not take it for an end */
	bool alone = egret_lines_alone(&conn->lines);
	int cancels = egret_guard_enter_whole();
	int result = egret_io_finish(conn);
	if (result == -EIO) { /* another process has it, since a moment ago */
		egret_guard_leave_whole(cancels);
		return;
	}
	bool stuck = result == -EAGAIN || result == -ENOMEM;
	if (!egret_relay_is_needed(conn, stuck) || egret_relay_finish(conn) != 0)
		egret_wire_drain(&conn->wire);
	else if (alone)
		egret_ready_withdraw(fd);
	egret_guard_leave_whole(cancels);
}

/* Has another process, whose connection it was, left it to a relay, and holds it no more? Then only that keeps alive what is registered here. */
static bool is_seen_off(struct egret_conn *conn)
{
	return atomic_load(conn->owner) == EGRET_OWNER_RELAY && egret_lines_alone(&conn->lines);
}

/* The wire's descriptor is HEIR from now on, -1: none. Where the connection may be another process's its locks are left alone: after a fork
 * they may be held for ever by threads that only the parent has. */
static void pass_down(struct egret_conn *conn, int heir)
{
	egret_guard_enter();
	if (egret_conn_may_end(conn))
		egret_wire_set_fd(&conn->wire, heir);
	else
		atomic_store(&conn->wire.fd, heir);
	egret_guard_leave();
}

/* FD is about to mean something else, or nothing; the caller says LEFT behind that. */
static struct egret_conn *let_go(int fd)
{
	struct egret_conn *conn = egret_conn_leave(fd);
	int heir = conn && atomic_load(&conn->fd_count) > 0 ? egret_conn_other_fd(conn) : -1;
	bool stale = conn && egret_conn_is_stale(conn, fd), last = conn && heir < 0;
	if (last)
		egret_conn_log_given_up(conn);
	if (last && !stale && conn->wrapped && atomic_load(&conn->state) == EGRET_CONN_OPEN && egret_conn_may_end(conn))
		say_goodbye(conn, fd);
	else if (last && !stale && conn->wrapped && is_seen_off(conn))
		egret_ready_withdraw(fd);
	egret_ready_forget(fd, heir);
	if (!conn)
		return NULL;
	if (heir >= 0) {
		if (conn->wire.fd == fd)
			pass_down(conn, heir);
	} else if (conn->wrapped) {
		egret_ready_connect_ended(conn);
		pass_down(conn, -1); /* a thread that waits on it still must not meet what gets the number next */
	} else {
		egret_passthrough_end(conn, fd);
	}
	return conn;
}

static void left(int fd, struct egret_conn *conn)
{
	if (conn)
		egret_conn_left(fd, conn);
}

void egret_fd_farewell(void)
{
	if (atomic_load(&egret_conn_live) == 0 || !egret_conn_registry_is_ours())
		return;
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = egret_io_wrapped(fd);
		if (conn && conn->wrapped && atomic_load(&conn->state) == EGRET_CONN_OPEN && !egret_conn_is_stale(conn, fd) && egret_conn_may_end(conn))
			say_goodbye(conn, fd);
		egret_conn_put(conn);
	}
}

static int fresh(int fd)
{
	if (fd >= 0)
		egret_conn_fresh(fd);
	return fd;
}

int egret_on_socket(int domain, int type, int protocol)
{
	int fd = fresh(real.socket(domain, type, protocol));
	egret_copies_made_alone(fd);
	return fd;
}

int egret_on_socketpair(int domain, int type, int protocol, int pair[2])
{
	int result = real.socketpair(domain, type, protocol, pair);
	if (result == 0) {
		fresh(pair[0]);
		fresh(pair[1]);
	}
	return result;
}

int egret_on_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return fresh(real.accept(fd, addr, len));
}

int egret_on_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fresh(real.accept4(fd, addr, len, flags));
}

static bool concerns_us(int fd)
{
	return egret_conn_has(fd) && egret_conn_registry_is_ours();
}

/* A thread that is cancelled in close leaves the descriptor open, and what it is: where it were given up here already, the program's words
 * would go out in the clear. */
static int close_ours(int fd)
{
	int cancels;
	pthread_testcancel();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
	struct egret_conn *conn = let_go(fd);
	int result = real.close(fd), error = errno; /* which may linger: handlers that run meanwhile are not inside the library */
	left(fd, conn);
	errno = error;
	pthread_setcancelstate(cancels, NULL);
	return result;
}

/* FD, which is no connection, may be registered somewhere. */
static void forget_other(int fd)
{
	if (egret_ready_knows(fd) && egret_conn_registry_is_ours())
		egret_ready_forget(fd, -1);
}

int egret_on_close(int fd)
{
	egret_append_lost(fd, fd);
	if (concerns_us(fd))
		return close_ours(fd);
	forget_other(fd);
	egret_copies_unsure(fd);
	return real.close(fd);
}

int egret_on_close_range(unsigned first, unsigned last, int flags)
{
	bool ours = first <= last && first <= INT_MAX && egret_conn_registry_is_ours();
	for (int fd = ours ? egret_conn_next_fd((int)first) : -1; fd >= 0 && (unsigned)fd <= last; fd = egret_conn_next_fd(fd + 1)) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			egret_conn_set_cloexec(fd, true);
		else
			egret_conn_put(let_go(fd));
	}
	if (first <= INT_MAX && !(flags & CLOSE_RANGE_CLOEXEC))
		egret_append_lost((int)first, last <= INT_MAX ? (int)last : INT_MAX);
	int result = real.close_range(first, last, flags), error = errno;
	for (int fd = ours ? egret_conn_next_fd((int)first) : -1; fd >= 0 && (unsigned)fd <= last; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = egret_conn_get_as_is(fd);
		if (conn && !(flags & CLOSE_RANGE_CLOEXEC))
			egret_conn_drop_stale(conn, fd);
		egret_conn_put(conn);
	}
	errno = error;
	return result;
}

void egret_on_closefrom(int first)
{
	egret_on_close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

/* stdio writes to the numbers of its streams without asking anybody: a connection that lands on one is moved to a relay first. One whose
 * ClientHello is still to be judged cannot be. False: it must not land there; errno is set. */
bool egret_fd_may_land(int fd, int to)
{
	struct egret_conn *conn = egret_stdio_has(to) ? egret_conn_get(fd) : NULL;
	bool unjudged = conn && egret_passthrough_is_unjudged(conn);
	int error = unjudged ? EPERM : conn && (conn->wrapped || conn->observed) ? egret_relay_move(conn) : 0;
	if (error)
		egret_say("egret: entry [%s]: a connection to %s cannot become descriptor %d: stdio would write to it past egret, and no relay could "
			  "take it (%s); the program was refused (EPERM)", conn->entry->name, conn->host, to, strerror(error));
	egret_conn_put(conn);
	errno = error ? EPERM : errno;
	return error == 0;
}

/* dup and F_DUPFD choose the number themselves: the lowest free one. */
static bool may_land_at_or_above(int fd, int from)
{
	for (int to = from; to <= 2 && egret_conn_has(fd); to++)
		if (real.fcntl(to, F_GETFD) < 0 && !egret_fd_may_land(fd, to))
			return false;
	return true;
}

/* TO is a copy of FD now. CLOEXEC: as the program asked for it. */
static int share(int fd, int to, bool cloexec)
{
	struct egret_conn *conn = to >= 0 && egret_conn_registry_is_ours() ? egret_conn_get(fd) : NULL;
	egret_copies_unsure(fd);
	egret_copies_unsure(to);
	if (!conn && to >= 0)
		egret_conn_fresh(to);
	if (conn && egret_conn_set(to, conn) < 0) {
		egret_raw_close(to); /* a copy that egret does not know would carry plaintext */
		errno = ENOMEM;
		to = -1;
	}
	if (conn && to >= 0 && (conn->wrapped || conn->observed)) {
		egret_conn_set_cloexec(to, cloexec);
		real.fcntl(to, F_SETFD, FD_CLOEXEC);
	}
	egret_conn_put(conn);
	return to;
}

int egret_on_dup(int fd)
{
	return may_land_at_or_above(fd, 0) ? share(fd, real.dup(fd), false) : -1;
}

int egret_on_dup3(int fd, int to, int flags)
{
	if (fd != to && !egret_fd_may_land(fd, to))
		return -1;
	bool valid = fd != to && (flags & ~O_CLOEXEC) == 0 && real.fcntl(fd, F_GETFD) >= 0; /* a call that fails leaves TO as it was */
	struct egret_conn *conn = NULL;
	if (valid && concerns_us(to))
		conn = let_go(to);
	else if (valid)
		forget_other(to);
	if (valid)
		egret_append_lost(to, to);
	int result = real.dup3(fd, to, flags);
	if (result >= 0)
		left(to, conn);
	else
		egret_conn_put(conn); /* it is what it was, and ended */
	return result == fd ? result : share(fd, result, (flags & O_CLOEXEC) != 0);
}

int egret_on_dup2(int fd, int to)
{
	if (fd == to)
		return real.dup2(fd, to);
	return egret_on_dup3(fd, to, 0);
}

int egret_on_fcntl(int fd, int command, void *arg)
{
	struct egret_conn *conn = command == F_GETFD || command == F_SETFD ? egret_io_wrapped(fd) : NULL;
	if (conn) {
		int result = real.fcntl(fd, F_GETFD);
		if (result >= 0 && command == F_SETFD) {
			egret_conn_set_cloexec(fd, ((long)arg & FD_CLOEXEC) != 0); /* the kernel's flag stays: no ciphertext is inherited */
			result = 0;
		} else if (result >= 0) {
			result = egret_conn_cloexec(fd) ? FD_CLOEXEC : 0;
		}
		egret_conn_put(conn);
		return result;
	}
	bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
	if (copies && !may_land_at_or_above(fd, (int)(long)arg))
		return -1;
	int result = real.fcntl(fd, command, arg);
	return copies ? share(fd, result, command == F_DUPFD_CLOEXEC) : result;
}
