/* Reading, in every way. */
#include "caller.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

/* Would a read of COUNT bytes wait for what never comes? */
static bool would_wait(const struct call *call, size_t count, int flags)
{
	(void)call;
	if (read_ahead()) /* a stream's bytes come first */
		return true;
	if (it.fd < 0 || it.nonblocking || (flags & MSG_DONTWAIT) || it.peer_ended || it.shut_rd)
		return false;
	size_t lowat = it.lowat > 1 ? (size_t)it.lowat : 1;
	size_t wanted = (flags & MSG_WAITALL) || count < lowat ? count : lowat;
	return it.owed < (wanted ? wanted : 1);
}

static void check(ssize_t n, int flags)
{
	tell(n);
	if (n <= 0)
		return;
	if (!(flags & MSG_TRUNC))
		say("%s", pattern_is(room, it.promised - it.owed, (size_t)n) ? "right" : "WRONG");
	if (!(flags & MSG_PEEK))
		it.owed -= (size_t)n < it.owed ? (size_t)n : it.owed;
}

/* SIZE bytes of `room` in COUNT pieces, some of them empty. */
static int pieces(struct iovec *iov, int count, size_t size)
{
	size_t at = 0;
	for (int i = 0; i < count; i++) {
		size_t length = i == count - 1 ? size - at : i % 3 == 1 ? 0 : size / (size_t)count;
		iov[i] = (struct iovec){ room + at, length };
		at += length;
	}
	return count;
}

#define MOST_PIECES 40

static int piece_count(const struct call *call, int i)
{
	long count = number(call, i, 3);
	return count < 0 ? 0 : count > MOST_PIECES ? MOST_PIECES : (int)count;
}

static void do_read(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100);
	settle();
	if (size && would_wait(call, size, 0))
		return skip("would wait");
	check(read(it.fd, room, size), 0);
}

static void do_recv(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100);
	int flags = flags_of(call, 2);
	settle();
	if (would_wait(call, size, flags))
		return skip("would wait");
	check(recv(it.fd, (flags & MSG_TRUNC) ? NULL : room, size, flags), flags);
}

static void do_recvfrom(const struct call *call)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	size_t size = (size_t)number(call, 1, 100);
	int flags = flags_of(call, 2);
	settle();
	if (would_wait(call, size, flags))
		return skip("would wait");
	ssize_t n = recvfrom(it.fd, room, size, flags, (struct sockaddr *)&from, &length);
	check(n, flags);
	if (n >= 0)
		say("from %u", length);
}

static void do_readv(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	size_t size = (size_t)number(call, 1, 100);
	int count = pieces(iov, piece_count(call, 2), size);
	settle();
	if (size && count && would_wait(call, size, 0))
		return skip("would wait");
	check(readv(it.fd, iov, count), 0);
}

/* Flags of preadv2(2) and pwritev2(2). */
int file_flags_of(const struct call *call, int i)
{
	const char *text = i < call->argc ? call->argv[i] : "";
	return (strstr(text, "NOWAIT") ? RWF_NOWAIT : 0) | (strstr(text, "HIPRI") ? RWF_HIPRI : 0) | (strstr(text, "DSYNC") ? RWF_DSYNC : 0) |
	       (strstr(text, "APPEND") ? RWF_APPEND : 0) | (strstr(text, "ODD") ? 0x40000000 : 0);
}

/* With the offset that means none it is readv. */
static void do_preadv2(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	size_t size = (size_t)number(call, 1, 100);
	int count = pieces(iov, piece_count(call, 2), size), flags = file_flags_of(call, 3);
	settle();
	if (size && count && would_wait(call, size, (flags & RWF_NOWAIT) ? MSG_DONTWAIT : 0))
		return skip("would wait");
	check(preadv2(it.fd, iov, count, -1, flags), 0);
}

/* What control data there is, by its kind; of TCP_INQ what is left. */
static void say_control(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		int rest = 0;
		bool odd = it.peer_cut || (it.shut_rd && it.peer_ended); /* whether the end counts is a matter of what came first */
		if (!odd && head->cmsg_level == IPPROTO_TCP && head->cmsg_len >= CMSG_LEN(sizeof rest))
			memcpy(&rest, CMSG_DATA(head), sizeof rest);
		say("%d/%d %d", head->cmsg_level, head->cmsg_type, rest);
	}
}

static void do_recvmsg(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	char control[64];
	struct sockaddr_storage name;
	size_t size = (size_t)number(call, 1, 100);
	int flags = flags_of(call, 3), count = pieces(iov, piece_count(call, 2), size);
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)count, .msg_control = control, .msg_controllen = sizeof control,
				  .msg_name = &name, .msg_namelen = sizeof name };
	settle();
	if (would_wait(call, count ? size : 0, flags))
		return skip("would wait");
	ssize_t n = recvmsg(it.fd, &message, flags);
	check(n, flags);
	if (n >= 0)
		say("flags %x name %u control %zu", (unsigned)message.msg_flags & ~(unsigned)MSG_CMSG_CLOEXEC, message.msg_namelen, message.msg_controllen);
	if (n >= 0)
		say_control(&message);
}

static void do_recvmmsg(const struct call *call)
{
	struct mmsghdr list[3];
	struct iovec iov[3];
	size_t size = (size_t)number(call, 1, 100);
	int flags = flags_of(call, 2);
	memset(list, 0, sizeof list);
	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ room + size * (size_t)i, size };
		list[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	settle();
	if (size == 0 || would_wait(call, flags & MSG_WAITFORONE ? size : 3 * size, flags | ((flags & MSG_WAITFORONE) ? 0 : MSG_WAITALL)))
		return skip("would wait");
	int n = recvmmsg(it.fd, list, 3, flags, NULL);
	tell(n);
	for (int i = 0; i < n; i++) {
		size_t length = list[i].msg_len;
		say("%zu %s", length, pattern_is(room + size * (size_t)i, it.promised - it.owed, length) ? "right" : "WRONG");
		it.owed -= length < it.owed ? length : it.owed;
	}
}

/* recvmmsg with a time of which it is asked behind each message whether it is over. */
static void do_several(const struct call *call)
{
	struct mmsghdr list[3] = { 0 };
	struct iovec iov[3];
	size_t size = (size_t)number(call, 1, 10);
	struct timespec time = { number(call, 2, 0), number(call, 3, 0) };
	for (size_t i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ room + size * i, size };
		list[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	settle();
	bool over = time.tv_sec == 0 && time.tv_nsec == 0;
	if (size == 0 || would_wait(call, over ? size : 3 * size, over ? 0 : MSG_WAITALL))
		return skip("would wait");
	int n = recvmmsg(it.fd, list, 3, 0, &time);
	tell(n);
	for (int i = 0; i < n; i++) {
		say("%u %s", list[i].msg_len, pattern_is(room + size * (size_t)i, it.promised - it.owed, list[i].msg_len) ? "right" : "WRONG");
		it.owed -= list[i].msg_len < it.owed ? list[i].msg_len : it.owed;
	}
	say("%s", time.tv_sec || time.tv_nsec ? "left" : "over");
}

/* SO_RCVTIMEO behind a part of what MSG_WAITALL asks for. */
static void do_partly(const struct call *call)
{
	struct timeval tv = { 0, 40000 }, none = { 0, 0 };
	if (it.fd < 0 || !it.connected || !it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd)
		return skip("not now");
	settle();
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	int flags = flags_of(call, 2) | MSG_WAITALL;
	check(recv(it.fd, (flags & MSG_TRUNC) ? NULL : room, it.owed + (size_t)number(call, 1, 1), flags), flags);
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

/* SO_RCVTIMEO while nothing comes but what carries no data. */
static void do_timed(const struct call *call)
{
	struct timeval tv = { 0, 40000 }, none = { 0, 0 };
	if (it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd)
		return skip("would not wait");
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	check(recv(it.fd, room, 100, flags_of(call, 1)), 0);
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

/* A read that waits for what the peer sends later. */
static void do_late(const struct call *call)
{
	size_t count = (size_t)number(call, 1, 10);
	int flags = flags_of(call, 2);
	if (it.fd < 0 || !it.connected || it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd || it.lowat > 1 || it.tiny)
		return skip("would not wait");
	ask(NULL, "late 20 %zu", count);
	it.promised += count;
	it.owed += count;
	ssize_t n = recv(it.fd, room, count, flags);
	it.wire = ask(NULL, "sync");
	settle();
	check(n, flags);
}

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define LEAST_MS 60

/* SO_RCVLOWAT: a read that found less than that waits. PEEK: until the rest comes. Else nothing does, and it gives up when SO_RCVTIMEO is over: of what a
 * read has taken already the kernel forgets that it was part of it, so that the rest would not wake it. */
static void do_least(const struct call *call)
{
	int least = (int)number(call, 1, 100), one = 1, part = 1 + least / 3;
	bool peeks = has_word(call, "PEEK");
	struct timeval tv = { 0, LEAST_MS * 1000 }, none = { 0, 0 };
	if (it.fd < 0 || !it.connected || it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd || it.lowat > 1 || it.tiny || it.moved)
		return skip("not now");
	it.wire = ask(NULL, "send %d", part);
	settle();
	setsockopt(it.fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, peeks ? &none : &tv, sizeof tv);
	if (peeks)
		ask(NULL, "late 20 %d", least - part);
	size_t count = (size_t)(peeks ? least : part);
	it.promised += count;
	it.owed += count;
	int64_t began = now_ms();
	ssize_t n = recv(it.fd, room, sizeof room, flags_of(call, 2));
	if (!peeks)
		say("%s", now_ms() - began < LEAST_MS - 10 ? "at once" : "waited");
	it.wire = ask(NULL, "sync");
	settle();
	check(n, flags_of(call, 2));
	setsockopt(it.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

static size_t later; /* bytes that the handler asks the peer for */

static void on_alarm(int signal)
{
	(void)signal;
	if (alarms++ || !later)
		return;
	char text[32] = "send 00000 0\n";
	for (size_t i = 9, n = later; n; n /= 10)
		text[i--] = (char)('0' + n % 10);
	if (write(3, text, strlen(text)) < 0)
		abort();
}

/* One that has a part of what it waits for ends with it, SA_RESTART or not. */
static void do_broken_off(const struct call *call)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = has_word(call, "restart") ? SA_RESTART : 0 }, old;
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	int flags = flags_of(call, 1) | MSG_WAITALL;
	if (it.fd < 0 || !it.connected || !it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd)
		return skip("would not wait");
	settle();
	alarms = 0;
	later = 0;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &every, NULL);
	ssize_t n = recv(it.fd, (flags & MSG_TRUNC) ? NULL : room, it.owed + 100, flags);
	int error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	errno = error;
	check(n, flags);
}

/* A read that a signal interrupts: it goes on under SA_RESTART, to get what the handler made the peer send. */
static void do_interrupted(const struct call *call)
{
	bool restart = has_word(call, "restart");
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0 }, old;
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	if (it.fd < 0 || !it.connected || it.owed || read_ahead() || it.peer_ended || it.nonblocking || it.shut_rd || it.lowat > 1)
		return skip("would not wait");
	alarms = 0;
	later = restart ? 10 : 0;
	it.promised += later;
	it.owed += later;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &every, NULL);
	ssize_t n = recv(it.fd, room, 10, 0);
	int error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	if (later)
		it.wire = hear(NULL);
	settle();
	errno = error;
	check(n, 0);
}

#define TINY_BULK 5000 /* bytes: into a window smaller than its segments the kernel sends one in 200 ms */

/* A stream longer than any buffer, read in pieces. */
static void do_bulk(const struct call *call)
{
	size_t total = (size_t)number(call, 1, 300000), size = (size_t)number(call, 2, 5000), done = 0;
	if (it.fd < 0 || !it.connected || it.owed || read_ahead() || it.peer_ended || it.shut_rd || it.lowat > 1 || size == 0 || size > ROOM)
		return skip("not now");
	total = it.tiny && total > TINY_BULK ? TINY_BULK : total;
	ask(NULL, "bulk %zu %ld", total, number(call, 3, 0));
	while (done < total) {
		struct pollfd pfd = { .fd = it.fd, .events = POLLIN };
		if (it.nonblocking && poll(&pfd, 1, -1) != 1) {
			say("nothing came after %zu", done);
			break;
		}
		ssize_t n = recv(it.fd, room, size, 0);
		if (n < 0 && errno == EAGAIN && it.nonblocking)
			continue;
		if (n <= 0 || !pattern_is(room, it.promised + done, (size_t)n)) {
			tell(n);
			say("after %zu", done);
			break;
		}
		done += (size_t)n;
	}
	it.promised += total;
	it.wire = ask(NULL, "sync");
	settle();
	say("%s", done == total ? "all right" : "FAILED");
}

bool call_read(const struct call *call)
{
	static const struct row rows[] = { { "read", do_read }, { "recv", do_recv }, { "recvfrom", do_recvfrom }, { "readv", do_readv },
					   { "recvmsg", do_recvmsg }, { "recvmmsg", do_recvmmsg }, { "timed", do_timed }, { "late", do_late }, { "least", do_least },
					   { "interrupted", do_interrupted }, { "bulk", do_bulk }, { "preadv2", do_preadv2 },
					   { "several", do_several }, { "partly", do_partly }, { "broken_off", do_broken_off } };
	return RUN_ROW(rows, call);
}
