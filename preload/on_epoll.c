/* epoll: the program's registrations stay in the kernel; while a handshake runs they wait for what it needs, and wake-ups that
 * bring nothing for the program are swallowed. */
#include "answer.h"
#include "connect.h"
#include "deadline.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "pending.h"
#include "reach.h"
#include "ready.h"
#include "real.h"

#include "policy/raw.h"
#include "runtime.h"

#define MATCHES 8 /* registrations with the same `data` that are told apart */
#define READ_EVENTS ((uint32_t)(EPOLLIN | EPOLLRDNORM))
/* Who asks for none of it hears of nothing that comes, sock_def_readable. */
#define WAKES_READERS ((uint32_t)(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND))
#define OF_ANOTHER 4 /* so far, `distance`, or farther is an event that tells other things than there are */
#define LATE_ROUNDS 64 /* looks behind the deadline at most, each of which found only what is swallowed */

int egret_on_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event)
{
	if (!egret_can_read(event, operation == EPOLL_CTL_DEL ? 0 : sizeof *event))
		return real.epoll_ctl(epfd, operation, fd, event); /* which answers EFAULT */
	return egret_ready_control(epfd, operation, fd, event);
}

/* What there is to tell of room, egret_ready_telling. */
static uint64_t room_of(const struct egret_conn *conn) { return conn->wire.hunger + 1; }

/* Is what an edge tells IT known to the program, and what came only a record without data behind it? */
static bool is_no_edge(struct egret_conn *conn, struct egret_ready_telling *it, uint32_t events)
{
	const struct egret_ready_match *match = it->match;
	bool writes = (events & EPOLLOUT) && match->told_room != room_of(conn), rd = conn->wire.read_shut, both = rd && conn->wire.write_closed;
	uint32_t ends = EPOLLERR | (rd ? 0 : (uint32_t)EPOLLRDHUP) | (both ? 0 : (uint32_t)EPOLLHUP); /* not those that the program has made itself */
	if ((match->events & (EPOLLET | EPOLLONESHOT)) != EPOLLET || conn->observed)
		return false;
	bool end = (events & ends) != 0, tells = end;
	const struct egret_wire_edge edge = { .stirred = it->stirred, .anothers = it->several, .round = it->batch };
	it->news = egret_wire_news(&conn->wire, &edge, &end);
	return it->news == match->told_news && !writes && (end || !tells);
}

/* An edge that tells again that the program may write, which it knows, is none, unless it came of something that was read meanwhile.
 * SAID_READABLE: as the kernel had it, which nothing is. */
static bool is_old(struct egret_conn *conn, const struct egret_ready_telling *it, uint32_t events, bool said_readable)
{
	const struct egret_ready_match *match = it->match;
	if (it->deaf || events != EPOLLOUT || !(match->events & EPOLLET) || match->told_room != room_of(conn))
		return false;
	if (conn->observed || !egret_conn_own(conn))
		return said_readable;
	bool shut = conn->wire.read_shut || conn->wire.write_closed; /* which is told once, egret_wire_make_news */
	if (shut && (it->stirred || said_readable) && (!match->told_news || egret_wire_old_news(&conn->wire) == match->told_news))
		return true;
	return egret_wire_brought_nothing(&conn->wire, match->told_news, it->stirred, said_readable);
}

/* The kernel says readable: what of EVENTS is true for the program? */
static uint32_t judge_readable(struct egret_conn *conn, struct egret_ready_telling *it, uint32_t events)
{
	bool own = egret_conn_own(conn);
	uint32_t seen = own ? (uint32_t)(unsigned short)egret_io_readable(conn) : events;
	if (seen && own && is_no_edge(conn, it, events))
		return 0;
	if (seen) {
		atomic_store_explicit(&conn->wrote, false, memory_order_relaxed);
		return (events & ~READ_EVENTS) | (seen & (it->match->events | EPOLLERR));
	}
	events &= ~READ_EVENTS;
	return is_old(conn, it, events, true) ? 0 : events;
}

/* What the program sees of EVENTS, which the kernel reported for IT, and what it learns of. */
static uint32_t judge_match(struct egret_ready_telling *it, uint32_t events, bool *ours)
{
	const struct egret_ready_match *match = it->match;
	struct egret_conn *conn = egret_io_wrapped(match->fd);
	if (!conn)
		return events;
	*ours = true;
	it->room = room_of(conn); /* a write that is told to wait from here on is told of the next one */
	it->stirs = conn->wire.stirs;
	it->stirred = it->stirs > match->told_stirs;
	int state = atomic_load(&conn->state);
	if (state == EGRET_CONN_CONNECTING || state == EGRET_CONN_HANDSHAKING) {
		egret_connect_step(conn);
		events = 0; /* when it has ended the registration is the program's again, and reports by itself */
	} else if (state == EGRET_CONN_FAILED) {
		events |= atomic_load(&conn->connect_errno) ? (uint32_t)EPOLLERR : 0; /* until the program was told, as poll */
	} else if (egret_answer_due(conn)) {
		events = (events & (match->events | EPOLLERR | EPOLLHUP)) | (match->events & READ_EVENTS);
	} else if (events & READ_EVENTS) {
		events = judge_readable(conn, it, events);
	} else if (is_old(conn, it, events, false)) {
		events = 0;
	}
	if (events && !it->news && state == EGRET_CONN_OPEN && (match->events & EPOLLET) && !conn->observed)
		it->news = egret_wire_old_news(&conn->wire);
	if (events)
		events |= (uint32_t)(unsigned short)egret_wire_shut_events(&conn->wire) & (match->events | EPOLLHUP);
	if (events && conn->wire.read_shut && conn->wire.write_closed)
		events &= match->events | EPOLLERR | EPOLLHUP; /* egret_ready_both_shut */
	if (events && conn->wire.error_once)
		events |= EPOLLERR; /* the kernel's, which reading took from it */
	if ((events & EPOLLERR) && egret_wire_hides_reset(&conn->wire))
		events &= ~(uint32_t)EPOLLERR;
	egret_conn_put(conn);
	return events;
}

/* May the kernel have reported EVENTS for MATCH, one of several with the same `data`? */
static bool may_be_of(const struct egret_ready_match *match, uint32_t events, uint64_t batch)
{
	return !match->fired && match->batch != batch && !(events & ~(match->events | EPOLLERR | EPOLLHUP));
}

/* What the kernel says of MATCH's descriptor now. */
static uint32_t ask(const struct egret_ready_match *match)
{
	struct pollfd pfd = { .fd = match->fd, .events = (short)(match->events & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI | POLLRDHUP)) };
	const struct timespec now = { 0 };
	long n = egret_raw6(SYS_ppoll, (long)&pfd, 1, (long)&now, 0, 0, 0); /* no thread is cancelled here, as in poll */
	return n > 0 ? (uint32_t)(unsigned short)pfd.revents : 0;
}

/* In how much what is THERE and EVENTS differ, and then whether it tells a thing again: the less, the likelier MATCH is the one. An error may have
 * been taken since, for the one before. */
static int distance(const struct egret_ready_match *match, uint32_t there, uint32_t events)
{
	uint32_t differ = there ^ events, error = EPOLLERR;
	return OF_ANOTHER * __builtin_popcount(differ & ~error) + 2 * !(match->events & (EPOLLONESHOT | EPOLLET)) + ((differ & error) != 0);
}

/* Has MATCH a connection whose events are those that the program asked for? While a handshake runs, or an answer is due, they are others. */
static bool is_as_asked(const struct egret_ready_match *match)
{
	struct egret_conn *conn = egret_io_wrapped(match->fd);
	bool open = conn && atomic_load(&conn->state) == EGRET_CONN_OPEN && !egret_answer_due(conn);
	egret_conn_put(conn);
	return open;
}

/* Of what was looked at for an event. */
struct finding {
	bool ours;      /* a connection was among it */
	bool explained; /* ... that had what the event tells of to read, though nothing for the program */
};

/* They cannot be told apart, and need not be: of those that have something to tell one does. One that had nothing is not asked again of the next
 * event, which would be told for want of what the first was judged by. */
static struct egret_ready_telling judge_matches(int epfd, const struct egret_ready_match *matches, size_t count, const struct epoll_event *event,
						uint64_t batch, struct finding *found)
{
	struct egret_ready_telling best = { 0 };
	int nearest = 0;
	bool reads = (event->events & READ_EVENTS) != 0;
	for (size_t i = 0; i < count; i++) {
		const struct egret_ready_match *match = &matches[i];
		struct egret_ready_telling it = { .match = match, .batch = batch, .several = count > 1,
						  .deaf = count == 1 && !(match->events & WAKES_READERS) };
		bool governed = false;
		uint32_t there = match->shared ? ask(match) : 0; /* before it is taken */
		int how_far = distance(match, there, event->events);
		bool possible = count == 1 || may_be_of(match, event->events, batch);
		bool as_asked = count > 1 && is_as_asked(match);
		if ((match->quiet == batch && !reads) || (!possible && as_asked)) {
			found->ours = true;
			continue;
		}
		uint32_t its = as_asked ? event->events & (there | EPOLLERR) : event->events;
		it.seen = judge_match(&it, its, &governed);
		found->ours |= governed;
		found->explained |= governed && reads && !(event->events & ~(there | EPOLLERR | EPOLLHUP));
		it.had_nothing = count > 1 && its && !reads;
		if (count > 1 && how_far >= OF_ANOTHER)
			it.stirs = match->told_stirs; /* its own edge is yet to come */
		if (possible && governed && !it.seen && (it.had_nothing || it.stirred))
			egret_ready_told(epfd, &it, event->data.u64, batch);
		if (count > 1 && governed && it.seen)
			it.seen |= there & match->events & (EPOLLOUT | EPOLLRDHUP); /* the event may be another's: its own is not told any more */
		if (count > 1 && !governed)
			it.seen &= there; /* the event may be another's, of which nothing is to be told */
		if (it.seen && possible && (!best.match || how_far < nearest)) {
			best = it;
			best.far = !governed && how_far >= OF_ANOTHER;
			nearest = how_far;
		}
	}
	bool of_another = best.match && best.far && found->explained;
	return of_another ? (struct egret_ready_telling){ 0 } : best;
}

/* Is any of them a connection's? */
static bool are_governed(const struct egret_ready_match *matches, size_t count)
{
	struct egret_conn *conn = NULL;
	for (size_t i = 0; i < count && !conn; i++)
		conn = egret_io_wrapped(matches[i].fd);
	egret_conn_put(conn);
	return conn != NULL;
}

/* What of EVENT the program sees; 0: nothing. */
static uint32_t judge_event(int epfd, const struct epoll_event *event, uint64_t batch)
{
	struct egret_ready_match matches[MATCHES];
	size_t count = egret_ready_find(epfd, event->data.u64, matches, MATCHES);
	struct finding found = { 0 };
	if (count == 0 || count > MATCHES || (count > 1 && !are_governed(matches, count)))
		return event->events;
	struct egret_ready_telling it = judge_matches(epfd, matches, count, event, batch, &found);
	if (!it.match && !found.explained && egret_ready_is_strays(matches, count, event))
		return event->events;
	if (it.match && found.ours && (count > 1 || (it.match->events & (EPOLLONESHOT | EPOLLET))))
		egret_ready_told(epfd, &it, event->data.u64, batch);
	for (size_t i = 0; i < count && !it.match; i++)
		egret_ready_rearm(&matches[i]);
	return it.seen;
}

static int filter(int epfd, struct epoll_event *events, int count)
{
	static _Atomic uint64_t batches;
	uint64_t batch = atomic_fetch_add(&batches, 1) + 1;
	int kept = 0;
	egret_guard_enter();
	for (int i = 0; i < count; i++) {
		uint32_t seen = judge_event(epfd, &events[i], batch);
		if (seen) {
			events[kept] = events[i];
			events[kept++].events = seen;
		}
	}
	egret_guard_leave();
	return kept;
}

static int wait_governed(int epfd, struct epoll_event *events, int max, int64_t deadline, const sigset_t *mask)
{
	for (int late = 0;;) {
		int bound = egret_pending_expire();
		int64_t left = deadline < 0 ? -1 : deadline - egret_now_us();
		int timeout = deadline < 0 ? -1 : left <= 0 ? 0 : (int)((left + 999) / 1000);
		if (bound >= 0 && (timeout < 0 || timeout > bound))
			timeout = bound;
		int n = real.epoll_pwait(epfd, events, max, timeout, mask);
		int kept = n > 0 ? filter(epfd, events, n) : n;
		if (kept != 0)
			return kept;
		if (deadline >= 0 && egret_now_us() >= deadline && (n == 0 || ++late == LATE_ROUNDS))
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
	if (atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 || !egret_is_timeout(timeout)) {
		if (real.epoll_pwait2)
			return real.epoll_pwait2(epfd, events, max, timeout, mask);
		errno = ENOSYS;
		return -1;
	}
	return wait_governed(epfd, events, max, egret_deadline_of(timeout), mask);
}
