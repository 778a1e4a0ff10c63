/* A tick interrupts our own blocking connect, so that the caller's signals can be looked for; O_NONBLOCK is never touched, since the
 * file description is the program's. */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#define TICK_MS 25
#define TICK_SIGNAL (SIGRTMIN + 3)

static __thread timer_t tick_timer;
static __thread bool tick_ready;
static __thread volatile sig_atomic_t ticking, connecting;

static void tick_every(long ms)
{
	struct itimerspec spec = { { 0, ms * 1000000L }, { 0, ms * 1000000L } };

	timer_settime(tick_timer, 0, &spec, NULL);
	ticking = ms != 0;
}

/* The timer goes on from one connect to the next, which saves two calls each, and stops itself when there is none. */
static void on_tick(int number)
{
	(void)number;
	if (!connecting)
		tick_every(0);
}

static bool tick_open(void)
{
	struct sigaction action = { .sa_handler = on_tick };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK_SIGNAL };
	sigset_t set;

	if (tick_ready)
		return true;
	sigaction(TICK_SIGNAL, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, TICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	tick_ready = timer_create(CLOCK_MONOTONIC, &event, &tick_timer) == 0;
	return tick_ready;
}

void egret_wait_end(void)
{
	if (tick_ready)
		timer_delete(tick_timer);
	tick_ready = false;
}

int64_t egret_wait_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t send_timeout_ms(const struct egret_target *target)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);

	getsockopt(target->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
	return (int64_t)timeout.tv_sec * 1000 + (timeout.tv_usec + 999) / 1000;
}

/* A tick interrupted the connect: does it go on? */
static int go_on(struct egret_call *call, const struct egret_target *target, int64_t timeout, int64_t started)
{
	egret_pool_hand_over(call->worker);
	if (timeout && egret_wait_now_ms() - started >= timeout)
		return target->transport == EGRET_LOCAL ? -EAGAIN : -EINPROGRESS;
	return egret_call_interrupted(call) ? -egret_call_interruption(target) : 0;
}

static int connect_ticking(struct egret_call *call, struct egret_target *target, const struct sockaddr_storage *ss, socklen_t len)
{
	int64_t timeout = 0, started = 0;
	int result;

	while (connect(target->fd, (const struct sockaddr *)ss, len)) {
		if (started && errno == EISCONN)
			return 0;
		if (errno != EINTR)
			return -errno;
		if (!started) {
			timeout = send_timeout_ms(target);
			started = egret_wait_now_ms();
		}
		result = go_on(call, target, timeout, started);
		if (result)
			return result;
	}
	return 0;
}

/* There a connection is made or refused at once, but for a full queue: the first tick then wakes another receiver. */
static bool is_near(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return ss->ss_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) || (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127));
}

int egret_wait_connect(struct egret_call *call, struct egret_target *target, const struct sockaddr_storage *ss, socklen_t len)
{
	bool near = is_near(ss);
	int result;

	if (target->transport == EGRET_DATAGRAM || !target->transport || (!near && egret_target_nonblock(target)))
		return connect(target->fd, (const struct sockaddr *)ss, len) ? -errno : 0;
	if (!near)
		egret_pool_hand_over(call->worker);
	if (!tick_open())
		return -ENOMEM;
	connecting = 1;
	if (!ticking)
		tick_every(TICK_MS);
	result = connect_ticking(call, target, ss, len);
	connecting = 0;
	return result;
}

int egret_wait_errand(struct egret_call *call, struct egret_target *target, struct egret_errand *errand)
{
	int64_t timeout = send_timeout_ms(target), started = egret_wait_now_ms();

	egret_pool_hand_over(call->worker);
	while (!egret_errand_wait(errand, TICK_MS)) {
		if (timeout && egret_wait_now_ms() - started >= timeout)
			return -EINPROGRESS;
		if (egret_call_interrupted(call)) {
			egret_errand_leave(egret_errand_ref(errand));
			return -egret_call_interruption(target);
		}
	}
	return errand->error;
}

int egret_wait_writable(struct egret_call *call, struct egret_target *target, int64_t started_ms)
{
	struct pollfd pollfd = { .fd = target->fd, .events = POLLOUT };
	int64_t timeout = send_timeout_ms(target);
	int ready;

	if (egret_target_nonblock(target))
		return -EAGAIN;
	egret_pool_hand_over(call->worker);
	if (timeout && egret_wait_now_ms() - started_ms >= timeout)
		return -EAGAIN;
	/* A datagram socket is writable although its receiver's queue is full (unix(7)): do not spin. */
	ready = target->transport == EGRET_LOCAL && target->type == SOCK_DGRAM ? poll(NULL, 0, 2) : poll(&pollfd, 1, TICK_MS);
	if (ready <= 0 && egret_call_interrupted(call))
		return -egret_call_interruption(target);
	return 0;
}
