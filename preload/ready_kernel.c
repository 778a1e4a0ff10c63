/* What the kernel is told of a registration. One made by a number that was closed since is found by that number all the same: a copy of the
 * descriptor takes it for the moment; where it means something else by now, in a descriptor table of one's own. */
#include "ready_index.h"

#include "policy/raw.h"
#include "real.h"

#include <fcntl.h>

/* Is a ghost's number a descriptor of the same connection again, by which the kernel finds it? */
static bool has_come_back(const struct registration *it)
{
	struct egret_conn *conn = egret_conn_get_as_is(it->fd), *again = egret_conn_get_as_is(it->number);
	bool same = conn && conn == again;
	egret_conn_put(conn);
	egret_conn_put(again);
	return same;
}

/* The kernel finds a registration by number and socket: a ghost's number is a copy of the descriptor that lives on, until give_back. -1: it
 * means something else by now, and nobody can change the registration. */
static int borrow(const struct registration *it)
{
	if (it->ghost && has_come_back(it))
		return it->number;
	int fd = it->ghost ? real.fcntl(it->fd, F_DUPFD_CLOEXEC, (void *)(intptr_t)it->number) : it->fd;
	if (it->ghost && fd >= 0 && fd != it->number) {
		egret_raw_close(fd);
		return -1;
	}
	return fd;
}

static void give_back(const struct registration *it, int fd)
{
	if (it->ghost && fd >= 0 && !has_come_back(it))
		egret_raw_close(fd);
}

void egret_ready_apply(const struct registration *it, uint32_t events)
{
	if (!it->fired && !it->inherited)
		egret_ready_arm(it, events);
}

void egret_ready_arm(const struct registration *it, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = it->data };
	int fd = borrow(it);
	if (fd >= 0 && real.epoll_ctl(it->set->epfd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == EINVAL) {
		real.epoll_ctl(it->set->epfd, EPOLL_CTL_DEL, fd, NULL); /* EPOLLEXCLUSIVE cannot be modified, epoll_ctl(2) */
		real.epoll_ctl(it->set->epfd, EPOLL_CTL_ADD, fd, &event);
	}
	give_back(it, fd);
}

void egret_ready_leave(const struct registration *it)
{
	int fd = borrow(it);
	if (fd >= 0)
		real.epoll_ctl(it->set->epfd, EPOLL_CTL_DEL, fd, NULL);
	give_back(it, fd);
}

void egret_ready_join(const struct registration *it)
{
	struct epoll_event event = { .events = it->fired ? (uint32_t)EPOLLONESHOT : it->events, .data.u64 = it->data };
	int fd = borrow(it);
	if (fd >= 0)
		real.epoll_ctl(it->set->epfd, EPOLL_CTL_ADD, fd, &event);
	give_back(it, fd);
}

/* A copy out of the way of NUMBER. */
static int copy_above(int fd, int number) { return (int)egret_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number + 1, 0); }

static void move(const struct registration *it, int from, int to)
{
	struct epoll_event event = { .events = it->fired ? (uint32_t)EPOLLONESHOT : it->events, .data.u64 = it->data };
	int set = copy_above(it->set->epfd, it->number), old = copy_above(from, it->number), new = copy_above(to, it->number);
	if (set >= 0 && old >= 0 && new >= 0) {
		egret_raw(SYS_dup3, old, it->number, O_CLOEXEC, 0);
		egret_raw(SYS_epoll_ctl, set, EPOLL_CTL_DEL, it->number, (long)&event);
		egret_raw(SYS_dup3, new, it->number, O_CLOEXEC, 0);
		egret_raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, it->number, (long)&event);
	}
	egret_raw(SYS_close, set, 0, 0, 0);
	egret_raw(SYS_close, old, 0, 0, 0);
	egret_raw(SYS_close, new, 0, 0, 0);
}

void egret_ready_move_ghosts(const struct egret_conn *conn, int end, bool alone)
{
	for (struct set *set = egret_ready_sets(); set; set = set->next_all)
		for (size_t i = 0; i < set->bucket_count; i++)
			for (struct registration *it = set->buckets[i]; it; it = it->next_of_data) {
				struct egret_conn *owner = it->ghost && (alone || !it->inherited) ? egret_conn_get(it->fd) : NULL;
				if (owner == conn)
					move(it, conn->wire.fd, end);
				egret_conn_put(owner);
			}
}
