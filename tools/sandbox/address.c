/* A socket address of the caller: copied once, judged, rebuilt for the kernel from what was judged. */
#include "nest.h"
#include "resolver.h"
#include "supervisor.h"

#include <errno.h>
#include <stddef.h>

/* udp(7): an unspecified family in a send is taken for IPv4 by IPv4 sockets. */
static int internet_where(struct egret_call *call, struct egret_target *target, struct sockaddr_storage *raw, socklen_t len,
			  bool sending, struct egret_where *where)
{
	sa_family_t family = raw->ss_family;

	if (family == AF_UNSPEC && sending && egret_target_domain(target) == AF_INET)
		raw->ss_family = family = AF_INET;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!egret_addr_from_sockaddr((struct sockaddr *)raw, len, &where->addr, &where->port))
		return -EINVAL;
	/* In the form in which it came: what does not fit the socket is the kernel's to refuse. */
	where->len = egret_addr_to_sockaddr(&where->addr, where->port, family, &where->ss);
	if (!where->len)
		return -EAFNOSUPPORT;
	if (where->port == 53 && egret_resolver_takes(call->sup, &where->addr)) {
		where->ruling.route = EGRET_ROUTE_RESOLVER;
		return 0;
	}
	where->ruling = egret_judge_address(call, target->transport, &where->addr, where->port);
	if (where->ruling.route == EGRET_ROUTE_NONE)
		return -where->ruling.error;
	/* A socket that asked for names before: there it reaches nothing else. */
	if (target->transport == EGRET_DATAGRAM && egret_nest_holds(target) && !egret_nest_leave(call, target, (int)call->args[0]))
		return -ENETUNREACH;
	return 0;
}

int egret_where_read(struct egret_call *call, struct egret_target *target, uint64_t address, uint64_t len64, bool sending,
		     struct egret_where *where)
{
	struct sockaddr_storage raw;
	socklen_t len = (socklen_t)len64; /* the kernel takes an int */

	memset(where, 0, sizeof(*where));
	memset(&raw, 0, sizeof(raw));
	where->pinned = -1;
	if ((int)len < 0 || len > sizeof(raw))
		return -EINVAL;
	if (len < sizeof(sa_family_t))
		return -EINVAL;
	if (!egret_call_read(call, address, &raw, len))
		return -EFAULT;
	if (raw.ss_family == AF_UNSPEC && !sending) { /* dissolves an association: goes nowhere */
		memcpy(&where->ss, &raw, len);
		where->len = len;
		where->ruling.route = EGRET_ROUTE_DIRECT;
		return 0;
	}
	if (target->domain == AF_NETLINK && raw.ss_family == AF_NETLINK) { /* speaks to the kernel */
		memcpy(&where->ss, &raw, len);
		where->len = len;
		where->ruling.route = EGRET_ROUTE_DIRECT;
		return 0;
	}
	if (target->transport == EGRET_LOCAL)
		return raw.ss_family == AF_UNIX ? egret_local_where(call, (struct sockaddr_un *)&raw, len, target->type, where) : -EINVAL;
	if (!target->transport)
		return -egret_refuse(call, "socket", "a socket that is neither TCP, UDP nor unix", EACCES);
	return internet_where(call, target, &raw, len, sending, where);
}

void egret_where_done(struct egret_where *where)
{
	if (where->pinned >= 0)
		close(where->pinned);
	where->pinned = -1;
}
