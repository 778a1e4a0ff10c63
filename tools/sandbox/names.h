/* Which address an allowed name was answered with: what makes an address allowed (design section 4). Bounded; the oldest go.
 *
 * Thread-safe. Filled by the resolver only: the supervisor takes no name from a process.
 */
#ifndef EGRET_SANDBOX_NAMES_H
#define EGRET_SANDBOX_NAMES_H

#include "policy/policy.h"

struct egret_names;

struct egret_names *egret_names_new(void);
#define EGRET_NAMES_FOR_GOOD INT32_MAX

/* NAME (canonical) has ADDR for TTL_MS milliseconds from now. */
void egret_names_add(struct egret_names *names, const char *name, const struct egret_addr *addr, int64_t ttl_ms);
/* Name number I of ADDR, latest first; false when there are no more. */
bool egret_names_get(struct egret_names *names, const struct egret_addr *addr, size_t i, char name[EGRET_NAME_MAX]);

#endif
