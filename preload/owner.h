/* Words that both sides of a fork see, one for each connection: which process owns its TLS state (conn.h).
 *
 * All under the registry's lock.
 */
#ifndef EGRET_OWNER_H
#define EGRET_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>

/* NULL: memory is out. */
_Atomic long *egret_owner_new(void);
void egret_owner_free(_Atomic long *word);
/* After a fork: which words may serve new conns from now on: in the parent those that are free, in the child none of these. */
void egret_owner_divide(bool child);

#endif
