#include "spawn_actions.h"

#include "conn.h"
#include "io.h"
#include "passthrough.h"
#include "relay.h"

#include <errno.h>
#include <stdint.h>

/* glibc's own, from its posix/spawn_int.h: the public type holds an array of them. */
struct action {
	enum { CLOSE, DUP2, OPEN, CHDIR, FCHDIR, CLOSEFROM, TCSETPGRP } tag;
	union {
		struct {
			int fd, newfd;
		} pair; /* close, closefrom: fd alone */
		struct {
			int fd;
			char *path;
			int flags;
			mode_t mode;
		} open;
	} of;
};

#define MOST 64 /* copies of one descriptor that are followed; a child with more gets it moved */

/* The numbers that mean one connection in the child. */
struct copies {
	struct {
		int fd;
		bool cloexec;
	} list[MOST];
	int count;
};

static int find(const struct copies *copies, int fd)
{
	for (int i = 0; i < copies->count; i++)
		if (copies->list[i].fd == fd)
			return i;
	return -1;
}

static void drop(struct copies *copies, int from, int to)
{
	for (int i = 0; i < copies->count;)
		if (copies->list[i].fd >= from && copies->list[i].fd <= to)
			copies->list[i] = copies->list[--copies->count];
		else
			i++;
}

static bool apply(struct copies *copies, const struct action *action)
{
	int fd = action->of.pair.fd, newfd = action->of.pair.newfd;
	switch (action->tag) {
	case DUP2:
		if (find(copies, fd) < 0) {
			drop(copies, newfd, newfd);
			return true;
		}
		if (fd != newfd)
			drop(copies, newfd, newfd);
		if (fd != newfd && copies->count == MOST)
			return false;
		int at = fd == newfd ? find(copies, fd) : copies->count++; /* onto itself: close-on-exec is cleared */
		copies->list[at].fd = newfd;
		copies->list[at].cloexec = false;
		return true;
	case CLOSE:
	case OPEN:
		drop(copies, fd, fd);
		return true;
	case CLOSEFROM:
		drop(copies, fd, INT32_MAX);
		return true;
	case CHDIR:
	case FCHDIR:
	case TCSETPGRP:
		return true;
	}
	return false;
}

/* Would the child hold what FD means after its exec? CLOEXEC: of FD itself. */
static bool reaches_child(int fd, bool cloexec, const posix_spawn_file_actions_t *actions)
{
	struct copies copies = { .list = { { fd, cloexec } }, .count = 1 };
	const struct action *list = actions ? (const struct action *)actions->__actions : NULL;
	for (int i = 0; actions && i < actions->__used; i++)
		if (!apply(&copies, &list[i]))
			return true;
	for (int i = 0; i < copies.count; i++)
		if (!copies.list[i].cloexec)
			return true;
	return false;
}

int egret_spawn_hand_over(const posix_spawn_file_actions_t *actions, struct egret_withheld *withheld)
{
	int error = 0;
	withheld->count = 0;
	if (atomic_load(&egret_conn_live) == 0)
		return 0;
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = reaches_child(fd, egret_conn_cloexec(fd), actions) ? egret_conn_get(fd) : NULL;
		if (conn)
			egret_relay_bequeath(conn, fd, withheld);
		if (conn && egret_passthrough_is_unjudged(conn) && reaches_child(fd, true, actions))
			error = EPERM;
		egret_conn_put(conn);
	}
	return error;
}
