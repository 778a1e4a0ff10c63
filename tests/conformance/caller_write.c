/* Writing, in every way. */
#include "caller.h"

#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

static bool slurping;

/* May SIZE bytes be written now with a result that does not depend on time? A peer that reads meanwhile is asked for where it blocks. */
static bool prepare(size_t size, int flags)
{
	bool waits = !it.nonblocking && !(flags & MSG_DONTWAIT);
	slurping = false;
	it.more = it.more || (flags & MSG_MORE);
	pattern_fill(room, it.sent, size);
	if (held_back()) { /* what a stream holds comes first */
		skip("a stream has something to write");
		return false;
	}
	if (it.fd < 0 || !it.connected || it.shut_wr || it.peer_cut || size == 0 || (flags & MSG_OOB))
		return true;
	if (!waits && it.unread + size > (it.small ? UNREAD_LITTLE : UNREAD_MOST)) {
		skip("would not fit");
		return false;
	}
	if (waits && it.small && it.edges && size > UNREAD_LITTLE) {
		skip("may wait for room");
		return false;
	}
	if (waits && it.unread) {
		char word[16];
		push();
		ask(word, "read %zu", it.unread);
		it.unread = 0;
	}
	if (waits) {
		ask(NULL, "slurp %zu", size);
		slurping = true;
	}
	return true;
}

static void account(ssize_t n)
{
	char word[16] = "";
	tell(n);
	it.sent += n > 0 ? (size_t)n : 0;
	if (slurping) {
		push();
		hear(word);
		say("peer %s", word);
	} else {
		it.unread += n > 0 ? (size_t)n : 0;
	}
}

static size_t size_of(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100);
	return size < ROOM ? size : ROOM;
}

static int pieces(struct iovec *iov, size_t count, size_t size)
{
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		size_t length = i == count - 1 ? size - at : i % 3 == 1 ? 0 : size / count;
		iov[i] = (struct iovec){ room + at, length };
		at += length;
	}
	return (int)count;
}

#define MOST_PIECES 40

static void do_write(const struct call *call)
{
	size_t size = size_of(call);
	settle();
	if (prepare(size, 0))
		account(write(it.fd, room, size));
}

static void do_send(const struct call *call)
{
	size_t size = size_of(call);
	int flags = flags_of(call, 2);
	settle();
	if (prepare(size, flags))
		account(send(it.fd, room, size, flags));
}

/* A send without a copy, whose notice is waited for; one that cannot have any is sent again with a copy. */
static void do_notice(const struct call *call)
{
	size_t size = size_of(call);
	char control[128];
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
	struct pollfd pfd = { .fd = it.fd };
	if (it.fd < 0 || !it.connected || it.shut_wr || it.peer_cut || it.small || held_back() || it.unread + size > UNREAD_MOST || size == 0)
		return skip("not now");
	pattern_fill(room, it.sent, size);
	ssize_t n = send(it.fd, room, size, MSG_DONTWAIT | MSG_ZEROCOPY);
	if (n < 0 && errno == ENOBUFS)
		n = send(it.fd, room, size, MSG_DONTWAIT);
	else if (n > 0 && poll(&pfd, 1, -1) == 1)
		recvmsg(it.fd, &message, MSG_ERRQUEUE);
	slurping = false;
	account(n);
}

static void do_sendto(const struct call *call)
{
	size_t size = size_of(call);
	int flags = flags_of(call, 2);
	settle();
	if (prepare(size, flags))
		account(sendto(it.fd, room, size, flags, NULL, 0));
}

static void do_writev(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	size_t size = size_of(call), count = (size_t)number(call, 2, 3) % (MOST_PIECES + 1);
	settle();
	if (prepare(count ? size : 0, 0))
		account(writev(it.fd, iov, pieces(iov, count, size)));
}

/* With the offset that means none it is writev. */
static void do_pwritev2(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	size_t size = size_of(call), count = (size_t)number(call, 2, 3) % (MOST_PIECES + 1);
	int flags = file_flags_of(call, 3);
	settle();
	if (flags & RWF_NOWAIT && it.unread + size > (it.small ? UNREAD_LITTLE : UNREAD_MOST))
		return skip("would not fit");
	if (prepare(count && !strstr(call->argc > 3 ? call->argv[3] : "", "ODD") ? size : 0, (flags & RWF_NOWAIT) ? MSG_DONTWAIT : 0))
		account(pwritev2(it.fd, iov, pieces(iov, count, size), -1, flags));
}

static void do_sendmsg(const struct call *call)
{
	struct iovec iov[MOST_PIECES];
	size_t size = size_of(call), count = (size_t)number(call, 2, 3) % (MOST_PIECES + 1);
	int flags = flags_of(call, 3);
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = count };
	settle();
	if (prepare(count ? size : 0, flags)) {
		pieces(iov, count, size);
		account(sendmsg(it.fd, &message, flags));
	}
}

static void do_sendmmsg(const struct call *call)
{
	struct mmsghdr list[3];
	struct iovec iov[3];
	size_t size = size_of(call) / 3, total = 0;
	int flags = flags_of(call, 2);
	if (it.small && (it.nonblocking || (flags & MSG_DONTWAIT)))
		return skip("how many fit is a matter of acknowledgements");
	memset(list, 0, sizeof list);
	for (size_t i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ room + size * i, size };
		list[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	settle();
	if (!prepare(3 * size, flags))
		return;
	int n = sendmmsg(it.fd, list, 3, flags), error = errno;
	for (int i = 0; i < n; i++)
		total += list[i].msg_len;
	say("sendmmsg %d", n);
	errno = error;
	account(n < 0 ? n : (ssize_t)total);
}

static void do_sendfile(const struct call *call)
{
	size_t size = size_of(call);
	off_t offset = number(call, 2, 0);
	bool by_offset = call->argc > 2;
	settle();
	if (!it.nonblocking && (fcntl(it.fd, F_GETFL) & O_APPEND))
		return skip("it is refused, and nobody shall wait for it");
	if (!prepare(size, 0))
		return;
	int file = memfd_create("sendfile", MFD_CLOEXEC);
	if (ftruncate(file, offset) != 0 || pwrite(file, room, size, offset) != (ssize_t)size)
		abort();
	lseek(file, by_offset ? 0 : offset, SEEK_SET);
	ssize_t n = sendfile(it.fd, file, by_offset ? &offset : NULL, size);
	int error = errno;
	say("at %ld file %ld", (long)offset, (long)lseek(file, 0, SEEK_CUR));
	close(file);
	errno = error;
	account(n);
}

/* Writes until there is no more room, twice over, since the peer's kernel may still be taking some. */
static size_t write_until_full(size_t size)
{
	size_t total = 0;
	for (int quiet = 0; quiet < 20;) {
		pattern_fill(room, it.sent + total, size);
		ssize_t n = send(it.fd, room, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			tell(n);
			break;
		}
		total += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		if (n < 0)
			usleep(500);
	}
	return total;
}

/* How much is taken until a buffer is full is not the same on both sides: no stream whose lines end somewhere in the pattern may be open. */
static bool counts_lines(void) { return it.stream && __flbf(it.stream); }

/* A full send buffer: EAGAIN; the peer reads exactly what was accepted; writable again. */
static void do_fill(const struct call *call)
{
	char word[16];
	size_t size = size_of(call);
	struct pollfd pfd = { .fd = it.fd, .events = POLLOUT };
	if (it.fd < 0 || counts_lines() || !it.connected || it.shut_wr || it.peer_cut || size == 0 || held_back())
		return skip("not now");
	size_t total = write_until_full(size);
	say("full %s", total > 0 ? "EAGAIN" : "at once");
	it.sent += total;
	it.unread += total;
	push();
	ask(word, "read %zu", it.unread);
	it.unread = 0;
	it.uneven = true;
	say("peer %s", word);
	int n = poll(&pfd, 1, -1);
	say("poll %d %x", n, (unsigned)pfd.revents);
}

#define FLOOD 250000 /* bytes: many times what this buffer holds, and no more than the library encrypts at once */

/* A send that does not wait takes what a tight buffer holds, and leaves the rest to the program. */
static void do_flood(const struct call *call)
{
	char word[16];
	int tight = 5000;
	(void)call;
	if (it.fd < 0 || counts_lines() || !it.connected || it.shut_wr || it.peer_cut || held_back() || it.moved)
		return skip("not now");
	push();
	ask(word, "read %zu", it.unread);
	setsockopt(it.fd, SOL_SOCKET, SO_SNDBUF, &tight, sizeof tight);
	it.small = true;
	it.unread = 0;
	settle();
	pattern_fill(room, it.sent, FLOOD);
	ssize_t n = send(it.fd, room, FLOOD, MSG_DONTWAIT | MSG_NOSIGNAL);
	say("%s", n < 0 ? strerrorname_np(errno) : n == FLOOD ? "all" : "part");
	it.sent += n > 0 ? (size_t)n : 0;
	it.uneven = true;
	push();
	ask(word, "read %zu", n > 0 ? (size_t)n : 0);
	say("peer %s", word);
}

/* SO_SNDTIMEO: a send that waits for room gives up when its time is over. */
static void do_sndtimed(const struct call *call)
{
	char word[16];
	struct timeval tv = { 0, 30000 }, none = { 0, 0 };
	size_t size = size_of(call);
	if (it.fd < 0 || counts_lines() || !it.connected || it.nonblocking || it.shut_wr || it.peer_cut || size == 0 || held_back() || it.moved || it.small)
		return skip("not now");
	size_t total = write_until_full(4000);
	setsockopt(it.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	pattern_fill(room, it.sent + total, size);
	ssize_t n = send(it.fd, room, size, MSG_NOSIGNAL);
	/* The kernel may make some room meanwhile: only a replay, which knows that it does not, asks how much was taken. */
	bool exact = has_word(call, "exact");
	say("%s", n < 0 && errno != EAGAIN ? strerrorname_np(errno) : !exact ? "in time" : n == (ssize_t)size ? "all" : "EAGAIN");
	setsockopt(it.fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
	it.sent += total + (n > 0 ? (size_t)n : 0);
	it.unread += total + (n > 0 ? (size_t)n : 0);
	push();
	ask(word, "read %zu", it.unread);
	it.unread = 0;
	it.uneven = true;
	say("peer %s", word);
}

/* A stream longer than any buffer, written in pieces, as a program that blocks or one that polls does it. */
static void do_pour(const struct call *call)
{
	char word[16];
	size_t total = (size_t)number(call, 1, 300000), size = (size_t)number(call, 2, 5000), done = 0;
	if (it.fd < 0 || !it.connected || it.shut_wr || it.peer_cut || size == 0 || size > ROOM || held_back() || (it.small && it.edges))
		return skip("not now");
	ask(NULL, "slurp %zu", it.unread + total);
	it.unread = 0;
	while (done < total) {
		size_t step = size < total - done ? size : total - done;
		struct pollfd pfd = { .fd = it.fd, .events = POLLOUT };
		pattern_fill(room, it.sent, step);
		if (it.nonblocking && poll(&pfd, 1, -1) != 1)
			break;
		ssize_t n = send(it.fd, room, step, MSG_NOSIGNAL);
		if (n < 0 && !(it.nonblocking && errno == EAGAIN))
			break;
		done += n > 0 ? (size_t)n : 0;
		it.sent += n > 0 ? (size_t)n : 0;
	}
	say("%s", done == total ? "all written" : "FAILED");
	push();
	hear(word);
	say("peer %s", word);
}

bool call_write(const struct call *call)
{
	static const struct row rows[] = { { "write", do_write }, { "send", do_send }, { "sendto", do_sendto }, { "writev", do_writev },
					   { "sendmsg", do_sendmsg }, { "sendmmsg", do_sendmmsg }, { "sendfile", do_sendfile },
					   { "fill", do_fill }, { "pour", do_pour }, { "sndtimed", do_sndtimed },
					   { "flood", do_flood }, { "pwritev2", do_pwritev2 },
					   { "notice", do_notice } };
	return RUN_ROW(rows, call);
}
