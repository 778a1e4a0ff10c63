/* Names of addresses: the question is an exit like any other, and goes out only for what the policy covers. */
#include "hooks.h"
#include "lookup.h"
#include "real.h"

#include <netinet/in.h>
#include <string.h>

static bool may_ask(int family, const void *addr, socklen_t len)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct egret_addr canonical;
	uint16_t port;
	if (family == AF_INET && len >= 4)
		memcpy(&((struct sockaddr_in *)&ss)->sin_addr, addr, 4);
	else if (family == AF_INET6 && len >= 16)
		memcpy(&((struct sockaddr_in6 *)&ss)->sin6_addr, addr, 16);
	else
		return true; /* the libc says what is wrong with it */
	return egret_addr_from_sockaddr((struct sockaddr *)&ss, sizeof ss, &canonical, &port) && egret_lookup_reverse(&canonical);
}

struct hostent *egret_on_gethostbyaddr(const void *addr, socklen_t len, int family)
{
	if (may_ask(family, addr, len))
		return real.gethostbyaddr(addr, len, family);
	h_errno = HOST_NOT_FOUND;
	return NULL;
}

int egret_on_gethostbyaddr_r(const void *addr, socklen_t len, int family, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	if (may_ask(family, addr, len))
		return real.gethostbyaddr_r(addr, len, family, ret, buf, size, res, h_err);
	*res = NULL;
	*h_err = HOST_NOT_FOUND;
	return 0;
}

int egret_on_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_size, char *service, socklen_t service_size, int flags)
{
	struct egret_addr canonical;
	uint16_t port;
	bool asks = host && host_size && !(flags & NI_NUMERICHOST) && egret_addr_from_sockaddr(addr, len, &canonical, &port);
	if (!asks || egret_lookup_reverse(&canonical))
		return real.getnameinfo(addr, len, host, host_size, service, service_size, flags);
	if (flags & NI_NAMEREQD)
		return EAI_NONAME;
	return real.getnameinfo(addr, len, host, host_size, service, service_size, flags | NI_NUMERICHOST);
}
