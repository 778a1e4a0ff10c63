#include "conn.h"

#include "connect.h"
#include "copies.h"
#include "dns_watch.h"
#include "early.h"
#include "guard.h"
#include "lock.h"
#include "observed.h"
#include "owner.h"
#include "policy/raw.h"
#include "ready.h"
#include "relay.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK 512
#define CHUNKS (EGRET_DESCRIPTORS / CHUNK)

typedef _Atomic(struct egret_conn *) conn_slot;

static egret_fd_bits leaving; /* egret_conn_leave; written under registry_lock */

static _Atomic(conn_slot *) chunks[CHUNKS];
static EGRET_EARLY _Atomic int chunks_end; /* no chunk was ever made here or above */
EGRET_EARLY _Atomic unsigned egret_conn_live;
static _Atomic long registry_pid; /* 0: nothing was registered yet */

/* Guards slot writes, the pool and the owner words (owner.h). Conns never go back to malloc: a reader that lost a race still reads a conn. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

/* With the guard: a signal handler that meets this thread here goes to the kernel instead of waiting for itself. */
static void hold_registry(void)
{
	egret_guard_enter();
	pthread_mutex_lock(&registry_lock);
}

static void leave_registry(void)
{
	pthread_mutex_unlock(&registry_lock);
	egret_guard_leave();
}

struct pooled {
	struct egret_conn conn; /* first: a pooled is its conn */
	struct pooled *next_free, *next_all;
};
static struct pooled *pool_free, *pool_all;

static conn_slot *slot_of(int fd)
{
	if (fd < 0 || fd >= CHUNK * atomic_load_explicit(&chunks_end, memory_order_acquire))
		return NULL;
	conn_slot *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
	return chunk ? &chunk[fd % CHUNK] : NULL;
}

bool egret_conn_slot_taken(int fd)
{
	conn_slot *slot = slot_of(fd);
	return slot && atomic_load_explicit(slot, memory_order_acquire);
}

/* CONN, or NULL when another process has moved it to a relay and its descriptors are native now. */
static struct egret_conn *followed(struct egret_conn *conn)
{
	if (atomic_load_explicit(conn->owner, memory_order_relaxed) != EGRET_OWNER_RELAY || !egret_relay_follow(conn))
		return conn;
	egret_conn_put(conn);
	return NULL;
}

/* False: nobody has one, it is free. */
static bool take_reference(struct egret_conn *conn)
{
	unsigned refs = atomic_load(&conn->refs);
	while (refs != 0 && !atomic_compare_exchange_weak(&conn->refs, &refs, refs + 1))
		;
	return refs != 0;
}

uint64_t egret_conn_part(struct egret_conn *conn)
{
	uint64_t serial = conn->serial;
	egret_conn_put(conn);
	return serial;
}

bool egret_conn_rejoin(struct egret_conn *conn, uint64_t serial)
{
	if (!take_reference(conn))
		return false;
	if (conn->serial == serial)
		return true;
	egret_conn_put(conn);
	return false;
}

struct egret_conn *egret_conn_get_as_is(int fd)
{
	conn_slot *slot = slot_of(fd);
	struct egret_conn *conn = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
	while (conn) {
		bool taken = take_reference(conn);
		struct egret_conn *again = atomic_load_explicit(slot, memory_order_acquire);
		if (taken && again == conn)
			return conn;
		if (taken)
			egret_conn_put(conn);
		conn = again;
	}
	return NULL;
}

struct egret_conn *egret_conn_get(int fd)
{
	struct egret_conn *conn = egret_conn_get_as_is(fd);
	if (conn && egret_fd_bit(leaving, fd) && egret_conn_is_stale(conn, fd)) { /* the number is somebody else's by now */
		egret_conn_put(conn);
		return NULL;
	}
	return conn ? followed(conn) : NULL;
}

bool egret_conn_put_unless_last(struct egret_conn *conn)
{
	unsigned refs = atomic_load(&conn->refs);
	while (refs > 1)
		if (atomic_compare_exchange_weak(&conn->refs, &refs, refs - 1))
			return true;
	return false;
}

/* A conn that some descriptor of this process means. */
static bool is_held(const struct pooled *item)
{
	return atomic_load(&item->conn.refs) != 0 && atomic_load(&item->conn.fd_count) != 0;
}

/* Was no other thread busy with CONN when this copy of the process was made? Its locks are free now. */
static bool was_at_rest(struct egret_conn *conn)
{
	bool stepping = !egret_lock_was_free(&conn->step_lock), reading = !egret_lock_was_free(&conn->wire.in_lock);
	bool writing = !egret_lock_was_free(&conn->wire.out_lock), opening = !egret_lock_was_free(&conn->wire.tls_lock);
	bool asking = !egret_dns_was_at_rest(conn->dns);
	return egret_observed_was_at_rest(conn->observed) && !asking && !stepping && !reading && !writing && !opening;
}

/* This process is a copy. */
static void begin_as_copy(void)
{
	static _Atomic long original;
	egret_owner_divide(true);
	atomic_store(&original, atomic_load(&registry_pid));
	for (struct pooled *item = pool_all; item; item = item->next_all)
		if (is_held(item) && !was_at_rest(&item->conn))
			item->conn.owner = &original;
}

/* This process's number in a page that the kernel clears in every copy of the process (MADV_WIPEONFORK): one load where a system call
 * would be for each transfer, and copies made past the hooks are noticed. A child that shares our memory (CLONE_VM) shares the TLS
 * states, too: it may take itself for its parent here, but not where tables of descriptors matter (registry_is_ours). */
static _Atomic long *own_pid_page; /* NULL: not made, or not to be had */

static void make_own_pid_page(void)
{
	void *page = mmap(NULL, sizeof *own_pid_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED && madvise(page, sizeof *own_pid_page, MADV_WIPEONFORK) == 0)
		own_pid_page = page;
	else if (page != MAP_FAILED)
		munmap(page, sizeof *own_pid_page);
}

static long noted_pid(void) { return own_pid_page ? atomic_load_explicit(own_pid_page, memory_order_relaxed) : 0; }

long egret_known_pid(void)
{
	long pid = noted_pid();
	return pid ? pid : egret_raw(SYS_getpid, 0, 0, 0, 0);
}

long egret_own_pid(void)
{
	long pid = noted_pid();
	if (pid)
		return pid;
	pid = egret_raw(SYS_getpid, 0, 0, 0, 0);
	if (!own_pid_page)
		return pid;
	atomic_store(own_pid_page, pid);
	if (atomic_load(&registry_pid) != 0 && atomic_load(&registry_pid) != pid) {
		begin_as_copy();
		atomic_store(&registry_pid, pid);
	}
	return pid;
}

static struct pooled *pool_take(void)
{
	struct pooled *item = pool_free;
	if (item) {
		pool_free = item->next_free;
		return item;
	}
	item = calloc(1, sizeof *item);
	if (item) {
		item->next_all = pool_all;
		pool_all = item;
	}
	return item;
}

struct egret_conn *egret_conn_new(void)
{
	static _Atomic uint64_t made;
	hold_registry();
	struct pooled *item = pool_take();
	_Atomic long *owner = item ? egret_owner_new() : NULL;
	if (!own_pid_page)
		make_own_pid_page();
	if (item && !owner) {
		item->next_free = pool_free;
		pool_free = item;
	}
	leave_registry();
	if (!item || !owner)
		return NULL;
	struct egret_conn *conn = &item->conn;
	memset((char *)conn + sizeof conn->refs, 0, sizeof *conn - sizeof conn->refs);
	conn->serial = atomic_fetch_add(&made, 1);
	pthread_mutex_init(&conn->step_lock, NULL);
	conn->owner = owner;
	long nobody = 0;
	conn->pid = egret_own_pid();
	atomic_compare_exchange_strong(&registry_pid, &nobody, conn->pid);
	atomic_store(owner, conn->pid);
	atomic_store(&conn->lowat, 1);
	atomic_store(&conn->tells_rest, -1);
	atomic_store(&conn->refs, 1);
	return conn;
}

static void conn_release(struct egret_conn *conn)
{
	egret_connect_release(conn);
	egret_lines_close(&conn->lines);
	pthread_mutex_destroy(&conn->step_lock);
	hold_registry();
	egret_owner_free(conn->owner);
	struct pooled *item = (struct pooled *)conn;
	item->next_free = pool_free;
	pool_free = item;
	leave_registry();
}

void egret_conn_put(struct egret_conn *conn)
{
	if (conn && atomic_fetch_sub(&conn->refs, 1) == 1)
		conn_release(conn);
}

static conn_slot *slot_make(int fd)
{
	if (fd < 0 || fd >= CHUNK * CHUNKS)
		return NULL;
	conn_slot *chunk = atomic_load(&chunks[fd / CHUNK]);
	if (!chunk) {
		chunk = calloc(CHUNK, sizeof *chunk);
		if (!chunk)
			return NULL;
		atomic_store_explicit(&chunks[fd / CHUNK], chunk, memory_order_release);
		if (fd / CHUNK >= atomic_load(&chunks_end)) /* under registry_lock */
			atomic_store_explicit(&chunks_end, fd / CHUNK + 1, memory_order_release);
	}
	return &chunk[fd % CHUNK];
}

/* Under registry_lock. Was FD being left? */
static bool end_leaving(int fd) { return egret_fd_bit_put(leaving, fd, false); }

int egret_conn_set(int fd, struct egret_conn *conn)
{
	if (atomic_load(&conn->fd_count) == 0)
		atomic_store(&conn->inode, egret_conn_inode(fd));
	hold_registry();
	conn_slot *slot = slot_make(fd);
	struct egret_conn *old = NULL;
	bool counted = true;
	if (slot) {
		counted = !end_leaving(fd);
		atomic_fetch_add(&conn->refs, 1);
		atomic_fetch_add(&conn->fd_count, 1);
		old = atomic_exchange(slot, conn);
		if (!old)
			atomic_fetch_add(&egret_conn_live, 1);
	}
	leave_registry();
	if (old) {
		atomic_fetch_sub(&old->fd_count, counted);
		egret_conn_put(old);
	}
	return slot ? 0 : -ENOMEM;
}

struct egret_conn *egret_conn_take(int fd)
{
	conn_slot *slot = slot_of(fd);
	if (!slot || !atomic_load(slot))
		return NULL;
	hold_registry();
	struct egret_conn *conn = atomic_exchange(slot, NULL);
	if (conn) {
		atomic_fetch_sub(&egret_conn_live, 1);
		atomic_fetch_sub(&conn->fd_count, !end_leaving(fd));
	}
	leave_registry();
	return conn;
}

struct egret_conn *egret_conn_leave(int fd)
{
	conn_slot *slot = slot_of(fd);
	hold_registry();
	struct egret_conn *conn = slot && !egret_fd_bit(leaving, fd) ? atomic_load(slot) : NULL;
	if (conn) {
		egret_fd_bit_put(leaving, fd, true);
		atomic_fetch_add(&conn->refs, 1);
		atomic_fetch_sub(&conn->fd_count, 1);
	}
	leave_registry();
	return conn;
}

void egret_conn_left(int fd, struct egret_conn *conn)
{
	hold_registry();
	bool empties = atomic_load(slot_of(fd)) == conn && end_leaving(fd); /* else the number has a new one */
	if (empties) {
		atomic_store(slot_of(fd), NULL);
		atomic_fetch_sub(&egret_conn_live, 1);
	}
	leave_registry();
	if (empties)
		egret_conn_put(conn);
	egret_conn_put(conn);
}

void egret_conn_forget(const struct egret_conn *conn, int fd)
{
	for (; fd >= 0; fd = atomic_load(&conn->fd_count) ? egret_conn_other_fd(conn) : -1) {
		struct egret_conn *taken = egret_conn_take(fd);
		egret_conn_put(taken);
		if (!taken)
			return;
	}
}

int egret_conn_next_fd(int from)
{
	int end = CHUNK * atomic_load_explicit(&chunks_end, memory_order_acquire);
	for (int fd = from < 0 ? 0 : from; fd < end; fd++) {
		conn_slot *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
		if (!chunk)
			fd |= CHUNK - 1; /* to the end of the chunk */
		else if (atomic_load(&chunk[fd % CHUNK]))
			return fd;
	}
	return -1;
}

int egret_conn_next_of(const struct egret_conn *conn, int from)
{
	for (int fd = egret_conn_next_fd(from); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		conn_slot *slot = slot_of(fd);
		if (slot && atomic_load(slot) == conn && !egret_fd_bit(leaving, fd))
			return fd;
	}
	return -1;
}

int egret_conn_other_fd(const struct egret_conn *conn) { return egret_conn_next_of(conn, 0); }

bool egret_conn_registry_is_ours(void)
{
	return atomic_load(&registry_pid) == 0 || egret_conn_registry_is_mine();
}

bool egret_conn_registry_is_mine(void)
{
	egret_own_pid(); /* a copy that no hook told of finds out here */
	return atomic_load(&registry_pid) == egret_raw(SYS_getpid, 0, 0, 0, 0);
}

bool egret_conn_own(struct egret_conn *conn)
{
	long self = egret_own_pid();
	long owner = atomic_load(conn->owner);
	if (owner == self)
		return true;
	if (owner == 0 && atomic_compare_exchange_strong(conn->owner, &owner, self)) {
		conn->pid = self;
		return true;
	}
	if (owner == self)
		return true;
	if (atomic_load(&conn->fd_count) == 0) /* its last descriptor is being closed */
		return false;
	egret_say_once(2, "egret: a connection to %s is used by process %ld as well as this one: %s cannot be shared by two processes; "
			  "the first to use it after the fork keeps it", conn->host, owner, conn->entry->tls == EGRET_TLS_OFF ? "HTTP that is judged" : "TLS");
	return false;
}

void egret_conn_claim(struct egret_conn *conn)
{
	static _Atomic long owner; /* this process's own: the shared word tells the others that a relay has it */
	atomic_store(&owner, egret_raw(SYS_getpid, 0, 0, 0, 0));
	conn->owner = &owner;
}

bool egret_conn_owns_wire(struct egret_wire *wire)
{
	return egret_conn_own((struct egret_conn *)((char *)wire - offsetof(struct egret_conn, wire)));
}

bool egret_conn_may_end(struct egret_conn *conn)
{
	long self = egret_own_pid(), owner = atomic_load(conn->owner);
	return owner == self || (owner == 0 && egret_lines_alone(&conn->lines));
}

void egret_conn_before_fork(void)
{
	long self = egret_raw(SYS_getpid, 0, 0, 0, 0);
	for (struct pooled *item = pool_all; item; item = item->next_all) {
		long owner = self;
		if (!is_held(item))
			continue;
		egret_lines_before_fork(&item->conn.lines);
		atomic_compare_exchange_strong(item->conn.owner, &owner, 0);
	}
}

void egret_conn_after_fork(bool child)
{
	if (child)
		begin_as_copy();
	else
		egret_owner_divide(false);
	for (struct pooled *item = pool_all; item; item = item->next_all)
		if (is_held(item))
			egret_lines_after_fork(&item->conn.lines, child);
}

void egret_conn_lock(void) { pthread_mutex_lock(&registry_lock); }

void egret_conn_unlock(bool child)
{
	if (child)
		atomic_store(&registry_pid, egret_raw(SYS_getpid, 0, 0, 0, 0));
	pthread_mutex_unlock(&registry_lock);
}
