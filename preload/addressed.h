/* Sends that name where they go: datagrams, of which each is judged, and fast opens, which are connections. */
#ifndef EGRET_ADDRESSED_H
#define EGRET_ADDRESSED_H

#include "judge.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What is judged must be what the kernel reads, although another thread may write there meanwhile: ADDR's copy in SS, or ADDR itself where the
 * kernel refuses it by its length. */
const struct sockaddr *egret_addressed_copy(struct sockaddr_storage *ss, const struct sockaddr *addr, socklen_t len);

/* sendmsg(2) with a msg_name on a descriptor without a conn. */
ssize_t egret_addressed_send(int fd, const struct msghdr *message, int flags);

/* egret_judge for the address that a datagram names; denies what an entry would send elsewhere, logs each destination once. */
void egret_addressed_judge(struct egret_judged *judged, int fd, const struct msghdr *message);

/* Does its ancillary data choose another way for the packet (IP options, routing headers)? Then it would not go where it was judged to go. */
bool egret_addressed_strays(const struct msghdr *message);
/* The same of a socket option that is set. */
bool egret_addressed_option_strays(int level, int option, socklen_t len);

#endif
