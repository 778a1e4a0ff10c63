/* The questions that this process has sent to port 53, and what it may believe of the answers.
 *
 * An answer gives a name to an address (names.h) only when it comes from the server that was asked, over the socket that asked, with the id and
 * the question that were sent, and that server is one of resolv.conf's or one that an entry names. Each question is answered once.
 * 2048 questions are kept, the oldest goes first. Thread-safe, also in signal handlers.
 */
#ifndef EGRET_DNS_ASKED_H
#define EGRET_DNS_ASKED_H

#include "policy/policy.h"

/* Which server, over which socket. SOCKET tells sockets apart, nothing more. */
struct egret_dns_server {
	const void *socket;
	struct egret_addr addr;
	uint16_t port;
};

/* One message that is about to leave for SERVER. TRUSTED: its answer may be believed. FILTER: it must ask for a name that the policy covers.
 * False: refused, logged and said. */
bool egret_dns_ask(const struct egret_dns_server *server, bool trusted, bool filter, const uint8_t *message, size_t size);

/* One message that came from SERVER. */
void egret_dns_hear(const struct egret_dns_server *server, const uint8_t *message, size_t size);

void egret_dns_before_fork(void);
void egret_dns_after_fork(void);

#endif
