/* Ancillary data (cmsg(3)): only what is known to be harmless passes. */
#include "credentials.h"
#include "nest.h"
#include "resolver.h"
#include "send.h"

#include <errno.h>
#include <sys/socket.h>

static bool harmless(const struct cmsghdr *cmsg)
{
	switch (cmsg->cmsg_level) {
	case SOL_SOCKET:
		return cmsg->cmsg_type == SCM_RIGHTS || cmsg->cmsg_type == SCM_CREDENTIALS || cmsg->cmsg_type == SO_TIMESTAMPING;
	case IPPROTO_IP:
		return cmsg->cmsg_type == IP_PKTINFO || cmsg->cmsg_type == IP_TTL || cmsg->cmsg_type == IP_TOS;
	case IPPROTO_IPV6:
		return cmsg->cmsg_type == IPV6_PKTINFO || cmsg->cmsg_type == IPV6_HOPLIMIT || cmsg->cmsg_type == IPV6_TCLASS ||
		       cmsg->cmsg_type == 62 /* IPV6_DONTFRAG */;
	case IPPROTO_UDP:
		return cmsg->cmsg_type == 103 /* UDP_SEGMENT */;
	}
	return false;
}

static int translate(struct egret_call *call, struct cmsghdr *cmsg, struct egret_outgoing *out)
{
	size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < count; i++) {
		uint8_t *slot = CMSG_DATA(cmsg) + i * sizeof(int);

		if (out->passed_count == EGRET_PASSED_MAX)
			return -EINVAL;
		memcpy(&fd, slot, sizeof(fd));
		fd = egret_call_dup(call, fd);
		if (fd < 0)
			return fd;
		out->passed[out->passed_count++] = fd;
		memcpy(slot, &fd, sizeof(fd));
	}
	return 0;
}

static void drop(struct egret_outgoing *out, struct cmsghdr *cmsg)
{
	size_t size = CMSG_ALIGN(cmsg->cmsg_len), at = (size_t)((uint8_t *)cmsg - out->control);

	if (at + size > out->control_len)
		size = out->control_len - at;
	memmove(out->control + at, out->control + at + size, out->control_len - at - size);
	out->control_len -= size;
}

/* Told by us the caller's would be another's to the kernel: they are judged here, and told by egret_control_tell. */
static int take_credentials(struct egret_call *call, struct cmsghdr *cmsg, struct egret_outgoing *out)
{
	struct egret_credentials of;

	if (cmsg->cmsg_len != CMSG_LEN(sizeof(out->told)))
		return -EINVAL;
	memcpy(&out->told, CMSG_DATA(cmsg), sizeof(out->told));
	if (!egret_credentials_of(call, &of))
		return -EINTR;
	if (!egret_credentials_may_tell(call, &of, &out->told))
		return -EPERM;
	out->has_told = true;
	drop(out, cmsg);
	return 0;
}

int egret_control_tell(struct egret_call *call, struct egret_outgoing *out)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(out->control + CMSG_ALIGN(out->control_len));
	struct egret_credentials of;
	struct ucred ucred;

	if (geteuid())
		return 0; /* the caller's user is ours, and the kernel tells it */
	if (!egret_credentials_of(call, &of))
		return -EINTR;
	if (!egret_credentials_tell(&of, &ucred))
		return 0;
	if (out->has_told) {
		ucred.uid = out->told.uid;
		ucred.gid = out->told.gid;
	}
	if (CMSG_ALIGN(out->control_len) + CMSG_SPACE(sizeof(ucred)) > sizeof(out->control))
		return -ENOBUFS;
	out->control_len = CMSG_ALIGN(out->control_len) + CMSG_SPACE(sizeof(ucred));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(ucred));
	memcpy(CMSG_DATA(cmsg), &ucred, sizeof(ucred));
	return 0;
}

int egret_control_read(struct egret_call *call, const struct egret_target *target, const struct msghdr *msg, struct egret_outgoing *out)
{
	size_t at = 0;
	int result;

	if (!msg->msg_control || !msg->msg_controllen)
		return 0;
	if (msg->msg_controllen > sizeof(out->control))
		return -ENOBUFS;
	if (!egret_call_read(call, (uint64_t)(uintptr_t)msg->msg_control, out->control, msg->msg_controllen))
		return -EFAULT;
	out->control_len = msg->msg_controllen;
	while (at + sizeof(struct cmsghdr) <= out->control_len) {
		struct cmsghdr *cmsg = (struct cmsghdr *)(out->control + at);

		if (cmsg->cmsg_len < sizeof(*cmsg) || cmsg->cmsg_len > out->control_len - at)
			return -EINVAL;
		if (target->domain != AF_NETLINK && !harmless(cmsg))
			return -egret_refuse(call, "sendmsg", "ancillary data that routes packets", EPERM);
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_CREDENTIALS) {
			result = take_credentials(call, cmsg, out);
			if (result)
				return result;
			continue;
		}
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
			result = translate(call, cmsg, out);
			if (result)
				return result;
		}
		at += CMSG_ALIGN(cmsg->cmsg_len);
	}
	return 0;
}

void egret_control_done(struct egret_outgoing *out)
{
	while (out->passed_count)
		close(out->passed[--out->passed_count]);
}

int egret_send_to_resolver(struct egret_call *call, struct egret_target *target, struct egret_outgoing *out)
{
	/* In its new place the asked address is a real one: the resolver answers from there. */
	if (egret_nest_enter(call, target, (int)call->args[0]))
		return 0;
	out->where.len = egret_resolver_address(call->sup, egret_target_domain(target), egret_target_v6only(target), &out->where.ss);
	return out->where.len ? 0 : -egret_deny_errno(call);
}
