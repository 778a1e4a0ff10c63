/* rcmd(3) and rexec(3) look up and connect inside the libc, where no hook sees it: the whole call is judged by its host and port. */
#include "guard.h"
#include "hooks.h"
#include "judge.h"
#include "lookup.h"
#include "real.h"

#include <arpa/inet.h>

/* PORT in network order, as these functions take it. True: errno says that it is refused. */
static bool refuses(char **host, int port)
{
	struct egret_lookup lookup;
	int denied = host && *host ? 0 : EINVAL;
	if (denied == 0 && !egret_lookup_begin(&lookup, *host, ntohs((uint16_t)port)))
		denied = EACCES;
	if (denied != EINVAL)
		egret_lookup_end(&lookup);
	if (denied == 0)
		denied = egret_judge_name(*host, ntohs((uint16_t)port));
	if (denied)
		errno = denied;
	return denied != 0;
}

int egret_on_rcmd(char **host, unsigned short port, const char *local, const char *remote, const char *command, int *error_fd)
{
	return refuses(host, port) ? -1 : real.rcmd(host, port, local, remote, command, error_fd);
}

int egret_on_rcmd_af(char **host, unsigned short port, const char *local, const char *remote, const char *command, int *error_fd, sa_family_t family)
{
	return refuses(host, port) ? -1 : real.rcmd_af(host, port, local, remote, command, error_fd, family);
}

int egret_on_rexec(char **host, int port, const char *user, const char *password, const char *command, int *error_fd)
{
	return refuses(host, port) ? -1 : real.rexec(host, port, user, password, command, error_fd);
}

int egret_on_rexec_af(char **host, int port, const char *user, const char *password, const char *command, int *error_fd, sa_family_t family)
{
	return refuses(host, port) ? -1 : real.rexec_af(host, port, user, password, command, error_fd, family);
}
