/* connect and getpeername. */
#include "redirect.h"
#include "resolver.h"
#include "wait.h"

#include <errno.h>

/* The relay's address for the program's kind of socket; 0: none. */
static socklen_t relay_address(const struct egret_call *call, const struct egret_target *target, struct sockaddr_storage *ss)
{
	struct egret_addr addr = { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } };
	uint16_t port = call->sup->relay_port4;

	if (egret_target_v6only(target)) {
		addr = (struct egret_addr){ .family = EGRET_IPV6, .bytes = { [15] = 1 } };
		port = call->sup->relay_port6;
	}
	return port ? egret_addr_to_sockaddr(&addr, port, target->domain, ss) : 0;
}

static uint16_t local_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct egret_addr addr;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) || !egret_addr_from_sockaddr((struct sockaddr *)&ss, len, &addr, &port))
		return 0;
	return port;
}

static struct egret_redirect record_of(const struct egret_call *call, const struct egret_target *target,
				       const struct egret_where *where)
{
	struct egret_redirect redirect = {
		.cookie = egret_redirect_cookie(target->fd),
		.asked = where->addr,
		.port = where->port,
		.entry = where->ruling.verdict.entry,
		.pid = call->pid,
	};

	memcpy(redirect.host, where->ruling.host, sizeof(redirect.host));
	return redirect;
}

/* The relay knows the connection by its port, so the record must be there when it accepts: it waits for it. */
static int connect_relay(struct egret_call *call, struct egret_target *target, struct egret_where *where)
{
	struct egret_redirect redirect = record_of(call, target, where);
	struct sockaddr_storage ss;
	socklen_t len = relay_address(call, target, &ss);
	int result;

	if (!len)
		return -egret_deny_errno(call->sup);
	result = egret_wait_connect(call, target, &ss, len);
	redirect.local_port = local_port(target->fd);
	if (result == 0 || result == -EINPROGRESS)
		egret_redirect_add(&redirect);
	return result;
}

static int connect_resolver(struct egret_call *call, struct egret_target *target, struct egret_where *where)
{
	struct egret_redirect redirect = record_of(call, target, where);
	struct sockaddr_storage ss;
	socklen_t len;

	if (target->type == SOCK_DGRAM && egret_resolver_replace(call, target, (int)call->args[0]))
		return connect(target->fd, (struct sockaddr *)&where->ss, where->len) ? -errno : 0;
	len = egret_resolver_address(call->sup, target->domain, egret_target_v6only(target), &ss);
	if (!len)
		return -egret_deny_errno(call->sup);
	egret_redirect_add(&redirect);
	return egret_wait_connect(call, target, &ss, len);
}

int64_t egret_call_connect(struct egret_call *call)
{
	struct egret_target target;
	struct egret_where where;
	int result = egret_target_open(call, (int)call->args[0], &target);

	if (result < 0)
		return result;
	result = egret_where_read(call, &target, call->args[1], call->args[2], false, &where);
	if (result == 0) {
		switch (where.ruling.route) {
		case EGRET_ROUTE_NONE: result = -egret_deny_errno(call->sup); break;
		case EGRET_ROUTE_DIRECT: result = egret_wait_connect(call, &target, &where.ss, where.len); break;
		case EGRET_ROUTE_RELAY: result = connect_relay(call, &target, &where); break;
		case EGRET_ROUTE_RESOLVER: result = connect_resolver(call, &target, &where); break;
		}
	}
	egret_where_done(&where);
	egret_target_close(&target);
	return result;
}

int64_t egret_call_getpeername(struct egret_call *call)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss), room;
	struct egret_redirect redirect;
	struct egret_target target;
	int result = egret_target_open(call, (int)call->args[0], &target);

	if (result < 0)
		return result;
	if (getpeername(target.fd, (struct sockaddr *)&ss, &len))
		result = -errno;
	else if ((target.domain == AF_INET || target.domain == AF_INET6) &&
		 egret_redirect_find(egret_redirect_cookie(target.fd), &redirect))
		len = egret_addr_to_sockaddr(&redirect.asked, redirect.port, target.domain, &ss);
	egret_target_close(&target);
	if (result < 0)
		return result;
	if (!egret_call_read(call, call->args[2], &room, sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (room > len)
		room = len;
	if ((room && !egret_call_write(call, call->args[1], &ss, room)) || !egret_call_write(call, call->args[2], &len, sizeof(len)))
		return -EFAULT;
	return 0;
}
