/* Descriptors come and go: dup'ed ones share a connection, the last close ends it as TCP would. */
#include "connect.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "passthrough.h"
#include "policy/raw.h"
#include "ready.h"
#include "real.h"
#include "say.h"

#include <limits.h>

#define CLOSE_WAIT_MS 1000 /* how long a close waits for the send buffer to take what is stuck */

/* After a fork both sides close; only the side that used the connection may say close_notify. */
static bool may_speak(const struct egret_conn *conn)
{
	return atomic_load(conn->owner) == egret_raw(SYS_getpid, 0, 0, 0, 0);
}

static void say_goodbye(struct egret_conn *conn, int fd)
{
	egret_guard_enter();
	int result = egret_wire_close_notify(&conn->wire);
	if (result == -EAGAIN && !egret_io_is_nonblocking(fd, 0)) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };
		if (real.poll(&pfd, 1, CLOSE_WAIT_MS) > 0)
			egret_wire_flush(&conn->wire);
	}
	egret_wire_drain(&conn->wire);
	egret_guard_leave();
}

/* FD is about to mean something else, or nothing. */
static void let_go(int fd)
{
	egret_ready_forget(fd);
	struct egret_conn *conn = egret_conn_take(fd);
	if (!conn)
		return;
	if (atomic_load(&conn->fd_count) > 0) {
		if (conn->wire.fd == fd)
			conn->wire.fd = egret_conn_other_fd(conn);
	} else if (conn->wrapped) {
		if (atomic_load(&conn->state) == EGRET_CONN_OPEN && may_speak(conn))
			say_goodbye(conn, fd);
		egret_ready_connect_ended(conn);
	} else {
		egret_passthrough_end(conn, fd);
	}
	egret_conn_put(conn);
}

static bool concerns_us(int fd)
{
	return egret_conn_has(fd) && egret_conn_registry_is_ours();
}

int egret_on_close(int fd)
{
	if (concerns_us(fd))
		let_go(fd);
	else if (egret_ready_knows(fd) && egret_conn_registry_is_ours())
		egret_ready_forget(fd);
	return real.close(fd);
}

int egret_on_close_range(unsigned first, unsigned last, int flags)
{
	if (!(flags & CLOSE_RANGE_CLOEXEC) && first <= INT_MAX && egret_conn_registry_is_ours())
		for (int fd = egret_conn_next_fd((int)first); fd >= 0 && (unsigned)fd <= last; fd = egret_conn_next_fd(fd + 1))
			let_go(fd);
	return real.close_range(first, last, flags);
}

void egret_on_closefrom(int first)
{
	egret_on_close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

/* stdio writes to 0, 1 and 2 without asking anybody: what it writes there would leave as plaintext. */
static bool would_leak(int fd, int to)
{
	struct egret_conn *conn = to >= 0 && to <= 2 ? egret_conn_get(fd) : NULL;
	bool leaks = conn && (conn->wrapped || (atomic_load(&conn->passthrough) && conn->entry->protocol == EGRET_TLS));
	if (!leaks) {
		egret_conn_put(conn);
		return false;
	}
	egret_say("egret: entry [%s]: a connection to %s cannot become descriptor %d: stdio would write to it past egret; the program was refused (EPERM)",
		  conn->entry->name, conn->host, to);
	egret_conn_put(conn);
	errno = EPERM;
	return true;
}

/* TO is a copy of FD now. CLOEXEC: as the program asked for it. */
static int share(int fd, int to, bool cloexec)
{
	if (would_leak(fd, to)) {
		real.close(to);
		errno = EPERM;
		return -1;
	}
	struct egret_conn *conn = to >= 0 && egret_conn_registry_is_ours() ? egret_conn_get(fd) : NULL;
	if (conn && egret_conn_set(to, conn) < 0) {
		real.close(to); /* a copy that egret does not know would carry plaintext */
		errno = ENOMEM;
		to = -1;
	}
	if (conn && to >= 0 && conn->wrapped) {
		egret_conn_set_cloexec(to, cloexec);
		real.fcntl(to, F_SETFD, FD_CLOEXEC);
	}
	egret_conn_put(conn);
	return to;
}

int egret_on_dup(int fd)
{
	return share(fd, real.dup(fd), false);
}

int egret_on_dup3(int fd, int to, int flags)
{
	if (fd != to && would_leak(fd, to))
		return -1;
	bool valid = fd != to && (flags & ~O_CLOEXEC) == 0 && real.fcntl(fd, F_GETFD) >= 0; /* a call that fails leaves TO as it was */
	if (valid && concerns_us(to))
		let_go(to);
	int result = real.dup3(fd, to, flags);
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
	int result = real.fcntl(fd, command, arg);
	return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? share(fd, result, command == F_DUPFD_CLOEXEC) : result;
}
