/* connect, bind and getpeername. */
#include "credentials.h"
#include "errand.h"
#include "redirect.h"
#include "made.h"
#include "nest.h"
#include "resolver.h"
#include "unix_sockets.h"
#include "wait.h"

#include <errno.h>

/* The relay's address for the program's kind of socket; 0: none. */
static socklen_t relay_address(const struct egret_call *call, struct egret_target *target, struct sockaddr_storage *ss)
{
	struct egret_addr addr = { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } };
	uint16_t port = call->sup->relay_port4;

	if (egret_target_v6only(target)) {
		addr = (struct egret_addr){ .family = EGRET_IPV6, .bytes = { [15] = 1 } };
		port = call->sup->relay_port6;
	}
	return port ? egret_addr_to_sockaddr(&addr, port, egret_target_domain(target), ss) : 0;
}

static bool local_end(int fd, struct egret_endpoint *end)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return !getsockname(fd, (struct sockaddr *)&ss, &len) && egret_addr_from_sockaddr((struct sockaddr *)&ss, len, &end->addr, &end->port);
}

static void remember_asked(const struct egret_target *target, const struct egret_where *where)
{
	struct egret_redirect redirect = { .cookie = egret_redirect_cookie(target->fd), .asked = where->addr, .port = where->port };

	egret_redirect_add(&redirect);
}

static struct egret_errand *errand_for(const struct egret_call *call, const struct egret_target *target, const struct egret_where *where)
{
	const struct egret_verdict *verdict = &where->ruling.verdict;
	struct egret_errand *errand = egret_errand_new(call->policy);

	if (!errand)
		return NULL;
	errand->entry = verdict->entry;
	errand->asked = where->addr;
	errand->cookie = egret_redirect_cookie(target->fd);
	errand->port = where->port;
	errand->by_host = verdict->by_host;
	errand->audit = egret_audits(call->sup, call->policy, verdict->entry);
	errand->pid = call->pid;
	memcpy(errand->host, where->ruling.host, sizeof(errand->host));
	egret_call_exe(call, errand->exe, sizeof(errand->exe));
	return errand;
}

/* The relay listens on one loopback; a program that made a network of its own has another. */
static bool is_of_our_network(int fd)
{
	static _Atomic uint64_t ours;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int mine;

	if (!ours) {
		mine = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (mine >= 0 && getsockopt(mine, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0)
			ours = cookie;
		if (mine >= 0)
			close(mine);
	}
	cookie = 0;
	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	return cookie == ours;
}

/* A blocking connect returns what became of the server, a non-blocking one learns it as a reset. */
static int connect_relay(struct egret_call *call, struct egret_target *target, struct egret_where *where)
{
	struct egret_errand *errand, *earlier;
	struct sockaddr_storage ss;
	socklen_t len = relay_address(call, target, &ss);
	int result;

	if (!len)
		return -egret_deny_errno(call);
	if (!is_of_our_network(target->fd))
		return -egret_refuse(call, "network", "a connection from a network namespace of the program's own", EACCES);
	errand = errand_for(call, target, where);
	if (!errand)
		return -ENOMEM;
	result = egret_wait_connect(call, target, &ss, len);
	if (result == -EISCONN && (earlier = egret_errand_resume(errand->cookie))) {
		egret_errand_unref(errand);
		errand = earlier;
		result = egret_wait_errand(call, target, errand);
	} else if ((result == 0 || result == -EINPROGRESS) && local_end(target->fd, &errand->from)) {
		remember_asked(target, where);
		egret_errand_file(egret_errand_ref(errand));
		if (result == 0 && !egret_target_nonblock(target))
			result = egret_wait_errand(call, target, errand);
	}
	egret_errand_unref(errand);
	return result;
}

static int connect_resolver(struct egret_call *call, struct egret_target *target, struct egret_where *where)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (egret_nest_enter(call, target, (int)call->args[0]))
		return connect(target->fd, (struct sockaddr *)&where->ss, where->len) ? -errno : 0;
	len = egret_resolver_address(call->sup, egret_target_domain(target), egret_target_v6only(target), &ss);
	if (!len)
		return -egret_deny_errno(call);
	remember_asked(target, where);
	return egret_wait_connect(call, target, &ss, len);
}

/* The server sees the user who asked; its process stays the supervisor's (SO_PEERCRED, unix(7)). */
static int connect_direct(struct egret_call *call, struct egret_target *target, const struct egret_where *where)
{
	struct egret_credentials of;
	int result;

	if (target->transport != EGRET_LOCAL || geteuid())
		return egret_wait_connect(call, target, &where->ss, where->len);
	if (!egret_credentials_of(call, &of) || !egret_act_as(&of))
		return -EACCES;
	result = egret_wait_connect(call, target, &where->ss, where->len);
	egret_act_as_ourselves();
	return result;
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
		case EGRET_ROUTE_NONE: result = -egret_deny_errno(call); break;
		case EGRET_ROUTE_DIRECT: result = connect_direct(call, &target, &where); break;
		case EGRET_ROUTE_RELAY: result = connect_relay(call, &target, &where); break;
		case EGRET_ROUTE_RESOLVER: result = connect_resolver(call, &target, &where); break;
		}
	}
	egret_where_done(&where);
	egret_target_close(&target);
	return result;
}

/* The kernel binds, to whatever address it then reads: none leads anywhere. */
int64_t egret_call_bind(struct egret_call *call)
{
	if (call->sup->makes_sockets)
		egret_made_free_ports(call);
	egret_unix_bound(call);
	call->passes = true;
	return 0;
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
	else if (target.transport != EGRET_LOCAL && egret_redirect_find(egret_redirect_cookie(target.fd), &redirect))
		len = egret_addr_to_sockaddr(&redirect.asked, redirect.port, egret_target_domain(&target), &ss);
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
