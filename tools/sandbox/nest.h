/* A network namespace in which every address is this machine and the resolver answers port 53 of all of them.
 *
 * c-ares and musl drop an answer that does not come from the address they asked; on the machine's own network nobody but that server
 * may answer from it. So a datagram socket that is to ask a name is replaced by one of this namespace. A helper process lives in it
 * (a user namespace may not be entered by a process with threads); it shares the supervisor's descriptors, makes sockets on request and
 * dies with the supervisor. Where namespaces are not permitted there is no nest: answers then come from loopback.
 */
#ifndef EGRET_SANDBOX_NEST_H
#define EGRET_SANDBOX_NEST_H

#include "supervisor.h"

/* Starts the helper, before the supervisor has threads and gives up capabilities. The namespace is made when it is needed: SETTLED is then
 * called, in the thread of whoever needs it, with the two listening sockets (UDP on port 53, IPv4 and IPv6; -1: none). */
void egret_nest_start(const struct egret_supervisor *sup, void (*settled)(const int listeners[2]));

/* Gives the program a socket of the nest as its descriptor NUMBER, with what matters of TARGET's state; TARGET is it afterwards.
 * False: there is no nest, or an epoll set watches the socket, which would go
 * on watching the old one: the caller leads it to loopback instead. */
bool egret_nest_enter(struct egret_call *call, struct egret_target *target, int number);
/* The way back, for a socket of the nest that shall send elsewhere. False: it could not; nothing may be sent. */
bool egret_nest_leave(struct egret_call *call, struct egret_target *target, int number);
bool egret_nest_holds(const struct egret_target *target);

#endif
