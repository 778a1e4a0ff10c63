/* Room for lines and paths that a caller's stack may not have: threads get by on 16 KiB, coroutines and signal handlers on less.
 *
 * Callable from signal handlers and in children of vfork: nobody waits here. A few rooms are there from the start; who finds them taken, also by
 * threads that a copy of the process left behind, gets pages of its own.
 */
#ifndef EGRET_SCRATCH_H
#define EGRET_SCRATCH_H

#define EGRET_SCRATCH (24 * 1024) /* bytes of one room */

/* NULL: no memory. */
void *egret_scratch_take(void);
void egret_scratch_give(void *room);

#endif
