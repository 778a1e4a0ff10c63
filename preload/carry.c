#include "carry.h"

#include "copies.h"
#include "hooks.h"
#include "real.h"

#include <errno.h>
#include <fcntl.h>

/* What egret carries does not survive an exec as it is: the next program would know nothing of it. */
static void keep_from_exec(int fd)
{
	int flags = real.fcntl(fd, F_GETFD);
	bool kept = flags >= 0 && (flags & FD_CLOEXEC);
	egret_conn_set_cloexec(fd, kept);
	if (!kept)
		real.fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int egret_carry(int fd, struct egret_conn *conn)
{
	int result = egret_copies_set(fd, conn);
	bool copied = atomic_load(&conn->fd_count) > 1;
	keep_from_exec(fd);
	for (int copy = copied ? egret_conn_next_of(conn, 0) : -1; copy >= 0; copy = egret_conn_next_of(conn, copy + 1))
		if (copy != fd)
			keep_from_exec(copy);
	return result;
}

void egret_carry_no_more(struct egret_conn *conn, int fd)
{
	int least = atomic_load(&conn->lowat);
	bool carried = conn->wrapped || conn->observed;
	if (carried)
		real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
	for (; fd >= 0; fd = atomic_load(&conn->fd_count) ? egret_conn_other_fd(conn) : -1) {
		struct egret_conn *taken = egret_conn_take(fd);
		if (!taken)
			return;
		egret_conn_put(taken);
		if (carried)
			real.fcntl(fd, F_SETFD, egret_conn_cloexec(fd) ? FD_CLOEXEC : 0);
	}
}

/* connect(2): the socket is one that was never connected. */
static bool dissolve(int fd)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	return real.connect(fd, &none, sizeof none) == 0;
}

void egret_carry_dissolve_failed(struct egret_conn *conn, int fd)
{
	if (atomic_load(&conn->state) != EGRET_CONN_FAILED || !dissolve(fd))
		return;
	atomic_store(&conn->connect_errno, 0);
	egret_carry_no_more(conn, fd);
}

int egret_carry_off_stdio(int fd, int code)
{
	struct egret_conn *conn = egret_conn_get(fd);
	bool there = false;
	for (int to = 0; conn && to <= 2 && !there; to++) {
		struct egret_conn *other = egret_conn_get(to);
		there = other == conn;
		egret_conn_put(other);
		if (there && !egret_fd_may_land(fd, to)) {
			dissolve(fd);
			egret_carry_no_more(conn, fd);
			code = EPERM;
		}
	}
	egret_conn_put(conn);
	return code;
}
