/* write, send and their like; an address in them is judged first: datagrams, and fast open, connect without connect. */
#include "addressed.h"
#include "copies.h"
#include "file_flags.h"
#include "hooks.h"
#include "io.h"
#include "passthrough.h"
#include "reach.h"
#include "real.h"
#include "relay.h"
#include "send_plain.h"
#include "waits.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static ssize_t refuse(int error)
{
	errno = error;
	return -1;
}

/* By way of CONN, whose reference is dropped. */
static ssize_t send_by(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
	return egret_io_send(conn, fd, &message, flags);
}

ssize_t egret_on_send(int fd, const void *buf, size_t size, int flags)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (!conn)
		return real.send(fd, buf, size, flags);
	struct iovec iov = { (void *)(uintptr_t)buf, size < EGRET_IO_MOST ? size : EGRET_IO_MOST };
	return send_by(conn, fd, &iov, 1, flags);
}

ssize_t egret_on_write(int fd, const void *buf, size_t size)
{
	if (!egret_conn_has(fd))
		return real.write(fd, buf, size);
	return egret_is_own_range(buf, size) ? egret_on_send(fd, buf, size, 0) : refuse(EFAULT);
}

/* FLAGS are of send(2). */
static ssize_t write_pieces(int fd, const struct iovec *iov, int count, int flags)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (!conn)
		return real.writev(fd, iov, count);
	if (count >= 0 && count <= IOV_MAX && egret_io_is_nothing(iov, count)) {
		egret_conn_put(conn);
		return 0;
	}
	if (count >= 0 && count <= IOV_MAX)
		return send_by(conn, fd, iov, count, flags);
	egret_conn_put(conn);
	return refuse(EINVAL);
}

ssize_t egret_on_writev(int fd, const struct iovec *iov, int count) { return write_pieces(fd, iov, count, 0); }

/* With offset -1 it is writev, sockets included; with any other a socket answers ESPIPE. */
ssize_t egret_on_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if (offset != -1 || !egret_conn_has(fd))
		return real.pwritev2(fd, iov, count, offset, flags);
	if (!egret_takes_file_flags(flags, iov, count))
		return -1;
	return write_pieces(fd, iov, count, (flags & RWF_NOWAIT) ? MSG_DONTWAIT : 0);
}

ssize_t egret_on_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t len)
{
	if (!to || len == 0)
		return egret_on_send(fd, buf, size, flags);
	if (len > sizeof(struct sockaddr_storage) && egret_conn_has(fd))
		return refuse(EINVAL);
	size = size < EGRET_IO_MOST ? size : EGRET_IO_MOST;
	struct iovec iov = { (void *)(uintptr_t)buf, size };
	const struct msghdr message = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1 };
	return egret_on_sendmsg(fd, &message, flags);
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
			egret_copies_unsure(fd);
			struct egret_conn *conn = egret_conn_get(fd);
			bool carried = conn && (conn->wrapped || conn->observed);
			error = conn && (egret_passthrough_is_unjudged(conn) || (carried && egret_relay_move(conn))) ? EPERM : 0;
			egret_conn_put(conn);
		}
	}
	return error;
}

/* Would the kernel dial by itself, tcp(7)? A plain connection that failed leaves its conn behind, and a socket that can be dialled again. */
static bool may_dial(const struct egret_conn *conn, const struct msghdr *message, int flags)
{
	return (flags & MSG_FASTOPEN) && message->msg_name && message->msg_namelen && !conn->wrapped && !conn->observed && !conn->dns;
}

/* Is there something that the kernel could not look at either? */
static bool is_unreadable(const struct msghdr *message)
{
	return !egret_can_read(message, sizeof *message) ||
	       (message->msg_name && message->msg_namelen <= sizeof(struct sockaddr_storage) && !egret_can_read(message->msg_name, message->msg_namelen)) ||
	       (message->msg_control && !egret_can_read(message->msg_control, message->msg_controllen));
}

ssize_t egret_on_sendmsg(int fd, const struct msghdr *given, int flags)
{
	struct sockaddr_storage to;
	if (is_unreadable(given))
		return refuse(EFAULT);
	struct msghdr own = *given, *message = &own;
	if (given->msg_name && (int)given->msg_namelen < 0)
		return refuse(EINVAL);
	struct egret_conn *conn = egret_conn_get(fd);
	own.msg_name = (void *)(uintptr_t)egret_addressed_copy(&to, own.msg_name, own.msg_namelen);
	if (conn && may_dial(conn, message, flags)) {
		egret_conn_put(conn);
		conn = NULL;
	}
	if (message->msg_controllen && egret_addressed_strays(message)) {
		egret_conn_put(conn);
		return refuse(EPERM);
	}
	int error = !conn && message->msg_controllen ? hand_over(message) : 0;
	if (error)
		return refuse(error);
	if (!conn && message->msg_name && message->msg_namelen)
		return egret_addressed_send(fd, message, flags);
	if (!conn)
		return egret_send_plain_message(fd, message, flags);
	if (message->msg_iovlen <= IOV_MAX)
		return egret_io_send(conn, fd, message, flags);
	egret_conn_put(conn);
	return refuse(EMSGSIZE);
}

/* Nothing to judge in any of COUNT messages: the kernel takes them all at once. */
static bool is_plain(int fd, const struct mmsghdr *list, unsigned count)
{
	if (egret_conn_has(fd))
		return false;
	for (unsigned i = 0; i < count; i++)
		if ((list[i].msg_hdr.msg_name && list[i].msg_hdr.msg_namelen) || list[i].msg_hdr.msg_controllen)
			return false;
	return true;
}

#define BATCH 64 /* messages that are looked at and sent together */

/* Messages of a copy that no other thread changes; what was sent is told in LIST. How many, -1: the first was refused. */
static int send_batch(int fd, struct mmsghdr *own, struct mmsghdr *list, unsigned count, int flags)
{
	unsigned done = 0;
	if (is_plain(fd, own, count)) {
		int sent = real.sendmmsg(fd, own, count, flags);
		for (; sent > 0 && done < (unsigned)sent; done++)
			list[done].msg_len = own[done].msg_len;
		return sent;
	}
	for (; done < count; done++) {
		ssize_t n = egret_on_sendmsg(fd, &own[done].msg_hdr, flags);
		if (n < 0)
			break;
		list[done].msg_len = (unsigned)n;
	}
	return done ? (int)done : -1;
}

/* Every entry has an address of its own: each is judged, and the first that is refused ends the call. */
int egret_on_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags)
{
	struct mmsghdr own[BATCH];
	unsigned done = 0, step;
	int sent = 0;
	if (count == 0)
		return real.sendmmsg(fd, list, count, flags);
	count = count < IOV_MAX ? count : IOV_MAX; /* as the kernel does, sendmmsg(2) */
	do {
		step = count - done < BATCH ? count - done : BATCH;
		if (!egret_can_write(list + done, step * sizeof *own))
			return done ? (int)done : (int)refuse(EFAULT);
		memcpy(own, list + done, step * sizeof *own);
		sent = send_batch(fd, own, list + done, step, flags);
		done += sent > 0 ? (unsigned)sent : 0;
	} while (sent == (int)step && done < count);
	return done ? (int)done : sent;
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

/* As much as there is room for. A count, 0: the file has no more, or -1. */
static ssize_t send_stretch(int out, int in, off_t *offset, size_t count)
{
	char *block = malloc(COPY);
	ssize_t total = block ? 0 : refuse(ENOMEM);
	while (block && (size_t)total < count) {
		size_t want = count - (size_t)total < COPY ? count - (size_t)total : COPY;
		off_t at = offset ? *offset : lseek(in, 0, SEEK_CUR);
		ssize_t n = at < 0 ? -1 : pread(in, block, want, at);
		if (n < 0 && errno == EISDIR)
			errno = EINVAL;
		ssize_t sent = n > 0 ? egret_on_send(out, block, (size_t)n, MSG_DONTWAIT) : n;
		if (sent <= 0) {
			total = total ? total : sent;
			break;
		}
		if (offset)
			*offset += sent;
		else
			lseek(in, sent, SEEK_CUR);
		total += sent;
	}
	int error = errno;
	free(block);
	errno = error;
	return total;
}

/* Until OUT, whose handshake may be under way still, takes more. 0, or a positive errno; what broke meanwhile the next send tells. */
static int await_room(struct egret_conn **held, int out, struct egret_patience *patience)
{
	int error = (*held)->wrapped ? egret_io_await_open(held, out, 0) : 0;
	if (error == 0)
		return egret_io_wait_for_room(held, out, 0, patience, false);
	return error == EAGAIN || error == EINTR || error == EGRET_WAIT_GONE ? error : 0;
}

static ssize_t send_file(struct egret_conn **held, int out, int in, off_t *offset, size_t count)
{
	struct egret_patience patience = { .option = SO_SNDTIMEO };
	int error = 0, cancels;
	size_t total = 0;
	if (real.sendfile(out, in, offset, 0) != 0) /* what cannot be sent, or not to this, it refuses before it asks for a byte */
		return -1;
	while (total < count && !error) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
		ssize_t n = send_stretch(out, in, offset, count - total);
		error = n < 0 ? errno : 0;
		pthread_setcancelstate(cancels, NULL);
		if (n == 0)
			break;
		total += n > 0 ? (size_t)n : 0;
		if (error == EAGAIN)
			error = await_room(held, out, &patience);
	}
	if (error == EGRET_WAIT_GONE)
		error = EPIPE;
	return error && !total ? refuse(error) : (ssize_t)total;
}

/* Nobody is cancelled in the libc's sendfile. */
ssize_t egret_on_sendfile(int out, int in, off_t *offset, size_t count)
{
	struct egret_conn *source = egret_io_wrapped(in), *conn = governed(out);
	if (source) { /* into a pipe the kernel would put ciphertext */
		egret_conn_put(source);
		egret_conn_put(conn);
		return real.sendfile(out, in, offset, 0) != 0 ? -1 : refuse(EINVAL);
	}
	if (!conn)
		return real.sendfile(out, in, offset, count);
	ssize_t sent = send_file(&conn, out, in, offset, count);
	egret_conn_put(conn);
	return sent;
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
