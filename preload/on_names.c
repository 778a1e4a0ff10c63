/* Look-ups: a name that the policy does not cover does not resolve; what does resolve is remembered with the name asked. */
#include "fixed.h"
#include "hooks.h"
#include "lookup.h"
#include "real.h"

int egret_on_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	struct egret_lookup lookup;
	if (hints && (hints->ai_flags & AI_NUMERICHOST))
		return real.getaddrinfo(node, service, hints, res);
	bool go_on = egret_lookup_begin(&lookup, node, egret_lookup_port(service));
	const struct egret_entry *fixed = go_on ? egret_lookup_fixed(&lookup, egret_lookup_port(service)) : NULL;
	int result = fixed ? egret_fixed_addrinfo(fixed, node, service, hints, res) : EAI_NONAME;
	egret_lookup_end(&lookup);
	if (go_on && !fixed)
		result = real.getaddrinfo(node, service, hints, res);
	if (result == 0)
		egret_lookup_remember(&lookup, *res);
	return result;
}

static void remember_host(const struct egret_lookup *lookup, const struct hostent *host)
{
	for (char **it = host ? host->h_addr_list : NULL; it && *it; it++)
		egret_lookup_remember_addr(lookup, host->h_addrtype, *it);
}

static struct hostent *answer(struct egret_lookup *lookup, const char *name, int family)
{
	static struct hostent host; /* gethostbyname(3)'s answers are static and not for threads */
	static char buf[16384];
	struct hostent *result;
	const struct egret_entry *fixed = egret_lookup_fixed(lookup, 0);
	if (fixed)
		egret_fixed_hostent(fixed, name, family, &host, buf, sizeof buf, &result, &h_errno);
	egret_lookup_end(lookup);
	return fixed ? result : real.gethostbyname2(name, family);
}

struct hostent *egret_on_gethostbyname2(const char *name, int family)
{
	struct egret_lookup lookup;
	struct hostent *host = NULL;
	if (egret_lookup_begin(&lookup, name, 0))
		host = answer(&lookup, name, family);
	else
		h_errno = HOST_NOT_FOUND;
	egret_lookup_end(&lookup);
	remember_host(&lookup, host);
	return host;
}

struct hostent *egret_on_gethostbyname(const char *name)
{
	return egret_on_gethostbyname2(name, AF_INET);
}

int egret_on_gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	struct egret_lookup lookup;
	int result = 0;
	*res = NULL;
	bool go_on = egret_lookup_begin(&lookup, name, 0);
	const struct egret_entry *fixed = go_on ? egret_lookup_fixed(&lookup, 0) : NULL;
	if (fixed)
		result = egret_fixed_hostent(fixed, name, family, ret, buf, size, res, h_err);
	else if (!go_on)
		*h_err = HOST_NOT_FOUND;
	egret_lookup_end(&lookup);
	if (go_on && !fixed)
		result = real.gethostbyname2_r(name, family, ret, buf, size, res, h_err);
	remember_host(&lookup, *res);
	return result;
}

int egret_on_gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t size, struct hostent **res, int *h_err)
{
	return egret_on_gethostbyname2_r(name, AF_INET, ret, buf, size, res, h_err);
}
