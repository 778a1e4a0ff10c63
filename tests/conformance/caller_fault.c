/* Pointers to memory that cannot be used: the kernel's answer is EFAULT, and the connection goes on. */
#include "caller.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>

#define PAGE 4096
#define PIECE 5000 /* bytes that the peer sends at once: one segment, which the kernel copies whole or not at all */

unsigned char *broken_room(size_t good, size_t size)
{
	static unsigned char *pages;
	(void)size;
	if (!pages) {
		pages = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(pages + PAGE, 31 * PAGE, PROT_NONE);
	}
	return pages + PAGE - good;
}

/* Where the call names it; of WHERE "second" the first 100 bytes are good. */
static void *bad(const struct call *call)
{
	if (has_word(call, "null"))
		return NULL;
	if (has_word(call, "low"))
		return (void *)0x18;
	if (has_word(call, "kernel"))
		return (void *)0xffff800000001000;
	return broken_room(has_word(call, "second") ? 100 : 0, PIECE);
}

struct reader {
	const char *name;
	ssize_t (*run)(void *buf, size_t size, bool peek);
};

static ssize_t by_read(void *buf, size_t size, bool peek) { return peek ? recv(it.fd, buf, size, MSG_PEEK) : read(it.fd, buf, size); }
static ssize_t by_recv(void *buf, size_t size, bool peek) { return recv(it.fd, buf, size, MSG_DONTWAIT | (peek ? MSG_PEEK : 0)); }

static ssize_t by_recvfrom(void *buf, size_t size, bool peek)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	return recvfrom(it.fd, buf, size, peek ? MSG_PEEK : 0, (struct sockaddr *)&from, &length);
}

static ssize_t by_readv(void *buf, size_t size, bool peek)
{
	struct iovec iov[2] = { { room, 50 }, { buf, size } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	return peek ? recvmsg(it.fd, &message, MSG_PEEK) : readv(it.fd, iov, 2);
}

static ssize_t by_recvmsg(void *buf, size_t size, bool peek)
{
	struct iovec iov[2] = { { room, 50 }, { buf, size } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	return recvmsg(it.fd, &message, peek ? MSG_PEEK : 0);
}

static ssize_t by_recvmmsg(void *buf, size_t size, bool peek)
{
	struct iovec iov = { buf, size };
	struct mmsghdr list[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
	return recvmmsg(it.fd, list, 2, peek ? MSG_PEEK : 0, NULL);
}

/* With something to read: EFAULT, nothing is taken. With nothing the memory is never looked at. */
static void read_into(const struct reader *reader, const struct call *call)
{
	if (it.owed || read_ahead() || it.peer_ended || it.shut_rd || it.shut_wr || it.tiny || it.lowat > 1 || !it.connected || it.fd < 0 || it.moved)
		return skip("not now");
	if (it.nonblocking)
		tell(reader->run(bad(call), PIECE, has_word(call, "peek")));
	it.wire = ask(NULL, "send %d", PIECE);
	settle();
	tell(reader->run(bad(call), PIECE, has_word(call, "peek")));
	ssize_t n = recv(it.fd, room, PIECE, MSG_DONTWAIT);
	tell(n);
	say("%s", n > 0 && pattern_is(room, it.promised, (size_t)n) ? "right" : "WRONG");
	it.promised += PIECE;
	it.owed += PIECE - (n > 0 ? (size_t)n : 0);
}

struct writer {
	const char *name;
	ssize_t (*run)(const void *buf, size_t size);
};

static ssize_t by_write(const void *buf, size_t size) { return write(it.fd, buf, size); }
static ssize_t by_send(const void *buf, size_t size) { return send(it.fd, buf, size, MSG_NOSIGNAL); }
static ssize_t by_sendto(const void *buf, size_t size) { return sendto(it.fd, buf, size, MSG_DONTWAIT, NULL, 0); }

static ssize_t by_writev(const void *buf, size_t size)
{
	struct iovec iov[2] = { { room, 0 }, { (void *)(uintptr_t)buf, size } };
	return writev(it.fd, iov, 2);
}

static ssize_t by_sendmsg(const void *buf, size_t size)
{
	struct iovec iov[2] = { { room, 0 }, { (void *)(uintptr_t)buf, size } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	return sendmsg(it.fd, &message, 0);
}

static ssize_t by_sendmmsg(const void *buf, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)buf, size };
	struct mmsghdr list[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
	return sendmmsg(it.fd, list, 2, 0);
}

/* The kernel may have sent some of the good bytes, as its own pages lie; none is told, and the pattern stays as it is. */
static void write_from(const struct writer *writer, const struct call *call)
{
	if (it.small || it.unread > UNREAD_MOST - PIECE || held_back() || it.peer_cut || !it.connected || it.fd < 0 || it.moved)
		return skip("not now");
	if (has_word(call, "second"))
		pattern_fill(broken_room(100, PIECE), it.sent, 100);
	ssize_t n = writer->run(bad(call), PIECE);
	if (n < 0)
		return tell(n);
	say("= -1 EFAULT%s", n <= 100 ? "" : " overran");
	it.sent += (size_t)n;
	it.unread += (size_t)n;
}

/* ---- what the calls are told beside the bytes ---- */

static void told(const char *name, long result) { say("%s %ld %s", name, result, result < 0 ? strerrorname_np(errno) : ""); }

static void messages(void *where)
{
	struct iovec iov = { room, 1 };
	struct msghdr message = { .msg_iov = where, .msg_iovlen = 2 };
	told("recvmsg", recvmsg(it.fd, where, MSG_DONTWAIT));
	told("sendmsg", sendmsg(it.fd, where, MSG_DONTWAIT));
	told("recvmmsg", recvmmsg(it.fd, where, 1, MSG_DONTWAIT, NULL));
	told("sendmmsg", sendmmsg(it.fd, where, 1, MSG_DONTWAIT));
	told("readv", readv(it.fd, where, 2));
	told("writev", writev(it.fd, where, 2));
	told("pieces", recvmsg(it.fd, &message, MSG_DONTWAIT));
	told("pieces", sendmsg(it.fd, &message, MSG_DONTWAIT));
	message = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_name = where, .msg_namelen = 16 };
	if (where)
		told("name", sendmsg(it.fd, &message, MSG_DONTWAIT));
	message = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = where, .msg_controllen = 32 };
	if (where)
		told("control", sendmsg(it.fd, &message, MSG_DONTWAIT));
}

static void names(void *where)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	told("getpeername", getpeername(it.fd, where, &size));
	told("getsockname", getsockname(it.fd, where, &size));
	memset(broken_room(4, PAGE), 0, 4); /* what "second" leads to is a length of nothing */
	told("getpeername", getpeername(it.fd, (struct sockaddr *)&name, where));
	memset(broken_room(4, PAGE), 0, 4);
	told("getsockname", getsockname(it.fd, (struct sockaddr *)&name, where));
	told("connect", connect(it.fd, where, sizeof(struct sockaddr)));
	told("sendto", sendto(it.fd, "x", where ? 1 : 0, MSG_DONTWAIT, where, where ? 16 : 0));
}

static void options(void *where)
{
	int value = 0;
	socklen_t size = sizeof value;
	off_t *offset = where;
	int *second = (int *)broken_room(4, PAGE); /* what is set from there is what is set already */
	told("getsockopt", getsockopt(it.fd, SOL_SOCKET, SO_ERROR, where, &size));
	*second = 4;
	told("getsockopt", getsockopt(it.fd, SOL_SOCKET, SO_ERROR, &value, where));
	told("getsockopt", getsockopt(it.fd, SOL_SOCKET, SO_RCVLOWAT, where, &size));
	*second = it.lowat;
	told("setsockopt", setsockopt(it.fd, SOL_SOCKET, SO_RCVLOWAT, where, sizeof value));
	told("setsockopt", setsockopt(it.fd, 6, 1, where, sizeof value)); /* TCP_NODELAY */
	told("ioctl", ioctl(it.fd, FIONREAD, where));
	*second = it.nonblocking;
	told("ioctl", ioctl(it.fd, FIONBIO, where));
	int file = memfd_create("fault", MFD_CLOEXEC);
	if (where)
		told("sendfile", sendfile(it.fd, file, offset, 10));
	close(file);
}

/* More bytes, pieces and names than there may be. */
static void huge(void)
{
	static char name[200];
	static volatile size_t most = SIZE_MAX, large = SSIZE_MAX;
	static volatile int less = -1;
	static struct iovec none[1025];
	struct iovec iov = { room, most }, two[2] = { { room, 10 }, { room, large } };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct sockaddr *to = (struct sockaddr *)name;
	told("read", read(it.fd, room, most));
	told("read", read(it.fd, room, large));
	told("recv", recv(it.fd, room, most, MSG_DONTWAIT));
	told("readv", readv(it.fd, &iov, 1));
	told("readv", readv(it.fd, two, 2));
	told("readv", readv(it.fd, none, less));
	told("readv", readv(it.fd, none, 1024));
	told("readv", readv(it.fd, none, 1025));
	told("recvmsg", recvmsg(it.fd, &message, MSG_DONTWAIT));
	told("write", write(it.fd, room, most));
	told("write", write(it.fd, room, large));
	told("writev", writev(it.fd, &iov, 1));
	told("writev", writev(it.fd, two, 2));
	told("writev", writev(it.fd, none, less));
	told("writev", writev(it.fd, none, 1024));
	told("sendmsg", sendmsg(it.fd, &message, MSG_DONTWAIT));
	message.msg_iovlen = 1025;
	told("sendmsg", sendmsg(it.fd, &message, MSG_DONTWAIT));
	told("recvmsg", recvmsg(it.fd, &message, MSG_DONTWAIT));
	told("sendto", sendto(it.fd, room, 0, MSG_NOSIGNAL, to, sizeof name));
	told("sendto", sendto(it.fd, room, 0, MSG_NOSIGNAL, to, (socklen_t)most));
	message = (struct msghdr){ .msg_name = name, .msg_namelen = (socklen_t)most };
	told("sendmsg", sendmsg(it.fd, &message, MSG_NOSIGNAL));
	told("recvmsg", recvmsg(it.fd, &message, MSG_DONTWAIT));
	told("dupfd", fcntl(it.fd, F_DUPFD, 10000000));
	told("dup2", dup2(it.fd, -1));
	told("dup2", dup2(it.fd, 10000000));
	told("dup2", dup2(it.fd, it.fd) == it.fd);
	told("dup3", dup3(it.fd, it.fd, 0));
	told("shutdown", shutdown(it.fd, 7));
}

static void waits(void *where)
{
	struct timespec none = { 0, 0 };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int set = epoll_create1(EPOLL_CLOEXEC);
	told("poll", poll(where, 1, 0));
	told("ppoll", ppoll(where, 1, &none, NULL));
	if (where) {
		told("select", select(it.fd + 1, where, NULL, NULL, &(struct timeval){ 0, 0 }));
		told("select", select(it.fd + 1, NULL, where, NULL, &(struct timeval){ 0, 0 }));
	}
	told("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, it.fd, where));
	epoll_ctl(set, EPOLL_CTL_ADD, it.fd, &event);
	told("epoll_wait", epoll_wait(set, where, 1, 0));
	told("epoll_wait", epoll_wait(set, where, 0, 0));
	close(set);
}

static void do_fault(const struct call *call)
{
	static const struct reader readers[] = { { "read", by_read }, { "recv", by_recv }, { "recvfrom", by_recvfrom }, { "readv", by_readv },
						 { "recvmsg", by_recvmsg }, { "recvmmsg", by_recvmmsg } };
	static const struct writer writers[] = { { "write", by_write }, { "send", by_send }, { "sendto", by_sendto }, { "writev", by_writev },
						 { "sendmsg", by_sendmsg }, { "sendmmsg", by_sendmmsg } };
	const char *what = call->argc > 1 ? call->argv[1] : "";
	settle();
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
		if (strcmp(readers[i].name, what) == 0)
			return read_into(&readers[i], call);
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
		if (strcmp(writers[i].name, what) == 0)
			return write_from(&writers[i], call);
	if (it.fd < 0 || !it.connected || it.moved || !(it.nonblocking || it.owed))
		return skip("not now");
	void *where = has_word(call, "second") ? broken_room(4, PAGE) : bad(call);
	if (strcmp(what, "messages") == 0)
		messages(where);
	else if (strcmp(what, "names") == 0 && half_gone())
		skip("it may be connected still");
	else if (strcmp(what, "names") == 0)
		names(where);
	else if (strcmp(what, "huge") == 0 && (it.owed || it.peer_cut))
		skip("what a read gives differs");
	else if (strcmp(what, "huge") == 0)
		huge();
	else if (strcmp(what, "options") == 0)
		options(where);
	else
		waits(where);
}

bool call_fault(const struct call *call)
{
	static const struct row rows[] = { { "fault", do_fault } };
	return RUN_ROW(rows, call);
}
