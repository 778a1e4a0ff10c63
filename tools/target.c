#include "tools/target.h"

#include "tools/tools.h"

#include <arpa/inet.h>

struct scheme {
	const char *prefix;
	enum egret_transport transport;
	uint16_t port; /* when the URL has none; 0: it must */
	bool http, https;
};

static const struct scheme schemes[] = {
	{ "http://", EGRET_STREAM, 80, true, false },
	{ "https://", EGRET_STREAM, 443, false, true },
	{ "tcp://", EGRET_STREAM, 0, false, false },
	{ "udp://", EGRET_DATAGRAM, 0, false, false },
	{ "", EGRET_STREAM, 0, false, false },
};

static const struct scheme *scheme_of(const char *text)
{
	const struct scheme *scheme = schemes;

	while (strncasecmp(text, scheme->prefix, strlen(scheme->prefix)))
		scheme++;
	return scheme;
}

/* A decimal port of LEN digits; 0 when it is none. */
static uint16_t parse_port(const char *text, size_t len)
{
	unsigned long value = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || i == 5)
			return 0;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	return value <= 65535 ? (uint16_t)value : 0;
}

/* Splits AUTHORITY (LEN bytes) into host and port; what is wrong, or NULL. */
static const char *split(const char *authority, size_t len, uint16_t default_port, struct egret_target *target)
{
	const char *host = authority, *end = authority + len, *port;
	size_t host_len;

	if (len && host[0] == '[') {
		port = memchr(host, ']', len);
		if (!port)
			return "`[` without `]`";
		host_len = (size_t)(port++ - ++host);
	} else {
		port = memrchr(host, ':', len);
		if (!port)
			port = end;
		host_len = (size_t)(port - host);
		if (memchr(host, ':', host_len))
			return "an IPv6 address belongs in brackets";
	}
	if (!host_len || host_len >= sizeof(target->host))
		return "there is no host in it";
	memcpy(target->host, host, host_len);
	target->host[host_len] = '\0';
	if (port == end && default_port)
		target->port = default_port;
	else
		target->port = port < end && *port == ':' ? parse_port(port + 1, (size_t)(end - port) - 1) : 0;
	return target->port ? NULL : "it needs a port from 1 to 65535";
}

static void read_address(struct egret_target *target)
{
	char text[sizeof(target->host)];
	struct in_addr v4;

	/* "fe80::1%eth0": on which interface is no matter of the policy's. */
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(target->host, "%"), target->host);
	if (text[0] && egret_addr_parse(text, &target->addr) && egret_addr_is_link_local(&target->addr))
		return;
	target->addr = (struct egret_addr){ 0 };
	if (egret_addr_parse(target->host, &target->addr) || !inet_aton(target->host, &v4))
		return;
	target->addr = (struct egret_addr){ .family = EGRET_IPV4 };
	memcpy(target->addr.bytes, &v4, sizeof(v4));
}

bool egret_target_parse(const char *command, const char *text, struct egret_target *target)
{
	const struct scheme *scheme = scheme_of(text);
	const char *rest = text + strlen(scheme->prefix), *user, *wrong;
	size_t len = strcspn(rest, "/?#");

	*target = (struct egret_target){ .transport = scheme->transport, .http = scheme->http, .https = scheme->https };
	if (!strncmp(text, "unix://", 7) && text[7]) {
		target->transport = EGRET_LOCAL;
		target->path = text + 7;
		return true;
	}
	user = memchr(rest, '@', len);
	if (user) {
		len -= (size_t)(user + 1 - rest);
		rest = user + 1;
	}
	wrong = split(rest, len, scheme->port, target);
	if (!wrong && !scheme->port && rest[len])
		wrong = "a path needs http:// or https:// in front";
	if (wrong) {
		egret_usage(command, "`%s`: %s", text, wrong);
		return false;
	}
	target->path = rest[len] == '/' ? rest + len : "/";
	read_address(target);
	return true;
}

void egret_target_request(const struct egret_target *target, struct egret_request *request)
{
	*request = (struct egret_request){ .transport = target->transport, .addr = target->addr, .port = target->port };
	if (target->transport == EGRET_LOCAL) {
		request->path = target->path;
	} else if (!target->addr.family) {
		request->host = target->host;
		request->host_len = strlen(target->host);
	}
}
