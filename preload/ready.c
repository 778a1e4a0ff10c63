#include "ready_index.h"

#include "answer.h"
#include "connect.h"
#include "guard.h"
#include "io.h"
#include "pending.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 512
#define CHUNKS 4096
#define STRIPES 32 /* a fork holds them all at once: ThreadSanitizer counts 64 locks of a thread at most */

struct slot {
	struct registration *first;  /* under the descriptor's stripe; read without it to see whether there is one */
	_Atomic(struct set *) set;   /* of the epoll descriptor with this number */
};

static _Atomic(struct slot *) chunks[CHUNKS];
static pthread_mutex_t stripes[STRIPES] = { [0 ... STRIPES - 1] = PTHREAD_MUTEX_INITIALIZER };
static pthread_mutex_t make_lock = PTHREAD_MUTEX_INITIALIZER; /* new chunks and sets; inside a stripe */
static struct set *all_sets;

static pthread_mutex_t *stripe_of(int fd) { return &stripes[(unsigned)fd % STRIPES]; }

/* With the guard: a signal handler that meets this thread here goes to the kernel, also to fork, instead of waiting for itself. */
static void hold(pthread_mutex_t *lock)
{
	egret_guard_enter();
	pthread_mutex_lock(lock);
}

static void release(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	egret_guard_leave();
}

static struct slot *slot_of(int fd, bool make)
{
	if (fd < 0 || fd >= CHUNK * CHUNKS)
		return NULL;
	struct slot *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
	if (!chunk && make) {
		hold(&make_lock);
		chunk = atomic_load(&chunks[fd / CHUNK]);
		if (!chunk && (chunk = calloc(CHUNK, sizeof *chunk)))
			atomic_store_explicit(&chunks[fd / CHUNK], chunk, memory_order_release);
		release(&make_lock);
	}
	return chunk ? &chunk[fd % CHUNK] : NULL;
}

static struct set *set_of(int epfd, bool make)
{
	struct slot *slot = slot_of(epfd, make);
	struct set *set = slot ? atomic_load_explicit(&slot->set, memory_order_acquire) : NULL;
	if (set || !slot || !make)
		return set;
	hold(&make_lock);
	set = atomic_load(&slot->set);
	if (!set && (set = calloc(1, sizeof *set))) {
		set->epfd = epfd;
		pthread_mutex_init(&set->lock, NULL);
		set->next_all = all_sets;
		all_sets = set;
		atomic_store_explicit(&slot->set, set, memory_order_release);
	}
	release(&make_lock);
	return set;
}

struct set *egret_ready_sets(void) { return all_sets; }

bool egret_ready_is_set(int fd)
{
	struct slot *slot = slot_of(fd, false);
	return slot && atomic_load_explicit(&slot->set, memory_order_acquire);
}

bool egret_ready_knows(int fd)
{
	struct slot *slot = slot_of(fd, false);
	return slot && (__atomic_load_n(&slot->first, __ATOMIC_RELAXED) || atomic_load_explicit(&slot->set, memory_order_relaxed));
}

/* ---- a descriptor's registrations, under its stripe ---- */

static struct registration *registration_of(int fd, int epfd)
{
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		if (it->set->epfd == epfd && !it->ghost)
			return it;
	return NULL;
}

static void unlink_of_fd(struct slot *slot, struct registration *gone)
{
	for (struct registration **link = &slot->first; *link; link = &(*link)->next_of_fd)
		if (*link == gone) {
			__atomic_store_n(link, gone->next_of_fd, __ATOMIC_RELAXED);
			return;
		}
}

static void drop(struct slot *slot, struct registration *it)
{
	hold(&it->set->lock);
	egret_ready_index_remove(it->set, it);
	release(&it->set->lock);
	unlink_of_fd(slot, it);
	free(it);
}

/* A registration that memory has no room for is not noted: its wake-ups are not filtered. */
static void add(int fd, int epfd, const struct epoll_event *event)
{
	struct slot *slot = slot_of(fd, true);
	struct set *set = set_of(epfd, true);
	struct registration *it = slot && set ? calloc(1, sizeof *it) : NULL;
	if (!it)
		return;
	static _Atomic uint64_t made;
	it->id = atomic_fetch_add(&made, 1);
	it->set = set;
	it->fd = fd;
	it->events = event->events;
	it->data = event->data.u64;
	hold(&set->lock);
	bool good = egret_ready_index_add(set, it);
	release(&set->lock);
	if (!good) {
		free(it);
		return;
	}
	it->next_of_fd = slot->first;
	__atomic_store_n(&slot->first, it, __ATOMIC_RELAXED);
}

static void change(struct registration *it, const struct epoll_event *event)
{
	hold(&it->set->lock);
	egret_ready_index_remove(it->set, it);
	it->events = event->events;
	it->data = event->data.u64;
	it->fired = it->inherited = false;
	it->told_room = it->told_news = 0;
	egret_ready_index_add(it->set, it); /* one was taken out: it need not grow */
	release(&it->set->lock);
}

static void note(int fd, int epfd, int operation, const struct epoll_event *event)
{
	struct registration *it = registration_of(fd, epfd);
	if (operation == EPOLL_CTL_DEL) {
		if (it)
			drop(slot_of(fd, false), it);
	} else if (event && it) {
		change(it, event);
	} else if (event) {
		add(fd, epfd, event);
	}
}

/* EVENTS 0: the program's own. */
static void apply_all(int fd, uint32_t events)
{
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd) {
		hold(&it->set->lock);
		it->told_room = it->told_news = 0; /* the kernel reports anew */
		release(&it->set->lock);
		egret_ready_apply(it, events ? events : it->events);
	}
}

bool egret_ready_can_answer(int fd)
{
	bool can = true;
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		can = can && !it->ghost && !it->inherited;
	release(stripe_of(fd));
	return can;
}

void egret_ready_answer(int fd, bool on)
{
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		egret_ready_apply(it, on ? it->events | EPOLLOUT : it->events);
	release(stripe_of(fd));
}

void egret_ready_both_shut(struct egret_conn *conn)
{
	for (int fd = egret_conn_next_of(conn, 0); fd >= 0; fd = egret_conn_next_of(conn, fd + 1)) {
		hold(stripe_of(fd));
		struct slot *slot = slot_of(fd, false);
		for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
			egret_ready_apply(it, it->events | EPOLLRDHUP);
		release(stripe_of(fd));
	}
}

static uint32_t epoll_wants(const struct egret_conn *conn) { return conn->wire.wants == POLLOUT ? EPOLLOUT : EPOLLIN; }

int egret_ready_control(int epfd, int operation, int fd, struct epoll_event *event)
{
	struct epoll_event narrowed;
	egret_guard_enter();
	hold(stripe_of(fd));
	struct egret_conn *conn = egret_io_wrapped(fd);
	struct epoll_event *asked = event;
	int state = conn ? atomic_load(&conn->state) : EGRET_CONN_OPEN;
	if ((state == EGRET_CONN_CONNECTING || state == EGRET_CONN_HANDSHAKING) && event && operation != EPOLL_CTL_DEL) {
		narrowed = (struct epoll_event){ .events = epoll_wants(conn), .data = event->data };
		conn->narrowed = conn->wire.wants;
		asked = &narrowed;
	} else if (conn && egret_answer_due(conn) && event && operation != EPOLL_CTL_DEL) {
		narrowed = (struct epoll_event){ .events = event->events | EPOLLOUT, .data = event->data };
		asked = &narrowed;
	}
	int result = real.epoll_ctl(epfd, operation, fd, asked);
	int error = errno;
	if (result == 0)
		note(fd, epfd, operation, event);
	release(stripe_of(fd));
	egret_conn_put(conn);
	egret_guard_leave();
	errno = error;
	return result;
}

size_t egret_ready_find(int epfd, uint64_t data, struct egret_ready_match *matches, size_t most)
{
	size_t count = 0;
	struct set *set = set_of(epfd, false);
	if (!set)
		return 0;
	hold(&set->lock);
	for (struct registration *it = set->count ? *egret_ready_bucket_of(set, data) : NULL; it && count <= most; it = it->next_of_data) {
		if (it->data != data)
			continue;
		if (count < most)
			matches[count] = (struct egret_ready_match){
				.fd = it->fd, .number = it->ghost ? it->number : it->fd, .shared = set->shares, .set = set, .id = it->id, .batch = it->batch,
				.quiet = it->quiet, .events = it->events, .fired = it->fired, .told_room = it->told_room, .told_news = it->told_news,
				.told_stirs = it->told_stirs,
			};
		count++;
	}
	release(&set->lock);
	return count;
}

void egret_ready_told(int epfd, const struct egret_ready_telling *told, uint64_t data, uint64_t batch)
{
	struct set *set = set_of(epfd, false);
	if (!set)
		return;
	hold(&set->lock);
	for (struct registration *it = set->count ? *egret_ready_bucket_of(set, data) : NULL; it; it = it->next_of_data)
		if (it->id == told->match->id && !told->seen) {
			it->quiet = told->had_nothing ? batch : it->quiet;
			it->told_stirs = told->stirs;
		} else if (it->id == told->match->id) {
			it->batch = batch;
			it->told_stirs = told->stirs;
			it->fired = it->fired || (it->events & EPOLLONESHOT);
			it->told_room = told->seen & EPOLLOUT ? told->room : it->told_room;
			it->told_news = told->news ? told->news : it->told_news;
		}
	release(&set->lock);
}

void egret_ready_end_again(struct egret_conn *conn)
{
	bool alone = egret_lines_alone(&conn->lines);
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *owner = egret_conn_get(fd);
		hold(stripe_of(fd));
		struct slot *slot = owner == conn ? slot_of(fd, false) : NULL;
		for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
			if ((it->events & (EPOLLIN | EPOLLRDNORM)) && !it->fired && (alone || !it->inherited))
				egret_ready_arm(it, it->events);
		release(stripe_of(fd));
		egret_conn_put(owner);
	}
}

void egret_ready_rearm(const struct egret_ready_match *match)
{
	hold(stripe_of(match->fd));
	struct slot *slot = slot_of(match->fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		if (it->id == match->id && (it->events & EPOLLONESHOT) && !it->fired)
			egret_ready_arm(it, it->events); /* as it was, also where it is the parent's too */
	release(stripe_of(match->fd));
}

void egret_ready_withdraw(int fd)
{
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		egret_ready_leave(it);
	release(stripe_of(fd));
}

int egret_ready_replace(int fd, int with, int flags, bool alone)
{
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	struct registration *first = slot ? slot->first : NULL;
	for (struct registration *it = first; it; it = it->next_of_fd) {
		it->inherited = it->inherited && !alone;
		if (!it->inherited)
			egret_ready_leave(it);
	}
	int result = real.dup3(with, fd, flags);
	for (struct registration *it = first; it; it = it->next_of_fd)
		if (!it->inherited)
			egret_ready_join(it);
	release(stripe_of(fd));
	return result;
}

/* The set of a closed epoll descriptor: the kernel's is gone, unless another process or number holds it. */
static void empty_set(struct set *set)
{
	for (;;) {
		int fd = -1;
		hold(&set->lock);
		for (size_t i = 0; i < set->bucket_count && fd < 0; i++)
			fd = set->buckets[i] ? set->buckets[i]->fd : -1;
		set->shares = set->shares && fd >= 0;
		set->spent = 0;
		release(&set->lock);
		if (fd < 0)
			return;
		hold(stripe_of(fd));
		struct slot *slot = slot_of(fd, false);
		for (struct registration *it = slot->first, *next; it; it = next) {
			next = it->next_of_fd;
			if (it->set == set)
				drop(slot, it);
		}
		release(stripe_of(fd));
	}
}

static struct registration *take_list(int fd)
{
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	struct registration *list = slot ? slot->first : NULL;
	if (list)
		__atomic_store_n(&slot->first, NULL, __ATOMIC_RELAXED);
	release(stripe_of(fd));
	return list;
}

static void bequeath(struct registration *it, int heir)
{
	struct slot *slot = slot_of(heir, true);
	hold(stripe_of(heir));
	hold(&it->set->lock);
	it->number = it->ghost ? it->number : it->fd;
	it->fd = heir;
	it->ghost = true;
	release(&it->set->lock);
	it->next_of_fd = slot->first;
	__atomic_store_n(&slot->first, it, __ATOMIC_RELAXED);
	release(stripe_of(heir));
}

void egret_ready_forget(int fd, int heir)
{
	egret_guard_enter();
	for (struct registration *it = take_list(fd), *next; it; it = next) {
		next = it->next_of_fd;
		if (heir >= 0 && slot_of(heir, true)) {
			bequeath(it, heir);
			continue;
		}
		hold(&it->set->lock);
		egret_ready_index_remove(it->set, it);
		release(&it->set->lock);
		free(it);
	}
	struct set *set = set_of(fd, false);
	if (set)
		empty_set(set);
	egret_guard_leave();
}

/* ---- handshakes under way ---- */

/* FD's registrations, and those of its connection's other numbers, if any, where they are narrowed or shall be (EVENTS). */
static void apply_to_each(struct egret_conn *conn, int fd, uint32_t events)
{
	bool copied = atomic_load(&conn->fd_count) > 1;
	for (fd = copied ? egret_conn_next_of(conn, 0) : fd; fd >= 0; fd = copied ? egret_conn_next_of(conn, fd + 1) : -1) {
		hold(stripe_of(fd));
		if (events || conn->narrowed)
			apply_all(fd, events);
		release(stripe_of(fd));
	}
}

/* What came of a one-shot registration before there was a connection nobody has looked at. */
static void note_fired(int fd)
{
	hold(stripe_of(fd));
	struct slot *slot = slot_of(fd, false);
	for (struct registration *it = slot ? slot->first : NULL; it; it = it->next_of_fd)
		it->fired = it->fired || ((it->events & EPOLLONESHOT) && egret_ready_has_fired(it));
	release(stripe_of(fd));
}

void egret_ready_connect_started(int fd, struct egret_conn *conn)
{
	egret_pending_add(conn);
	if (!conn->narrowed)
		note_fired(fd);
	if (conn->narrowed != conn->wire.wants) {
		apply_to_each(conn, fd, epoll_wants(conn));
		conn->narrowed = conn->wire.wants;
	}
}

void egret_ready_connect_ended(struct egret_conn *conn)
{
	int fd = conn->wire.fd;
	bool was = egret_pending_remove(conn);
	apply_to_each(conn, fd, 0); /* a MOD reports anew what is ready now, also to edge-triggered programs */
	conn->narrowed = 0;
	if (was)
		egret_conn_put(conn);
}

void egret_ready_before_fork(void)
{
	egret_pending_before_fork();
	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_lock(&stripes[i]);
	pthread_mutex_lock(&make_lock);
}

void egret_ready_after_fork(bool child)
{
	pthread_mutex_unlock(&make_lock);
	for (int i = STRIPES; i-- > 0;)
		pthread_mutex_unlock(&stripes[i]);
	egret_pending_after_fork();
	for (struct set *set = child ? all_sets : NULL; set; set = set->next_all) {
		pthread_mutex_init(&set->lock, NULL); /* a thread that looked something up in it did not come along */
		for (size_t i = 0; i < set->bucket_count; i++)
			for (struct registration *it = set->buckets[i]; it; it = it->next_of_data)
				it->inherited = true;
	}
}
