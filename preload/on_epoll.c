/* epoll: the program's registrations stay in the kernel; while a handshake runs they wait for what it needs, and wake-ups that
 * bring nothing for the program are swallowed. */
#include "connect.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2 /* epoll sets one descriptor is noted in */
#define CHUNK 512
#define CHUNKS 4096

struct registration {
	int epfd; /* 0: free; an epoll descriptor is never 0 in practice, and then only its wake-ups are not filtered */
	uint32_t events;
	uint64_t data;
};

struct watched {
	struct registration sets[SETS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct watched *) chunks[CHUNKS]; /* by descriptor; what they point to is under lock */
static bool inherited; /* the registrations were made before a fork: the parent's as well, and not ours to change */
static struct egret_conn *pending;     /* handshakes under way, each with a reference, under lock */

static struct watched *watched_of(int fd, bool make)
{
	if (fd < 0 || fd >= CHUNK * CHUNKS)
		return NULL;
	struct watched *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
	if (!chunk && make) {
		chunk = calloc(CHUNK, sizeof *chunk);
		atomic_store_explicit(&chunks[fd / CHUNK], chunk, memory_order_release);
	}
	return chunk ? &chunk[fd % CHUNK] : NULL;
}

bool egret_ready_knows(int fd) { return watched_of(fd, false) != NULL; }

void egret_ready_before_fork(void) { pthread_mutex_lock(&lock); }
void egret_ready_after_fork(bool child)
{
	inherited = inherited || child;
	pthread_mutex_unlock(&lock);
}

static struct registration *registration_of(int fd, int epfd)
{
	struct watched *watched = watched_of(fd, false);
	for (int i = 0; watched && i < SETS; i++)
		if (watched->sets[i].epfd == epfd)
			return &watched->sets[i];
	return NULL;
}

static void note(int fd, int epfd, int operation, const struct epoll_event *event)
{
	struct registration *it = registration_of(fd, epfd);
	if (operation == EPOLL_CTL_DEL) {
		if (it)
			memset(it, 0, sizeof *it);
		return;
	}
	if (!it && watched_of(fd, true))
		it = registration_of(fd, 0);
	if (it && event)
		*it = (struct registration){ epfd, event->events, event->data.u64 };
}

void egret_ready_forget(int fd)
{
	egret_guard_enter(); /* a signal handler that closes something must not wait for this thread */
	pthread_mutex_lock(&lock);
	struct watched *watched = watched_of(fd, false);
	if (watched)
		memset(watched, 0, sizeof *watched);
	pthread_mutex_unlock(&lock);
	egret_guard_leave();
}

int egret_ready_replace(int fd, int with, int flags)
{
	pthread_mutex_lock(&lock);
	struct watched *watched = inherited ? NULL : watched_of(fd, false);
	/* While the old socket lives elsewhere, its registrations would stay and report it. */
	for (int i = 0; watched && i < SETS; i++)
		if (watched->sets[i].epfd)
			real.epoll_ctl(watched->sets[i].epfd, EPOLL_CTL_DEL, fd, NULL);
	int result = real.dup3(with, fd, flags);
	for (int i = 0; watched && i < SETS; i++) {
		struct epoll_event event = { .events = watched->sets[i].events, .data.u64 = watched->sets[i].data };
		if (watched->sets[i].epfd)
			real.epoll_ctl(watched->sets[i].epfd, EPOLL_CTL_ADD, fd, &event);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

/* Under lock. EVENTS 0: the program's own. */
static void modify(int fd, uint32_t events)
{
	struct watched *watched = watched_of(fd, false);
	for (int i = 0; watched && i < SETS; i++) {
		struct registration *it = &watched->sets[i];
		struct epoll_event event = { .events = events ? events : it->events, .data.u64 = it->data };
		if (it->epfd)
			real.epoll_ctl(it->epfd, EPOLL_CTL_MOD, fd, &event);
	}
}

void egret_ready_again(int fd)
{
	pthread_mutex_lock(&lock);
	modify(fd, 0);
	pthread_mutex_unlock(&lock);
}

static uint32_t epoll_wants(const struct egret_conn *conn) { return conn->wire.wants == POLLOUT ? EPOLLOUT : EPOLLIN; }

static void pending_add(struct egret_conn *conn)
{
	if (conn->is_pending)
		return;
	atomic_fetch_add(&conn->refs, 1);
	conn->is_pending = true;
	conn->next_pending = pending;
	pending = conn;
}

static bool pending_remove(struct egret_conn *conn)
{
	for (struct egret_conn **link = &pending; *link; link = &(*link)->next_pending)
		if (*link == conn) {
			*link = conn->next_pending;
			conn->is_pending = false;
			return true;
		}
	return false;
}

void egret_ready_connect_started(int fd, struct egret_conn *conn)
{
	pthread_mutex_lock(&lock);
	pending_add(conn);
	if (conn->narrowed != conn->wire.wants) {
		modify(fd, epoll_wants(conn));
		conn->narrowed = conn->wire.wants;
	}
	pthread_mutex_unlock(&lock);
}

void egret_ready_connect_ended(struct egret_conn *conn)
{
	pthread_mutex_lock(&lock);
	bool was = pending_remove(conn);
	if (conn->narrowed)
		modify(conn->wire.fd, 0); /* a MOD reports anew what is ready now, also to edge-triggered programs */
	conn->narrowed = 0;
	pthread_mutex_unlock(&lock);
	if (was)
		egret_conn_put(conn);
}

int egret_on_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event)
{
	struct epoll_event narrowed;
	egret_guard_enter();
	pthread_mutex_lock(&lock);
	struct egret_conn *conn = egret_io_wrapped(fd);
	struct epoll_event *asked = event;
	if (conn && conn->is_pending && event && operation != EPOLL_CTL_DEL) {
		narrowed = (struct epoll_event){ .events = epoll_wants(conn), .data = event->data };
		conn->narrowed = conn->wire.wants;
		asked = &narrowed;
	}
	int result = real.epoll_ctl(epfd, operation, fd, asked);
	if (result == 0)
		note(fd, epfd, operation, event);
	pthread_mutex_unlock(&lock);
	egret_conn_put(conn);
	egret_guard_leave();
	return result;
}

/* The governed connection that an event of EPFD with DATA belongs to (a reference), NULL: none. */
static struct egret_conn *conn_of_event(int epfd, uint64_t data, int *found_fd)
{
	struct egret_conn *conn = NULL;
	pthread_mutex_lock(&lock);
	for (int fd = egret_conn_next_fd(0); fd >= 0 && !conn; fd = egret_conn_next_fd(fd + 1)) {
		struct registration *it = registration_of(fd, epfd);
		if (it && it->data == data) {
			conn = egret_io_wrapped(fd);
			*found_fd = fd;
		}
	}
	pthread_mutex_unlock(&lock);
	return conn;
}

/* A one-shot registration that woke for nothing is armed again. */
static void rearm(int fd, int epfd)
{
	pthread_mutex_lock(&lock);
	struct registration *it = registration_of(fd, epfd);
	if (it && (it->events & EPOLLONESHOT)) {
		struct epoll_event event = { .events = it->events, .data.u64 = it->data };
		real.epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
	}
	pthread_mutex_unlock(&lock);
}

/* What of EVENT the program sees; 0: nothing. */
static uint32_t judge_event(int epfd, const struct epoll_event *event)
{
	int fd = -1;
	uint32_t events = event->events;
	struct egret_conn *conn = conn_of_event(epfd, event->data.u64, &fd);
	if (!conn)
		return events;
	int state = atomic_load(&conn->state);
	if (state == EGRET_CONN_CONNECTING || state == EGRET_CONN_HANDSHAKING) {
		egret_connect_step(conn);
		events = 0; /* when it has ended the registration is the program's again, and reports by itself */
	} else if (state == EGRET_CONN_FAILED) {
		events |= EPOLLERR;
	} else if ((events & EPOLLIN) && egret_conn_own(conn) && !egret_io_readable(conn)) {
		events &= ~(uint32_t)(EPOLLIN | EPOLLRDNORM);
		if (!(events & ~(uint32_t)EPOLLRDNORM))
			rearm(fd, epfd);
	}
	egret_conn_put(conn);
	return events;
}

static int filter(int epfd, struct epoll_event *events, int count)
{
	int kept = 0;
	egret_guard_enter();
	for (int i = 0; i < count; i++) {
		uint32_t seen = judge_event(epfd, &events[i]);
		if (seen) {
			events[kept] = events[i];
			events[kept++].events = seen;
		}
	}
	egret_guard_leave();
	return kept;
}

/* Handshakes whose time is over fail now. Returns milliseconds until the next one would, -1: none is under way. */
static int expire_pending(void)
{
	int bound = -1;
	struct egret_conn *late = NULL;
	pthread_mutex_lock(&lock);
	for (struct egret_conn *it = pending; it && !late; it = it->next_pending) {
		int left = egret_connect_time_left(it);
		bound = bound < 0 || left < bound ? left : bound;
		if (left == 0) {
			atomic_fetch_add(&it->refs, 1);
			late = it;
		}
	}
	pthread_mutex_unlock(&lock);
	if (late) {
		egret_connect_step(late);
		egret_conn_put(late);
	}
	return bound;
}

static int wait_governed(int epfd, struct epoll_event *events, int max, int64_t deadline, const sigset_t *mask)
{
	for (;;) {
		int bound = expire_pending();
		int64_t left = deadline < 0 ? -1 : deadline - egret_now_us();
		int timeout = deadline < 0 ? -1 : left <= 0 ? 0 : (int)((left + 999) / 1000);
		if (bound >= 0 && (timeout < 0 || timeout > bound))
			timeout = bound;
		int n = real.epoll_pwait(epfd, events, max, timeout, mask);
		int kept = n > 0 ? filter(epfd, events, n) : n;
		if (kept != 0)
			return kept;
		if (deadline >= 0 && egret_now_us() >= deadline && n == 0)
			return 0;
	}
}

int egret_on_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0)
		return real.epoll_pwait(epfd, events, max, timeout, mask);
	return wait_governed(epfd, events, max, timeout < 0 ? -1 : egret_now_us() + (int64_t)timeout * 1000, mask);
}

int egret_on_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0)
		return real.epoll_wait(epfd, events, max, timeout);
	return egret_on_epoll_pwait(epfd, events, max, timeout, NULL);
}

int egret_on_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask)
{
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0) {
		if (real.epoll_pwait2)
			return real.epoll_pwait2(epfd, events, max, timeout, mask);
		errno = ENOSYS;
		return -1;
	}
	int64_t deadline = timeout ? egret_now_us() + (int64_t)timeout->tv_sec * 1000000 + timeout->tv_nsec / 1000 : -1;
	return wait_governed(epfd, events, max, deadline, mask);
}
