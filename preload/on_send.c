/* write, send and their like; an address in them is judged first: datagrams, and fast open, connect without connect. */
#include "connect.h"
#include "hooks.h"
#include "io.h"
#include "real.h"
#include "relay.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A send that would open a connection by itself carries data before a verdict on TLS: the program is told to use connect. */
static int judge(int fd, const void *to, socklen_t len, int flags)
{
	if (!to || len == 0)
		return 0;
	int error = egret_connect_judge_send(fd, to, len);
	return error ? error : (flags & MSG_FASTOPEN) ? EOPNOTSUPP : 0;
}

static ssize_t refuse(int error)
{
	errno = error;
	return -1;
}

/* By way of CONN, whose reference is dropped. */
static ssize_t send_by(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
	ssize_t n = egret_io_send(conn, fd, &message, flags);
	egret_conn_put(conn);
	return n;
}

ssize_t egret_on_send(int fd, const void *buf, size_t size, int flags)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (!conn)
		return real.send(fd, buf, size, flags);
	struct iovec iov = { (void *)(uintptr_t)buf, size };
	return send_by(conn, fd, &iov, 1, flags);
}

ssize_t egret_on_write(int fd, const void *buf, size_t size)
{
	return egret_conn_has(fd) ? egret_on_send(fd, buf, size, 0) : real.write(fd, buf, size);
}

ssize_t egret_on_writev(int fd, const struct iovec *iov, int count)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (!conn)
		return real.writev(fd, iov, count);
	if (count >= 0 && count <= IOV_MAX)
		return send_by(conn, fd, iov, count, 0);
	egret_conn_put(conn);
	return refuse(EINVAL);
}

ssize_t egret_on_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t len)
{
	if (egret_conn_has(fd))
		return egret_on_send(fd, buf, size, flags); /* a connected stream ignores the address, tcp(7) */
	int error = judge(fd, to, len, flags);
	return error ? refuse(error) : real.sendto(fd, buf, size, flags, to, len);
}

/* A connection that is sent to another process (SCM_RIGHTS) moves to a relay first: the other knows nothing of its TLS. */
static int hand_over(const struct msghdr *message)
{
	int error = 0;
	struct msghdr *list = (struct msghdr *)(uintptr_t)message;
	for (struct cmsghdr *it = CMSG_FIRSTHDR(list); it && !error; it = CMSG_NXTHDR(list, it)) {
		if (it->cmsg_level != SOL_SOCKET || it->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= it->cmsg_len && !error; at += sizeof(int)) {
			int fd;
			memcpy(&fd, (char *)it + at, sizeof fd);
			struct egret_conn *conn = egret_io_wrapped(fd);
			error = conn && egret_relay_move(conn) ? EPERM : 0;
			egret_conn_put(conn);
		}
	}
	return error;
}

ssize_t egret_on_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (conn) {
		ssize_t n = egret_io_send(conn, fd, message, flags);
		egret_conn_put(conn);
		return n;
	}
	int error = message->msg_controllen ? hand_over(message) : 0;
	if (!error)
		error = judge(fd, message->msg_name, message->msg_namelen, flags);
	return error ? refuse(error) : real.sendmsg(fd, message, flags);
}

/* Every entry has an address of its own: each is judged, and the first that is refused ends the call. */
int egret_on_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags)
{
	unsigned done = 0;
	while (done < count) {
		ssize_t n = egret_on_sendmsg(fd, &list[done].msg_hdr, flags);
		if (n < 0)
			break;
		list[done++].msg_len = (unsigned)n;
	}
	return done || count == 0 ? (int)done : -1;
}

/* The conn of FD when what is written there must pass through here (a reference), else NULL. */
static struct egret_conn *governed(int fd)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (!conn || egret_conn_takes_writes(conn))
		return conn;
	egret_conn_put(conn);
	return NULL;
}

#define COPY (64 * 1024) /* bytes of a file sent at a time */

ssize_t egret_on_sendfile(int out, int in, off_t *offset, size_t count)
{
	struct egret_conn *conn = governed(out);
	if (!conn)
		return real.sendfile(out, in, offset, count);
	char *block = malloc(COPY);
	ssize_t total = block ? 0 : refuse(ENOMEM);
	while (block && (size_t)total < count) {
		size_t want = count - (size_t)total < COPY ? count - (size_t)total : COPY;
		off_t at = offset ? *offset : lseek(in, 0, SEEK_CUR);
		ssize_t n = at < 0 ? -1 : pread(in, block, want, at);
		ssize_t sent = n > 0 ? egret_on_send(out, block, (size_t)n, 0) : n;
		if (sent <= 0) {
			total = total ? total : sent;
			break;
		}
		if (offset)
			*offset += sent;
		else
			lseek(in, sent, SEEK_CUR);
		total += sent;
		if (sent < n)
			break;
	}
	free(block);
	egret_conn_put(conn);
	return total;
}

/* The kernel would move bytes past the TLS layer; programs fall back to read and write on EINVAL. */
ssize_t egret_on_splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count, unsigned flags)
{
	struct egret_conn *conn = egret_io_wrapped(in);
	if (!conn)
		conn = governed(out);
	if (!conn)
		return real.splice(in, in_offset, out, out_offset, count, flags);
	egret_conn_put(conn);
	return refuse(EINVAL);
}
