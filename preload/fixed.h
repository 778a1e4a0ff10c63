/* What a look-up answers for a name whose entry has `addresses`: those, in the libc's own forms, and no resolver is asked. */
#ifndef EGRET_FIXED_H
#define EGRET_FIXED_H

#include "policy/policy.h"

#include <netdb.h>

/* As getaddrinfo(3) of NODE: 0 and a list in RES that freeaddrinfo(3) frees, or an EAI_ error. */
int egret_fixed_addrinfo(const struct egret_entry *entry, const char *node, const char *service, const struct addrinfo *hints,
			 struct addrinfo **res);

/* As gethostbyname2_r(3) of NAME: RET lies in BUF of SIZE bytes. 0, with NULL in *RES where ENTRY has no address of FAMILY, or ERANGE. */
int egret_fixed_hostent(const struct egret_entry *entry, const char *name, int family, struct hostent *ret, char *buf, size_t size,
			struct hostent **res, int *h_err);

#endif
