/* What a moved connection (relay.h) answers when it is asked about TCP: the program holds one end of a UNIX socket pair, and the names of
 * both ends say which TCP connection they stand for: abstract, "egret/RANDOM/4|6/ADDRESS/PORT". Any covered process that the descriptor
 * reaches reads them; nobody can connect to them.
 */
#ifndef EGRET_MOVED_H
#define EGRET_MOVED_H

#include "policy/addr.h"

#include <stdbool.h>

/* Names END for ADDR and PORT of a socket of DOMAIN. A name that cannot be had is no error: the end then answers as what it is. */
void egret_moved_name(int end, const struct egret_addr *addr, uint16_t port, int domain);

/* Is FD a moved connection? Then SS and LEN are its TCP address, the peer's or its own, and errno is as it was. */
bool egret_moved_address(int fd, bool peer, struct sockaddr_storage *ss, socklen_t *len);

/* After getsockopt(2) and setsockopt(2) at FD gave *RESULT: where that told of a UNIX socket, *RESULT and errno become TCP's answer. */
void egret_moved_getsockopt(int fd, int level, int option, void *value, socklen_t *len, int *result);
void egret_moved_setsockopt(int fd, int level, int option, int *result);
/* Before setsockopt(2): must FD's value stay as it is, since the relay relies on it? */
bool egret_moved_keeps(int fd, int level, int option);

#endif
