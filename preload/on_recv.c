/* read, recv and their like. */
#include "dns_watch.h"
#include "hooks.h"
#include "io.h"
#include "reach.h"
#include "real.h"

#include <limits.h>
#include <string.h>

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
	struct iovec iov = { buf, size };
	ssize_t n;
	if (!conn)
		return hears(fd, &iov, 1, flags, NULL, NULL, &n) ? n : real.recv(fd, buf, size, flags);
	return egret_receive_plain(conn, fd, &iov, 1, flags);
}

ssize_t egret_on_read(int fd, void *buf, size_t size)
{
	if (!egret_conn_has(fd))
		return real.read(fd, buf, size);
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

ssize_t egret_on_readv(int fd, const struct iovec *iov, int count)
{
	struct egret_conn *conn = egret_io_wrapped(fd);
	ssize_t n = -1;
	if (!conn && count >= 0 && count <= IOV_MAX && hears(fd, (struct iovec *)(uintptr_t)iov, (size_t)count, 0, NULL, NULL, &n))
		return n;
	if (!conn)
		return real.readv(fd, iov, count);
	bool valid = count >= 0 && count <= IOV_MAX;
	if (valid && !egret_io_is_nothing(iov, count))
		return egret_receive_plain(conn, fd, iov, count, 0);
	egret_conn_put(conn);
	if (valid)
		n = 0;
	else
		errno = EINVAL;
	return n;
}

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
	bool writable = egret_can_write(message, sizeof *message);
	if (!writable || message->msg_iovlen > IOV_MAX) {
		egret_conn_put(conn);
		errno = writable ? EMSGSIZE : EFAULT;
		return -1;
	}
	ssize_t n = egret_receive_plain(conn, fd, message->msg_iov, (int)message->msg_iovlen, flags);
	if (n >= 0) {
		message->msg_namelen = 0;
		message->msg_controllen = 0;
		message->msg_flags = 0;
	}
	return n;
}

int egret_on_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags, struct timespec *timeout)
{
	if (!egret_conn_has(fd))
		return real.recvmmsg(fd, list, count, flags, timeout);
	unsigned done = 0;
	int error = 0;
	socklen_t size = sizeof error;
	if (egret_on_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error) {
		errno = error; /* the kernel tells it before the bytes that came first */
		return -1;
	}
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
	if (flags & ~RWF_HIPRI) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return egret_on_readv(fd, iov, count);
}
