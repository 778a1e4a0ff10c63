/* Readiness: poll, select, epoll, at rest and while something comes. */
#include "caller.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static short events_of(const struct call *call)
{
	short events = 0;
	for (int i = 1; i < call->argc; i++)
		events |= (short)((strcmp(call->argv[i], "in") == 0 ? POLLIN : 0) | (strcmp(call->argv[i], "out") == 0 ? POLLOUT : 0) |
				  (strcmp(call->argv[i], "rdhup") == 0 ? POLLRDHUP : 0) | (strcmp(call->argv[i], "pri") == 0 ? POLLPRI : 0) |
				  (strcmp(call->argv[i], "norm") == 0 ? POLLRDNORM : 0) | (strcmp(call->argv[i], "wrnorm") == 0 ? POLLWRNORM : 0) |
				  (strcmp(call->argv[i], "band") == 0 ? POLLRDBAND | POLLWRBAND : 0) | (strcmp(call->argv[i], "msg") == 0 ? POLLMSG : 0));
	return events;
}

static void do_poll(const struct call *call)
{
	struct pollfd pfd = { .fd = it.fd, .events = events_of(call) };
	settle();
	tell(poll(&pfd, 1, 0));
	say("%x", (unsigned)pfd.revents);
}

static void do_ppoll(const struct call *call)
{
	struct pollfd pfd[2] = { { .fd = -1, .events = POLLIN }, { .fd = it.fd, .events = events_of(call) } };
	struct timespec none = { 0, 0 };
	settle();
	tell(ppoll(pfd, 2, &none, NULL));
	say("%x %x", (unsigned)pfd[0].revents, (unsigned)pfd[1].revents);
}

static void select_in_some_way(const struct call *call, bool pselects)
{
	fd_set reads, writes, excepts;
	struct timeval tv = { 0, 0 };
	struct timespec ts = { 0, 0 };
	short events = events_of(call);
	settle();
	if (it.fd < 0)
		return skip("no socket");
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_ZERO(&excepts);
	if (events & POLLIN)
		FD_SET(it.fd, &reads);
	if (events & POLLOUT)
		FD_SET(it.fd, &writes);
	if (events & POLLPRI)
		FD_SET(it.fd, &excepts);
	tell(pselects ? pselect(it.fd + 1, &reads, &writes, &excepts, &ts, NULL) : select(it.fd + 1, &reads, &writes, &excepts, &tv));
	say("%d %d %d", FD_ISSET(it.fd, &reads) != 0, FD_ISSET(it.fd, &writes) != 0, FD_ISSET(it.fd, &excepts) != 0);
}

static void do_select(const struct call *call) { select_in_some_way(call, false); }
static void do_pselect(const struct call *call) { select_in_some_way(call, true); }

/* ---- one epoll set, kept for the whole sequence ---- */

static uint32_t epoll_events_of(const struct call *call)
{
	uint32_t events = 0;
	for (int i = 2; i < call->argc; i++)
		events |= (strcmp(call->argv[i], "in") == 0 ? EPOLLIN : 0) | (strcmp(call->argv[i], "out") == 0 ? EPOLLOUT : 0) |
			  (strcmp(call->argv[i], "rdhup") == 0 ? EPOLLRDHUP : 0) | (strcmp(call->argv[i], "edge") == 0 ? EPOLLET : 0) |
			  (strcmp(call->argv[i], "once") == 0 ? EPOLLONESHOT : 0);
	return events;
}

static void do_epoll_ctl(const struct call *call)
{
	struct epoll_event event = { .events = epoll_events_of(call), .data.u64 = has_word(call, "same") ? 77 : (uint64_t)(70 + in_use) };
	const char *what = call->argc > 1 ? call->argv[1] : "";
	int operation = strcmp(what, "add") == 0 ? EPOLL_CTL_ADD : strcmp(what, "mod") == 0 ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	settle();
	if (epoll_set < 0)
		epoll_set = fcntl(epoll_create1(EPOLL_CLOEXEC), F_DUPFD_CLOEXEC, 90);
	tell(epoll_ctl(epoll_set, operation, it.fd, &event));
	it.edges = it.edges || ((event.events & EPOLLET) && (event.events & EPOLLOUT));
}

#define EVENTS 16

static int by_data(const void *a, const void *b)
{
	const struct epoll_event *left = a, *right = b;
	return left->data.u64 != right->data.u64 ? (left->data.u64 < right->data.u64 ? -1 : 1) : (int)left->events - (int)right->events;
}

/* False: what the set tells of one of them is a matter of when its FIN was acknowledged. */
static bool settle_all(void)
{
	int before = in_use;
	bool same = true;
	for (int i = 0; i < CONNECTIONS; i++) {
		use(i);
		settle();
		same = same && !it.late_fin;
	}
	use(before);
	return same;
}

/* In which order a set tells of several descriptors is no promise. */
static void do_epoll_wait(const struct call *call)
{
	struct epoll_event events[EVENTS];
	memset(events, 0, sizeof events);
	bool same = settle_all();
	if (epoll_set < 0 || !same)
		return skip(epoll_set < 0 ? "no set" : "a FIN that waits is acknowledged later");
	int n = epoll_wait(epoll_set, events, EVENTS, (int)number(call, 1, 0));
	tell(n);
	if (n > 0)
		qsort(events, (size_t)n, sizeof *events, by_data);
	for (int i = 0; i < n; i++)
		say("%x %d", events[i].events, (int)events[i].data.u64);
}

/* All connections in one call; those that are not there are -1 to poll. */
static void do_poll_all(const struct call *call)
{
	struct pollfd list[CONNECTIONS];
	int before = in_use;
	for (int i = 0; i < CONNECTIONS; i++) {
		use(i);
		settle();
		list[i] = (struct pollfd){ .fd = it.fd, .events = events_of(call) };
	}
	use(before);
	tell(poll(list, CONNECTIONS, 0));
	for (int i = 0; i < CONNECTIONS; i++)
		say("%x", (unsigned)list[i].revents);
}

static void do_select_all(const struct call *call)
{
	fd_set reads, writes;
	int before = in_use, fds[CONNECTIONS];
	short events = events_of(call);
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	for (int i = 0; i < CONNECTIONS; i++) {
		use(i);
		settle();
		fds[i] = it.fd;
		if (it.fd >= 0 && (events & POLLIN))
			FD_SET(it.fd, &reads);
		if (it.fd >= 0 && (events & POLLOUT))
			FD_SET(it.fd, &writes);
	}
	use(before);
	tell(select(FD_SETSIZE, &reads, &writes, NULL, &(struct timeval){ 0, 0 }));
	for (int i = 0; i < CONNECTIONS; i++)
		say("%d%d", fds[i] >= 0 && FD_ISSET(fds[i], &reads), fds[i] >= 0 && FD_ISSET(fds[i], &writes));
}

/* Waits in one of the calls while the peer sends nothing, or only what carries no data, or data. */
static void do_wait(const struct call *call)
{
	size_t count = (size_t)number(call, 2, 10);
	const char *how = call->argc > 1 ? call->argv[1] : "poll";
	if (it.fd < 0 || !it.connected || it.owed || it.peer_ended || it.shut_rd || it.lowat > 1 || it.tiny)
		return skip("would not wait");
	if (has_word(call, "tickets"))
		it.wire = ask(NULL, "tickets 2");
	ask(NULL, "late 15 %zu", count);
	struct pollfd pfd = { .fd = it.fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN | (has_word(call, "edge") ? EPOLLET : 0), .data.u64 = 1 };
	int n, set = epoll_create1(EPOLL_CLOEXEC);
	fd_set reads;
	FD_ZERO(&reads);
	FD_SET(it.fd, &reads);
	epoll_ctl(set, EPOLL_CTL_ADD, it.fd, &event);
	if (strcmp(how, "poll") == 0)
		n = poll(&pfd, 1, -1);
	else if (strcmp(how, "select") == 0)
		n = select(it.fd + 1, &reads, NULL, NULL, NULL);
	else
		n = epoll_wait(set, &event, 1, -1);
	say("woke %d", n);
	it.promised += count;
	it.owed += count;
	it.wire = ask(NULL, "sync");
	close(set);
}

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* A signal that was blocked and waits is let in by the mask of ppoll or pselect, where that has to wait. */
static void do_masked(const struct call *call)
{
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct pollfd pfd = { .fd = it.fd, .events = events_of(call) };
	struct timespec second = { 1, 0 };
	sigset_t alarm, none, before;
	fd_set reads;
	settle();
	if (it.fd < 0 || it.moved)
		return skip("no socket");
	sigemptyset(&none);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	alarms = 0;
	sigaction(SIGALRM, &action, &old);
	sigprocmask(SIG_BLOCK, &alarm, &before);
	raise(SIGALRM);
	FD_ZERO(&reads);
	FD_SET(it.fd, &reads);
	tell(has_word(call, "select") ? pselect(it.fd + 1, &reads, NULL, NULL, &second, &none) : ppoll(&pfd, 1, &second, &none));
	say("alarms %d", alarms);
	sigprocmask(SIG_SETMASK, &before, NULL);
	say("%d", alarms);
	sigaction(SIGALRM, &old, NULL);
}

/* A signal that comes while one of them waits: EINTR, SA_RESTART or not. */
static void do_signalled(const struct call *call)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = has_word(call, "restart") ? SA_RESTART : 0 }, old;
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct pollfd pfd = { .fd = it.fd, .events = POLLIN };
	fd_set reads;
	settle();
	if (it.fd < 0 || !it.connected || it.owed || it.peer_ended || it.shut_rd || it.moved || poll(&pfd, 1, 0) != 0)
		return skip("would not wait");
	alarms = 0;
	FD_ZERO(&reads);
	FD_SET(it.fd, &reads);
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &every, NULL);
	int n = has_word(call, "select") ? select(it.fd + 1, &reads, NULL, NULL, NULL) : poll(&pfd, 1, -1), error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	errno = error;
	tell(n);
	say("%s", alarms ? "alarms" : "none");
}

bool call_ready(const struct call *call)
{
	static const struct row rows[] = { { "poll", do_poll }, { "ppoll", do_ppoll }, { "select", do_select }, { "pselect", do_pselect },
					   { "epoll_ctl", do_epoll_ctl }, { "epoll_wait", do_epoll_wait }, { "wait", do_wait },
					   { "poll_all", do_poll_all }, { "select_all", do_select_all },
					   { "masked", do_masked }, { "signalled", do_signalled } };
	return RUN_ROW(rows, call);
}
