#include "judge.h"

#include "guard.h"
#include "names.h"
#include "real.h"
#include "record.h"
#include "resolv_conf.h"
#include "runtime.h"
#include "say.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>

#define DNS_PORT 53

const char *egret_judged_protocol(const struct egret_judged *judged)
{
	if (judged->verdict.entry)
		return egret_protocol_name(judged->verdict.entry->protocol);
	switch (judged->request.transport) {
	case EGRET_STREAM:
		return "tcp";
	case EGRET_DATAGRAM:
		return "udp";
	case EGRET_LOCAL:
		return "unix";
	}
	return "tcp";
}

static const char *transport_name(enum egret_transport transport)
{
	return transport == EGRET_STREAM ? "tcp" : transport == EGRET_DATAGRAM ? "udp" : "unix";
}

static void log_verdict(const struct egret_judged *judged, const struct egret_endpoint *dialled)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT];
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	event.verdict = &judged->verdict;
	event.protocol = egret_judged_protocol(judged);
	event.host = judged->name[0] ? judged->name : judged->request.path;
	event.port = judged->request.port;
	event.ambiguous = judged->others[0] ? judged->others : NULL;
	if (dialled)
		event.address = egret_addr_format(&dialled->addr, dialled->port, address);
	else if (judged->request.addr.family != EGRET_NO_ADDR)
		event.address = egret_addr_format(&judged->request.addr, judged->request.port, address);
	egret_runtime_log(judged->policy, &event);
}

/* A look at the route: resolvers sort addresses (RFC 6724) by connecting datagram sockets to port 0 of a host that an entry may well name.
 * It is refused, since a datagram could follow, but it is no attempt to tell of. */
static bool is_route_look_up(const struct egret_judged *judged)
{
	return judged->request.transport == EGRET_DATAGRAM && judged->request.port == 0 &&
	       (judged->verdict.reason == EGRET_REASON_PORT || judged->verdict.reason == EGRET_REASON_PROTOCOL);
}

static void deny(struct egret_judged *judged)
{
	judged->denied = egret_policy_defaults(judged->policy)->deny_errno;
	if (is_route_look_up(judged))
		return;
	log_verdict(judged, NULL);
	egret_say_denied(transport_name(judged->request.transport), judged->name[0] ? judged->name : judged->request.path,
			 &judged->request.addr, judged->request.port, &judged->verdict);
}

/* The machine's own sockets are internal; those of daemons that open connections or start programs for whoever asks need an entry. */
static void judge_local(struct egret_judged *judged, const struct sockaddr_un *un, socklen_t len)
{
	static __thread __attribute__((tls_model("initial-exec"))) char path[sizeof un->sun_path + 2];
	size_t size = len - offsetof(struct sockaddr_un, sun_path);
	if (size == 0)
		return;
	memcpy(path, un->sun_path, size);
	path[size] = '\0';
	if (path[0] == '\0')
		path[0] = '@';
	judged->request.transport = EGRET_LOCAL;
	judged->request.path = path;
	judged->verdict = egret_decide(judged->policy, &judged->request, egret_runtime.mode);
	if (!judged->verdict.allow)
		deny(judged);
}

/* The resolvers of resolv.conf are open on port 53, to look names up; nothing else is without an entry. */
static bool is_resolver(const struct egret_judged *judged)
{
	enum egret_reason reason = judged->verdict.reason;
	return judged->request.port == DNS_PORT && judged->verdict.entry == NULL &&
	       (reason == EGRET_REASON_NO_ENTRY || reason == EGRET_REASON_PORT || reason == EGRET_REASON_PROTOCOL || reason == EGRET_REASON_LINK_LOCAL) &&
	       egret_resolv_conf_has(&judged->request.addr);
}

static void judge_internet(struct egret_judged *judged)
{
	struct egret_request *request = &judged->request;
	request->transport = judged->type == SOCK_STREAM ? EGRET_STREAM : EGRET_DATAGRAM;
	if (egret_names_find(&request->addr, judged->name, judged->others, sizeof judged->others)) {
		request->host = judged->name;
		request->host_len = strlen(judged->name);
	}
	judged->verdict = egret_decide(judged->policy, request, egret_runtime.mode);
	if (!judged->verdict.allow && is_resolver(judged)) {
		judged->verdict.allow = true;
		judged->verdict.reason = EGRET_REASON_INTERNAL;
	}
	if (!judged->verdict.allow)
		deny(judged);
}

/* Families that carry nothing off the machine. Everything else that is not IP is refused: what cannot be judged is denied. */
static bool is_local_family(int family)
{
	return family == AF_NETLINK || family == AF_ALG;
}

/* What kind of socket is FD? Of a TCP socket one question tells all: it alone has TCP_NODELAY, and it takes addresses of its own family only. False: it
 * is no socket. */
static bool look_at_socket(struct egret_judged *judged, int fd, sa_family_t family)
{
	socklen_t size = sizeof judged->nodelay;
	if (family != AF_UNIX && real.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &judged->nodelay, &size) == 0) {
		judged->type = SOCK_STREAM;
		judged->domain = family;
		return true;
	}
	size = sizeof judged->type;
	if (real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &judged->type, &size) != 0)
		return false;
	size = sizeof judged->domain;
	real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &judged->domain, &size);
	return true;
}

void egret_judge(struct egret_judged *judged, int fd, const struct sockaddr *addr, socklen_t len)
{
	memset(judged, 0, sizeof *judged);
	if (!addr || len < sizeof(sa_family_t) || is_local_family(addr->sa_family))
		return; /* the kernel answers */
	if (!look_at_socket(judged, fd, addr->sa_family))
		return; /* the kernel says so */
	egret_guard_enter();
	judged->policy = egret_runtime_policy();
	if (!judged->policy)
		judged->denied = EACCES;
	else if (addr->sa_family == AF_UNIX && len <= sizeof(struct sockaddr_un))
		judge_local(judged, (const struct sockaddr_un *)addr, len);
	else if (egret_addr_from_sockaddr(addr, len, &judged->request.addr, &judged->request.port))
		judge_internet(judged);
	else if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6)
		judged->denied = EACCES;
	egret_guard_leave();
}

void egret_judged_log(const struct egret_judged *judged, const struct egret_endpoint *dialled)
{
	/* A supervisor tells of each call that reaches it, in the same log. */
	if (judged->verdict.allow && egret_record_is_supervised())
		return;
	egret_guard_enter();
	log_verdict(judged, dialled);
	egret_guard_leave();
}

void egret_judged_end(struct egret_judged *judged)
{
	egret_policy_unref(judged->policy);
	judged->policy = NULL;
}

int egret_judge_name(const char *host, uint16_t port)
{
	struct egret_judged judged;
	memset(&judged, 0, sizeof judged);
	egret_guard_enter();
	judged.policy = egret_runtime_policy();
	judged.request = (struct egret_request){ .transport = EGRET_STREAM, .host = host, .host_len = strlen(host), .port = port };
	snprintf(judged.name, sizeof judged.name, "%s", host);
	if (judged.policy)
		judged.verdict = egret_decide(judged.policy, &judged.request, egret_runtime.mode);
	if (!judged.policy)
		judged.denied = EACCES;
	else if (!judged.verdict.allow)
		deny(&judged);
	else if (judged.verdict.entry && (judged.verdict.entry->tls == EGRET_TLS_ORIGINATE || judged.verdict.entry->protocol == EGRET_TLS ||
					   judged.verdict.entry->protocol == EGRET_HTTP))
		judged.denied = EOPNOTSUPP;
	egret_guard_leave();
	egret_judged_end(&judged);
	return judged.denied;
}
