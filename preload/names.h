/* Which name was asked for an address (design section 4): this thread's latest, then the process's, then the run's.
 *
 * Bounded: 4096 addresses, the least recently remembered or found goes first; 4 names an address. The memory is the library's own, mapped at the first
 * look-up. Under `egret run` each new pair is appended to a file in the run's private directory and read from there by the other processes
 * of the tree. All functions are thread-safe and may be called from signal handlers; a fork's child has what its parent knew.
 */
#ifndef EGRET_NAMES_H
#define EGRET_NAMES_H

#include "policy/policy.h"

/* NAME is canonical. When memory is out nothing is remembered: what is not known is judged by its address. */
void egret_names_remember(const struct egret_addr *addr, const char *name);

/* The name of ADDR into NAME; false when none is known. OTHERS (may be NULL) receives the other names it has, comma separated. */
bool egret_names_find(const struct egret_addr *addr, char name[EGRET_NAME_MAX], char *others, size_t others_size);

void egret_names_before_fork(void);
void egret_names_after_fork(void);

#endif
