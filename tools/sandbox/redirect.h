/* Connections that lead elsewhere than the program asked for: known by socket cookie, so that getpeername answers what was asked.
 *
 * Thread-safe, bounded: the oldest go.
 */
#ifndef EGRET_SANDBOX_REDIRECT_H
#define EGRET_SANDBOX_REDIRECT_H

#include "policy/policy.h"

struct egret_redirect {
	uint64_t cookie; /* SO_COOKIE: unique while the machine runs */
	struct egret_addr asked;
	uint16_t port;
};

uint64_t egret_redirect_cookie(int fd);
void egret_redirect_add(const struct egret_redirect *redirect);
/* What was asked on the socket with COOKIE; false: not redirected. */
bool egret_redirect_find(uint64_t cookie, struct egret_redirect *redirect);

#endif
