#include "moved.h"

#include "policy/raw.h"
#include "real.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define PREFIX "egret/"

void egret_moved_name(int end, const struct egret_addr *addr, uint16_t port, int domain)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char text[EGRET_ADDR_TEXT];
	uint32_t number = 0;
	egret_raw(SYS_getrandom, &number, sizeof number, 0, 0);
	int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, PREFIX "%08x/%c/%s/%u", number, domain == AF_INET6 ? '6' : '4',
			      egret_addr_format(addr, -1, text), port);
	if (length > 0 && (size_t)length < sizeof name.sun_path - 1)
		egret_raw(SYS_bind, end, &name, offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length, 0);
}

/* NAME is NUL-terminated: "egret/RANDOM/4|6/ADDRESS/PORT". */
static socklen_t parse(const char *name, struct sockaddr_storage *ss)
{
	struct egret_addr addr;
	char text[EGRET_ADDR_TEXT], *end;
	const char *slash = strrchr(name, '/');
	size_t head = sizeof PREFIX - 1 + 9; /* up to the family's digit */
	if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0 || strlen(name) < head + 4 || name[head + 1] != '/')
		return 0;
	size_t length = (size_t)(slash - name) - head - 2;
	unsigned long port = strtoul(slash + 1, &end, 10);
	if (slash <= name + head + 2 || length >= sizeof text || *end || port > UINT16_MAX)
		return 0;
	memcpy(text, name + head + 2, length);
	text[length] = '\0';
	return egret_addr_parse(text, &addr) ? egret_addr_to_sockaddr(&addr, (uint16_t)port, name[head] == '6' ? AF_INET6 : AF_INET, ss) : 0;
}

bool egret_moved_address(int fd, bool peer, struct sockaddr_storage *ss, socklen_t *len)
{
	struct {
		struct sockaddr_un name;
		char end;
	} got = { .name.sun_family = AF_UNSPEC };
	socklen_t size = sizeof got.name;
	long result = egret_raw(peer ? SYS_getpeername : SYS_getsockname, fd, &got.name, &size, 0);
	if (result != 0 || got.name.sun_family != AF_UNIX || size <= offsetof(struct sockaddr_un, sun_path) + 1 || got.name.sun_path[0] != '\0')
		return false;
	((char *)&got)[size < sizeof got.name ? size : sizeof got.name] = '\0';
	return (*len = parse(got.name.sun_path + 1, ss)) != 0;
}

static bool is_moved(int fd, struct sockaddr_storage *ss)
{
	socklen_t len;
	return egret_moved_address(fd, true, ss, &len) || egret_moved_address(fd, false, ss, &len);
}

/* What the relay's socket is like, for the options that programs look at. */
static int tcp_option(int option, int *number)
{
	switch (option) {
	case TCP_NODELAY: /* the relay sends at once what it reads */
		*number = 1;
		return 0;
	case TCP_CORK:
	case TCP_QUICKACK:
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
	case TCP_USER_TIMEOUT:
		*number = 0;
		return 0;
	}
	return ENOPROTOOPT;
}

static int give(int number, void *value, socklen_t *len)
{
	*len = *len < sizeof number ? *len : (socklen_t)sizeof number;
	memcpy(value, &number, *len);
	return 0;
}

static int answer(int error)
{
	if (error)
		errno = error;
	return error ? -1 : 0;
}

/* The kernel's answer to TCP and IP options of a UNIX socket. */
static bool unknown_to_unix(int level, int result)
{
	return result < 0 && errno == EOPNOTSUPP && (level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6);
}

void egret_moved_getsockopt(int fd, int level, int option, void *value, socklen_t *len, int *result)
{
	struct sockaddr_storage ss;
	int number = 0, error = ENOPROTOOPT;
	if (level == SOL_SOCKET && (option == SO_DOMAIN || option == SO_PROTOCOL) && *result == 0 && is_moved(fd, &ss)) {
		*result = give(option == SO_PROTOCOL ? IPPROTO_TCP : ss.ss_family, value, len);
	} else if (unknown_to_unix(level, *result) && is_moved(fd, &ss)) {
		if (level == IPPROTO_TCP)
			error = tcp_option(option, &number);
		*result = error ? answer(error) : give(number, value, len);
	}
}

void egret_moved_setsockopt(int fd, int level, int option, int *result)
{
	struct sockaddr_storage ss;
	int number;
	if (unknown_to_unix(level, *result) && is_moved(fd, &ss))
		*result = answer(level == IPPROTO_TCP ? tcp_option(option, &number) : 0);
}

bool egret_moved_keeps(int fd, int level, int option)
{
	struct sockaddr_storage ss;
	return level == SOL_SOCKET && option == SO_SNDBUF && is_moved(fd, &ss);
}
