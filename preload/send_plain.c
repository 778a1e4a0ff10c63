#include "send_plain.h"
#include "real.h"
#include "record.h"
#include "scratch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define GATHERED_MAX 16384 /* copying as much costs a fraction of what the supervisor would */

static bool is_supervised(void)
{
	static _Atomic signed char known; /* 0: not asked yet */
	if (!known)
		known = egret_record_is_supervised() ? 1 : -1;
	return known > 0;
}

/* Also where the descriptor is no socket: then it is sendmsg's to say so. */
static bool is_stream(int fd)
{
	int type = 0, saved = errno;
	socklen_t size = sizeof type;
	bool stream = real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
	errno = saved;
	return stream;
}

/* All of it in BUF; 0: nothing, or more than fits. */
__attribute__((noinline)) static size_t gather(const struct msghdr *message, char buf[GATHERED_MAX])
{
	size_t at = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		const struct iovec *iov = &message->msg_iov[i];
		if (iov->iov_len > GATHERED_MAX - at)
			return 0;
		memcpy(buf + at, iov->iov_base, iov->iov_len);
		at += iov->iov_len;
	}
	return at;
}

/* writev knows no flags. BUF is lent; a thread that is cancelled while it waits keeps it, and so does a signal handler that jumps out: a clean-up
 * that was pushed here would stay behind. */
static ssize_t send_gathered(int fd, const struct msghdr *message, int flags, char *buf)
{
	size_t size = buf ? gather(message, buf) : 0;
	ssize_t n = size ? real.send(fd, buf, size, flags) : real.sendmsg(fd, message, flags);
	egret_scratch_give(buf);
	return n;
}

ssize_t egret_send_plain_message(int fd, const struct msghdr *message, int flags)
{
	bool plain = !message->msg_controllen && message->msg_iovlen > 0 && message->msg_iovlen <= IOV_MAX &&
		     !(flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE));
	if (!plain || !is_supervised() || (message->msg_name && message->msg_namelen) || !is_stream(fd))
		return real.sendmsg(fd, message, flags);
	if (message->msg_iovlen == 1 && message->msg_iov->iov_len)
		return real.send(fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags);
	if (flags)
		return send_gathered(fd, message, flags, egret_scratch_take());
	/* Of nothing writev makes nothing, also on a socket that is not connected. */
	ssize_t n = real.writev(fd, message->msg_iov, (int)message->msg_iovlen);
	return n ? n : real.sendmsg(fd, message, flags);
}
