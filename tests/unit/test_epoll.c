/* Waits of a set in which the kernel finds again and again what the program must not see: a handshake that does not get on. */
#include "preload/answer.h"
#include "preload/connect.h"
#include "preload/guard.h"
#include "preload/hooks.h"
#include "preload/io.h"
#include "preload/pending.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 10000 /* looks: more than any wait may take */
#define EPFD 90
#define DATA 70

struct egret_real real;
_Atomic unsigned egret_conn_live = 1;
__thread unsigned egret_guard_depth;

/* ---- what it stands on ---- */

static struct egret_conn conn;
static unsigned looks, empty_after; /* looks of the kernel; from this one on it finds nothing */
static int64_t clock_us, look_us;   /* how long each takes */

static int look(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	(void)mask;
	assert_int_equal(epfd, EPFD);
	assert_true(max > 0 && timeout >= -1);
	if (++looks == MANY)
		fail_msg("a wait whose time is over looks on and on");
	clock_us += look_us;
	if (looks > empty_after)
		return 0;
	events[0] = (struct epoll_event){ .events = EPOLLIN, .data.u64 = DATA };
	return 1;
}

struct egret_conn *egret_io_wrapped(int fd) { (void)fd; return &conn; }
void egret_conn_put(struct egret_conn *it) { (void)it; }
bool egret_conn_own(struct egret_conn *it) { (void)it; return true; }
bool egret_answer_due(const struct egret_conn *it) { (void)it; return false; }
short egret_io_readable(struct egret_conn *it) { (void)it; return 0; }
int egret_connect_step(struct egret_conn *it) { (void)it; return -EAGAIN; }
int64_t egret_now_us(void) { return clock_us; }
int egret_pending_expire(void) { return -1; }
void egret_ready_rearm(const struct egret_ready_match *match) { (void)match; }

int egret_ready_control(int epfd, int operation, int fd, struct epoll_event *event)
{
	(void)epfd;
	(void)operation;
	(void)fd;
	(void)event;
	return 0;
}

size_t egret_ready_find(int epfd, uint64_t data, struct egret_ready_match *matches, size_t most)
{
	(void)most;
	assert_int_equal(epfd, EPFD);
	assert_int_equal(data, DATA);
	matches[0] = (struct egret_ready_match){ .fd = 5, .events = EPOLLIN };
	return 1;
}

bool egret_ready_is_strays(const struct egret_ready_match *matches, size_t count, const struct epoll_event *event)
{
	(void)matches;
	(void)count;
	(void)event;
	return false;
}

void egret_ready_told(int epfd, const struct egret_ready_telling *it, uint64_t data, uint64_t batch)
{
	(void)epfd;
	(void)it;
	(void)data;
	(void)batch;
}

static int begin(void **state)
{
	(void)state;
	real.epoll_pwait = look;
	atomic_store(&conn.state, EGRET_CONN_HANDSHAKING);
	looks = 0;
	clock_us = 1000000;
	look_us = 0;
	empty_after = MANY;
	return 0;
}

/* ---- */

static void a_wait_for_nothing_ends_although_each_look_finds_what_is_swallowed(void **state)
{
	struct epoll_event event;
	(void)state;
	assert_int_equal(egret_on_epoll_wait(EPFD, &event, 1, 0), 0);
}

static void a_wait_ends_behind_its_time_although_each_look_finds_what_is_swallowed(void **state)
{
	struct epoll_event event;
	const struct timespec two_ms = { 0, 2000000 };
	(void)state;
	look_us = 100;
	assert_int_equal(egret_on_epoll_pwait2(EPFD, &event, 1, &two_ms, NULL), 0);
	assert_true(clock_us >= 1000000 + 2000);
}

static void a_wait_for_nothing_looks_until_nothing_is_left(void **state)
{
	struct epoll_event event;
	(void)state;
	empty_after = 3;
	assert_int_equal(egret_on_epoll_wait(EPFD, &event, 1, 0), 0);
	assert_int_equal(looks, 4); /* until there is nothing more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_wait_for_nothing_ends_although_each_look_finds_what_is_swallowed, begin),
		cmocka_unit_test_setup(a_wait_ends_behind_its_time_although_each_look_finds_what_is_swallowed, begin),
		cmocka_unit_test_setup(a_wait_for_nothing_looks_until_nothing_is_left, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
