/* read, recv and their like. */
#include "deadline.h"
#include "dns_watch.h"
#include "file_flags.h"
#include "hooks.h"
#include "io.h"
#include "reach.h"
#include "real.h"

#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

extern void __chk_fail(void) __attribute__((noreturn)); /* glibc's answer to a buffer smaller than promised */

/* By way of recvmsg when FD is a socket that hears from a server of names; false: the kernel's. */
static bool hears(int fd, struct iovec *iov, size_t count, int flags, struct sockaddr *from, socklen_t *len, ssize_t *n)
{
	struct egret_conn *conn = egret_conn_has(fd) ? egret_dns_watched(fd) : NULL;
	if (!conn)
		return false;
	struct msghdr message = { .msg_name = from, .msg_namelen = from && len ? *len : 0, .msg_iov = iov, .msg_iovlen = count };
	*n = egret_dns_receive(conn, fd, &message, flags);
	if (*n >= 0 && from && len)
		*len = message.msg_namelen;
	return true;
}

ssize_t egret_on_recv(int fd, void *buf, size_t size, int flags)
{
	struct egret_conn *conn = (flags & MSG_ERRQUEUE) ? NULL : egret_io_wrapped(fd);
	struct iovec iov = { buf, size < EGRET_IO_MOST ? size : EGRET_IO_MOST };
	ssize_t n;
	if (!conn)
		return hears(fd, &iov, 1, flags, NULL, NULL, &n) ? n : real.recv(fd, buf, size, flags);
	return egret_receive_plain(conn, fd, &iov, 1, flags);
}

ssize_t egret_on_read(int fd, void *buf, size_t size)
{
	if (!egret_conn_has(fd))
		return real.read(fd, buf, size);
	if (!egret_is_own_range(buf, size)) {
		errno = EFAULT; /* recv takes as much of it as one call may */
		return -1;
	}
	return size ? egret_on_recv(fd, buf, size, 0) : 0; /* only recv waits for what to read nothing of */
}

ssize_t egret_on_read_chk(int fd, void *buf, size_t size, size_t room)
{
	if (size > room)
		__chk_fail();
	return egret_on_read(fd, buf, size);
}

ssize_t egret_on_recv_chk(int fd, void *buf, size_t size, size_t room, int flags)
{
	if (size > room)
		__chk_fail();
	return egret_on_recv(fd, buf, size, flags);
}

ssize_t egret_on_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *len)
{
	struct iovec iov = { buf, size };
	ssize_t n;
	if (!egret_conn_has(fd))
		return real.recvfrom(fd, buf, size, flags, from, len);
	if (hears(fd, &iov, 1, flags, from, len, &n))
		return n;
	n = egret_on_recv(fd, buf, size, flags);
	if (n < 0 || !from)
		return n;
	if (!egret_can_write(len, sizeof *len)) {
		errno = EFAULT; /* the kernel, too, finds out when the bytes are gone */
		return -1;
	}
	*len = 0; /* a connected stream names no sender, tcp(7) */
	return n;
}

ssize_t egret_on_recvfrom_chk(int fd, void *buf, size_t size, size_t room, int flags, struct sockaddr *from, socklen_t *len)
{
	if (size > room)
		__chk_fail();
	return egret_on_recvfrom(fd, buf, size, flags, from, len);
}

/* FLAGS are of recv(2). */
static ssize_t read_pieces(int fd, const struct iovec *iov, int count, int flags)
{
	struct egret_conn *conn = egret_io_wrapped(fd);
	ssize_t n = -1;
	if (!conn && count >= 0 && count <= IOV_MAX && hears(fd, (struct iovec *)(uintptr_t)iov, (size_t)count, 0, NULL, NULL, &n))
		return n;
	if (!conn)
		return real.readv(fd, iov, count);
	bool valid = count >= 0 && count <= IOV_MAX;
	if (valid && !egret_io_is_nothing(iov, count))
		return egret_receive_plain(conn, fd, iov, count, flags);
	egret_conn_put(conn);
	if (valid)
		n = 0;
	else
		errno = EINVAL;
	return n;
}

ssize_t egret_on_readv(int fd, const struct iovec *iov, int count) { return read_pieces(fd, iov, count, 0); }

/* Descriptors that came by SCM_RIGHTS are new, whatever their numbers meant before. */
static void meet_descriptors(struct msghdr *message)
{
	for (struct cmsghdr *it = CMSG_FIRSTHDR(message); it; it = CMSG_NXTHDR(message, it)) {
		if (it->cmsg_level != SOL_SOCKET || it->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= it->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, (char *)it + at, sizeof fd);
			egret_conn_fresh(fd);
		}
	}
}

/* TCP_INQ: does recvmsg tell how much is left? */
static bool tells_rest(struct egret_conn *conn, int fd)
{
	int on = atomic_load_explicit(&conn->tells_rest, memory_order_relaxed);
	socklen_t size = sizeof on;
	if (on < 0) {
		if (real.getsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, &size) != 0)
			on = 0;
		atomic_store(&conn->tells_rest, on);
	}
	return on > 0;
}

/* The end, when it has come, counts as one, tcp_inq_hint. */
static int rest_of(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };
	int rest = 0;
	egret_on_ioctl(fd, FIONREAD, &rest);
	if (egret_on_poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLRDHUP) || (pfd.revents & POLLERR))
		return rest;
	struct egret_conn *conn = egret_io_wrapped(fd);
	rest += conn && !conn->wire.read_shut;
	egret_conn_put(conn);
	return rest;
}

/* As put_cmsg does it in the kernel. */
static void tell_rest(int fd, struct msghdr *message)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { .cmsg_level = IPPROTO_TCP, .cmsg_type = TCP_CM_INQ, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	size_t room = message->msg_controllen, size = room < sizeof control ? room : sizeof control;
	message->msg_controllen = 0;
	if (room < control.head.cmsg_len)
		message->msg_flags |= MSG_CTRUNC;
	if (room < sizeof control.head || !egret_can_write(message->msg_control, size))
		return;
	if (room < control.head.cmsg_len)
		control.head.cmsg_len = room;
	int rest = rest_of(fd);
	memcpy(CMSG_DATA(&control.head), &rest, sizeof rest);
	memcpy(message->msg_control, &control, size);
	message->msg_controllen = size;
}

ssize_t egret_on_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct egret_conn *conn = (flags & MSG_ERRQUEUE) ? NULL : egret_io_wrapped(fd); /* the error queue holds no bytes of the stream */
	struct egret_conn *watched = !conn && egret_conn_has(fd) ? egret_dns_watched(fd) : NULL;
	if (!conn) {
		ssize_t received = watched ? egret_dns_receive(watched, fd, message, flags) : real.recvmsg(fd, message, flags);
		if (received >= 0 && message->msg_controllen)
			meet_descriptors(message);
		return received;
	}
	bool writable = egret_can_write(message, sizeof *message), named = !writable || !message->msg_name || (int)message->msg_namelen >= 0;
	if (!writable || !named || message->msg_iovlen > IOV_MAX) {
		egret_conn_put(conn);
		errno = !writable ? EFAULT : !named ? EINVAL : EMSGSIZE;
		return -1;
	}
	bool rest = tells_rest(conn, fd);
	ssize_t n = egret_receive_plain(conn, fd, message->msg_iov, (int)message->msg_iovlen, flags);
	if (n >= 0) {
		message->msg_namelen = 0;
		message->msg_flags = 0;
		if (rest)
			tell_rest(fd, message);
		else
			message->msg_controllen = 0;
	}
	return n;
}

/* Messages of LIST, COUNT at most, until DEADLINE (-1: never) is found to be over behind one of them, recvmmsg(2). */
static unsigned receive_several(int fd, struct mmsghdr *list, unsigned count, int flags, int64_t deadline)
{
	unsigned done = 0;
	while (done < count) {
		if (!egret_can_write(&list[done], sizeof list[done])) {
			errno = EFAULT;
			break;
		}
		ssize_t n = egret_on_recvmsg(fd, &list[done].msg_hdr, flags & ~MSG_WAITFORONE);
		if (n < 0)
			break;
		list[done++].msg_len = (unsigned)n;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline >= 0 && egret_now_us() >= deadline)
			break;
	}
	return done;
}

int egret_on_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags, struct timespec *timeout)
{
	bool readable = !timeout || egret_can_read(timeout, sizeof *timeout);
	if (!egret_conn_has(fd) || !readable || !egret_is_timeout(timeout))
		return real.recvmmsg(fd, list, count, flags, timeout);
	int64_t deadline = egret_deadline_of(timeout);
	int error = 0;
	socklen_t size = sizeof error;
	if (egret_on_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error) {
		errno = error; /* the kernel tells it before the bytes that came first */
		return -1;
	}
	unsigned done = receive_several(fd, list, count < IOV_MAX ? count : IOV_MAX, flags, deadline);
	if (done && deadline >= 0) { /* what is left of it */
		int64_t left = deadline - egret_now_us();
		left = left < 0 ? 0 : left;
		*timeout = (struct timespec){ left / 1000000, left % 1000000 * 1000 };
	}
	return done || count == 0 ? (int)done : -1;
}

/* With offset -1 it is readv, sockets included; with any other a socket answers ESPIPE. */
ssize_t egret_on_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	struct egret_conn *conn = offset == -1 ? egret_io_wrapped(fd) : NULL;
	if (!conn)
		return real.preadv2(fd, iov, count, offset, flags);
	egret_conn_put(conn);
	if (!egret_takes_file_flags(flags, iov, count))
		return -1;
	return read_pieces(fd, iov, count, (flags & RWF_NOWAIT) ? MSG_DONTWAIT : 0);
}
