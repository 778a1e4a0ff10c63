/* The tree's resolver: DNS (RFC 1035) over UDP and TCP, on loopback, for names that the policy covers.
 *
 * Port 53 of every server leads here. Only A, AAAA, CNAME, HTTPS (without ECH), SRV and PTR of known addresses are asked and
 * answered; the question is rebuilt, the answer too. What was answered is remembered (names.h) and is what makes an address allowed.
 */
#ifndef EGRET_SANDBOX_RESOLVER_H
#define EGRET_SANDBOX_RESOLVER_H

#include "supervisor.h"

/* Reads resolv.conf, opens the sockets. Before the command is started. False: no resolver, port 53 is judged as any other. */
bool egret_resolver_open(struct egret_supervisor *sup);
/* Starts its first thread, others as they are needed: in the supervisor, after the fork. */
void egret_resolver_start(void);
/* Does port 53 of ADDR lead to the resolver? */
bool egret_resolver_takes(const struct egret_supervisor *sup, const struct egret_addr *addr);
/* The resolver's address on loopback for a socket of DOMAIN; 0: none. */
socklen_t egret_resolver_address(const struct egret_supervisor *sup, int domain, int v6only, struct sockaddr_storage *ss);

#endif
