#include "addressed.h"

#include "conn.h"
#include "dns_watch.h"
#include "hooks.h"
#include "judge.h"
#include "real.h"
#include "say.h"

#include <netinet/in.h>
#include <string.h>


/* linux/in6.h, which netinet/in.h shuts out. */
#ifndef IPV6_2292RTHDR
#define IPV6_2292RTHDR 5
#define IPV6_2292PKTOPTIONS 6
#endif

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

const struct sockaddr *egret_addressed_copy(struct sockaddr_storage *ss, const struct sockaddr *addr, socklen_t len)
{
	return addr && len <= sizeof *ss ? memcpy(ss, addr, len) : addr;
}

bool egret_addressed_strays(const struct msghdr *message)
{
	if (!message->msg_control)
		return false;
	for (struct cmsghdr *it = CMSG_FIRSTHDR(message); it; it = CMSG_NXTHDR((struct msghdr *)(uintptr_t)message, it))
		if ((it->cmsg_level == IPPROTO_IP && it->cmsg_type == IP_RETOPTS) ||
		    (it->cmsg_level == IPPROTO_IPV6 && (it->cmsg_type == IPV6_RTHDR || it->cmsg_type == IPV6_2292RTHDR)))
			return true;
	return false;
}

bool egret_addressed_option_strays(int level, int option, socklen_t len)
{
	return len > 0 && ((level == IPPROTO_IP && option == IP_OPTIONS) ||
			   (level == IPPROTO_IPV6 && (option == IPV6_RTHDR || option == IPV6_2292RTHDR || option == IPV6_2292PKTOPTIONS)));
}

/* A send that opens the connection by itself, tcp(7): opened first, so that it is judged and, where the entry says so, encrypted. A program that
 * does not block gets EINPROGRESS, as when the kernel has no cookie for the peer. */
static ssize_t open_and_send(int fd, const struct msghdr *message, int flags)
{
	struct msghdr rest = *message;
	if (egret_on_connect(fd, message->msg_name, message->msg_namelen) != 0)
		return -1;
	rest.msg_name = NULL;
	rest.msg_namelen = 0;
	return egret_on_sendmsg(fd, &rest, flags & ~MSG_FASTOPEN);
}

/* UDP takes AF_UNSPEC for AF_INET: so do we. The address into SS; what it is not is given back as it came. */
static const struct sockaddr *as_meant(const struct msghdr *message, struct sockaddr_storage *ss)
{
	const struct sockaddr *to = message->msg_name;
	if (message->msg_namelen < sizeof(struct sockaddr_in) || message->msg_namelen > sizeof *ss || to->sa_family != AF_UNSPEC)
		return to;
	memcpy(ss, to, message->msg_namelen);
	ss->ss_family = AF_INET;
	return (struct sockaddr *)ss;
}

/* An entry that dials elsewhere: the datagram would be answered by another than was asked. Connected sockets can be redirected. */
static bool is_redirected(const struct egret_judged *judged)
{
	struct egret_endpoint to[8];
	size_t count = egret_dial(&judged->verdict, &judged->request, to, 8);
	if (!judged->verdict.entry || judged->request.addr.family == EGRET_NO_ADDR)
		return false;
	for (size_t i = 0; i < count && i < 8; i++)
		if (to[i].port == judged->request.port && egret_addr_equal(&to[i].addr, &judged->request.addr))
			return false;
	return true;
}

/* Each destination of this process is logged once: a datagram is no connection. */
static bool is_first(const struct egret_judged *judged)
{
	static _Atomic uint64_t seen[256];
	uint64_t hash = UINT64_C(14695981039346656037) ^ judged->request.port;
	for (size_t i = 0; i < sizeof judged->request.addr.bytes; i++)
		hash = (hash ^ judged->request.addr.bytes[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return atomic_exchange(&seen[hash % 256], hash | 1) != (hash | 1);
}

void egret_addressed_judge(struct egret_judged *judged, int fd, const struct msghdr *message)
{
	struct sockaddr_storage ss;
	egret_judge(judged, fd, as_meant(message, &ss), message->msg_namelen);
	if (!judged->denied && is_redirected(judged)) {
		egret_say_once(5, "egret: entry [%s] (%s:%u) sends elsewhere than the program asks: that needs a connected UDP socket",
			       judged->verdict.entry->name, judged->verdict.entry->file, judged->verdict.entry->line);
		judged->denied = EOPNOTSUPP;
	}
	if (!judged->denied && judged->request.addr.family != EGRET_NO_ADDR && is_first(judged))
		egret_judged_log(judged, NULL);
}

ssize_t egret_addressed_send(int fd, const struct msghdr *message, int flags)
{
	int type = 0;
	socklen_t size = sizeof type;
	real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	if (type == SOCK_STREAM && (flags & MSG_FASTOPEN))
		return open_and_send(fd, message, flags);
	if (type == SOCK_STREAM)
		return real.sendmsg(fd, message, flags); /* goes to its peer whatever it names, tcp(7) */
	struct egret_judged judged;
	struct egret_conn *watched = NULL;
	egret_addressed_judge(&judged, fd, message);
	if (!judged.denied && egret_dns_concerns(&judged)) {
		watched = egret_dns_watch(fd, &judged);
		judged.denied = watched ? 0 : ENOMEM;
	}
	ssize_t n = judged.denied ? fail(judged.denied) : watched ? egret_dns_send(watched, fd, message, flags) : real.sendmsg(fd, message, flags);
	egret_conn_put(watched);
	egret_judged_end(&judged);
	return n;
}
