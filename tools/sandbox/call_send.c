/* sendto with an address, sendmsg, sendmmsg: copied, judged, sent from the supervisor on the duplicate. */
#include "credentials.h"
#include "redirect.h"
#include "resolver.h"
#include "send.h"
#include "wait.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#define MESSAGES_MAX 1024u

/* Copies what the vectors hold from byte SKIP on. Negative: the caller's memory cannot be read. */
static ssize_t gather(struct egret_call *call, const struct egret_outgoing *out, size_t skip)
{
	struct iovec remote[EGRET_VECTORS_MAX], local = { call->worker->buffer, EGRET_CALL_BUFFER };
	size_t n = 0, i;

	for (i = 0; i < out->count; i++) {
		if (skip >= out->vectors[i].iov_len) {
			skip -= out->vectors[i].iov_len;
			continue;
		}
		remote[n].iov_base = (char *)out->vectors[i].iov_base + skip;
		remote[n++].iov_len = out->vectors[i].iov_len - skip;
		skip = 0;
	}
	return n ? process_vm_readv(call->pid, &local, 1, remote, n, 0) : 0;
}

static ssize_t one_send(struct egret_call *call, struct egret_target *target, const struct egret_outgoing *out, size_t sent, size_t n)
{
	struct iovec iov = { call->worker->buffer, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct egret_capabilities saved;
	ssize_t r;

	if (!sent) {
		msg.msg_control = out->control_len ? (void *)(uintptr_t)out->control : NULL;
		msg.msg_controllen = out->control_len;
		if (out->where.len) {
			msg.msg_name = (void *)(uintptr_t)&out->where.ss;
			msg.msg_namelen = out->where.len;
		}
	}
	/* The kernel obeys a netlink message as far as its sender may go. */
	if (target->domain == AF_NETLINK && !egret_credentials_lower(&saved))
		return -1;
	r = sendmsg(target->fd, &msg, (out->flags & ~MSG_ZEROCOPY) | MSG_DONTWAIT | MSG_NOSIGNAL);
	if (target->domain == AF_NETLINK)
		egret_credentials_raise(&saved);
	return r;
}

/* A blocking send of a stream goes on until all is sent; what was sent counts before any error. */
static int64_t send_all(struct egret_call *call, struct egret_target *target, const struct egret_outgoing *out)
{
	int64_t started = egret_wait_now_ms();
	size_t sent = 0;
	ssize_t n, r;
	int error;

	for (;;) {
		n = gather(call, out, sent);
		if (n < 0 || (target->type != SOCK_STREAM && (size_t)n != out->total))
			return sent ? (int64_t)sent : -EFAULT;
		if (!sent && !egret_call_valid(call))
			return -EINTR;
		r = one_send(call, target, out, sent, (size_t)n);
		if (r >= 0) {
			sent += (size_t)r;
			if (sent >= out->total || !r)
				return (int64_t)sent;
			continue;
		}
		error = -errno;
		if (error == -EAGAIN && !(out->flags & MSG_DONTWAIT))
			error = egret_wait_writable(call, target, started);
		if (error == -EPIPE && !sent && target->type == SOCK_STREAM && !(out->flags & MSG_NOSIGNAL))
			egret_call_raise(call, SIGPIPE);
		if (error)
			return sent ? (int64_t)sent : error;
	}
}

/* A stream that is connected ignores the address; fast open connects with it. */
static int judge_name(struct egret_call *call, struct egret_target *target, struct egret_outgoing *out, uint64_t name, uint64_t len)
{
	int result;

	out->where.pinned = -1;
	if (target->type == SOCK_STREAM && !(out->flags & MSG_FASTOPEN))
		return 0;
	if (!name || !len)
		return 0;
	result = egret_where_read(call, target, name, len, true, &out->where);
	if (result)
		return result;
	if (out->where.ruling.route == EGRET_ROUTE_RESOLVER)
		return target->type == SOCK_DGRAM ? egret_send_to_resolver(call, target, out) : -egret_deny_errno(call);
	/* Through the relay a connection is made first, by connect: a program that hears this tries so. */
	return out->where.ruling.route == EGRET_ROUTE_RELAY ? -EOPNOTSUPP : 0;
}

static int64_t deliver(struct egret_call *call, struct egret_target *target, struct egret_outgoing *out, uint64_t name, uint64_t len)
{
	int64_t result;

	if (out->flags & MSG_ZEROCOPY)
		return -ENOBUFS; /* the pages would be ours: programs then copy */
	if (target->type != SOCK_STREAM && out->total > EGRET_CALL_BUFFER)
		return -EMSGSIZE;
	if (!target->transport && target->domain != AF_NETLINK)
		return -egret_refuse(call, "socket", "a socket that is neither TCP, UDP nor unix", EACCES);
	result = judge_name(call, target, out, name, len);
	if (!result && target->transport == EGRET_LOCAL)
		result = egret_control_tell(call, out);
	if (!result)
		result = send_all(call, target, out);
	egret_where_done(&out->where);
	return result;
}

int64_t egret_call_sendto(struct egret_call *call)
{
	struct iovec vector = { (void *)(uintptr_t)call->args[1], call->args[2] };
	struct egret_outgoing out = { .vectors = &vector, .count = 1, .total = call->args[2], .flags = (int)call->args[3] };
	struct egret_target target;
	int64_t result;

	if (out.total > INT32_MAX)
		vector.iov_len = out.total = INT32_MAX & ~4095u;
	result = egret_target_open(call, (int)call->args[0], &target);
	if (result)
		return result;
	result = deliver(call, &target, &out, call->args[4], call->args[5]);
	egret_target_close(&target);
	return result;
}

static int64_t send_message(struct egret_call *call, struct egret_target *target, const struct msghdr *msg, int flags)
{
	struct iovec vectors[EGRET_VECTORS_MAX];
	struct egret_outgoing out = { .vectors = vectors, .count = msg->msg_iovlen, .flags = flags };
	int64_t result;

	if (msg->msg_iovlen > EGRET_VECTORS_MAX)
		return -EMSGSIZE;
	if (!egret_call_read(call, (uint64_t)(uintptr_t)msg->msg_iov, vectors, msg->msg_iovlen * sizeof(vectors[0])))
		return -EFAULT;
	for (size_t i = 0; i < out.count; i++) {
		if (vectors[i].iov_len > INT32_MAX - out.total)
			return -EINVAL;
		out.total += vectors[i].iov_len;
	}
	result = egret_control_read(call, target, msg, &out);
	if (!result)
		result = deliver(call, target, &out, (uint64_t)(uintptr_t)msg->msg_name, msg->msg_namelen);
	egret_control_done(&out);
	return result;
}

int64_t egret_call_sendmsg(struct egret_call *call)
{
	struct egret_target target;
	struct msghdr msg;
	int64_t result = egret_target_open(call, (int)call->args[0], &target);

	if (result)
		return result;
	if (egret_call_read(call, call->args[1], &msg, sizeof(msg)))
		result = send_message(call, &target, &msg, (int)call->args[2]);
	else
		result = -EFAULT;
	egret_target_close(&target);
	return result;
}

int64_t egret_call_sendmmsg(struct egret_call *call)
{
	size_t i, count = (unsigned)call->args[2];
	struct egret_target target;
	struct mmsghdr message;
	uint64_t at = call->args[1];
	int64_t result = egret_target_open(call, (int)call->args[0], &target);

	if (result)
		return result;
	if (count > MESSAGES_MAX)
		count = MESSAGES_MAX;
	for (i = 0; i < count && result >= 0; i++, at += sizeof(message)) {
		unsigned sent;

		result = -EFAULT;
		if (egret_call_read(call, at, &message, sizeof(message)))
			result = send_message(call, &target, &message.msg_hdr, (int)call->args[3]);
		sent = result < 0 ? 0 : (unsigned)result;
		if (result < 0 || !egret_call_write(call, at + offsetof(struct mmsghdr, msg_len), &sent, sizeof(sent)))
			break;
	}
	egret_target_close(&target);
	return i ? (int64_t)i : result < 0 ? result : 0;
}
