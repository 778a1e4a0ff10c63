/* One look-up of a host name: judged before a resolver hears of it, remembered when it is answered. Shared by the hooks of the name families. */
#ifndef EGRET_LOOKUP_H
#define EGRET_LOOKUP_H

#include "policy/policy.h"

#include <netdb.h>

struct egret_lookup {
	struct egret_policy *policy; /* referenced; NULL: not judged, let go, or out of memory (then the look-up is denied) */
	struct egret_verdict verdict;
	char name[EGRET_NAME_MAX]; /* canonical */
	bool judged;               /* false: no host name (an address literal, NULL): not ours */
};

/* Judges ASKED for PORT (0: not known); a denial is logged and said. True: go on. End with egret_lookup_end in both cases, and before a resolver is
 * waited for, which a signal handler may leave for good (siglongjmp): of what comes after, all but egret_lookup_remember is over then. */
bool egret_lookup_begin(struct egret_lookup *lookup, const char *asked, uint16_t port);
void egret_lookup_end(struct egret_lookup *lookup);

/* The port in getaddrinfo(3)'s SERVICE, 0 when it is none or has a name. */
uint16_t egret_lookup_port(const char *service);

/* The entry whose `addresses` stand for the name, NULL when the resolver is to be asked. */
const struct egret_entry *egret_lookup_fixed(const struct egret_lookup *lookup, uint16_t port);

/* Does an entry name NAME, or is it internal? Nothing is logged. */
bool egret_lookup_covers(const char *name);

/* May the resolver be asked for the name of ADDR? Under dns = filter of addresses that an entry, `internal` or a look-up of this run covers. */
bool egret_lookup_reverse(const struct egret_addr *addr);

/* Remembers the answers of the resolver under the name that was asked. */
void egret_lookup_remember(const struct egret_lookup *lookup, const struct addrinfo *list);
void egret_lookup_remember_addr(const struct egret_lookup *lookup, int family, const void *addr);

#endif
