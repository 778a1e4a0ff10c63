#include "pending.h"

#include "connect.h"
#include "guard.h"

static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;
static struct egret_conn *pending; /* handshakes under way, each with a reference */
static _Atomic unsigned pending_count;

static void hold(void)
{
	egret_guard_enter();
	pthread_mutex_lock(&pending_lock);
}

static void release(void)
{
	pthread_mutex_unlock(&pending_lock);
	egret_guard_leave();
}

void egret_pending_add(struct egret_conn *conn)
{
	hold();
	if (!conn->is_pending) {
		atomic_fetch_add(&conn->refs, 1);
		conn->is_pending = true;
		conn->next_pending = pending;
		pending = conn;
		atomic_fetch_add(&pending_count, 1);
	}
	release();
}

bool egret_pending_remove(struct egret_conn *conn)
{
	bool was = false;
	hold();
	struct egret_conn **link = &pending;
	while (*link && *link != conn)
		link = &(*link)->next_pending;
	if (*link) {
		*link = conn->next_pending;
		conn->is_pending = false;
		atomic_fetch_sub(&pending_count, 1);
		was = true;
	}
	release();
	return was;
}

int egret_pending_expire(void)
{
	int bound = -1;
	struct egret_conn *late = NULL;
	if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0)
		return -1;
	hold();
	for (struct egret_conn *it = pending; it && !late; it = it->next_pending) {
		int left = egret_connect_time_left(it);
		bound = bound < 0 || left < bound ? left : bound;
		if (left == 0) {
			atomic_fetch_add(&it->refs, 1);
			late = it;
		}
	}
	release();
	if (late) {
		egret_connect_step(late);
		egret_conn_put(late);
	}
	return bound;
}

void egret_pending_before_fork(void) { pthread_mutex_lock(&pending_lock); }
void egret_pending_after_fork(void) { pthread_mutex_unlock(&pending_lock); }
