/* Connections that lead to the relay or the resolver although the program asked for elsewhere: known by socket cookie.
 *
 * Thread-safe, bounded: the oldest go. getpeername answers what was asked; the relay takes the record of each connection it accepts.
 */
#ifndef EGRET_SANDBOX_REDIRECT_H
#define EGRET_SANDBOX_REDIRECT_H

#include "policy/policy.h"

#include <sys/types.h>

struct egret_redirect {
	uint64_t cookie; /* SO_COOKIE: unique while the machine runs */
	struct egret_addr asked;
	uint16_t port;
	uint16_t local_port;               /* of the program's end, for the relay; 0: not for the relay */
	const struct egret_entry *entry;   /* lives in the supervisor's policy */
	char host[EGRET_NAME_MAX];         /* "" when only the address is known */
	pid_t pid;
};

uint64_t egret_redirect_cookie(int fd);
void egret_redirect_add(const struct egret_redirect *redirect);
/* What was asked on the socket with COOKIE; false: not redirected. */
bool egret_redirect_find(uint64_t cookie, struct egret_redirect *redirect);
/* The record of the connection that comes from LOCAL_PORT, once. */
bool egret_redirect_take(uint16_t local_port, struct egret_redirect *redirect);

#endif
