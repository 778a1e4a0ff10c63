/* Memory for what calls on an open connection need, and for all of the engine: pages of our own, never the program's malloc.
 *
 * A signal handler that writes to a socket may have interrupted malloc, or this. So nothing here waits for anything: free blocks of a size
 * are a list whose head is exchanged at once, with a number beside it that no two heads have in common (a block that is taken, used and given
 * back between a look and the exchange is not mistaken). A thread finds what it gave back itself first, which is in its cache still.
 * What was taken once is kept for the next, and is never the kernel's again. Any thread, signal handlers, copies of the process, and who
 * shares the memory with us.
 */
#ifndef EGRET_POOL_H
#define EGRET_POOL_H

#include "engine.h"

/* What is too large for it (1 MiB) is malloc's, and so is what it has no page for where a process may have little; what is none of its own is
 * given back there. */
extern const struct egret_memory egret_pool;

/* From now on the library's buffers come from it. By egret_start alone. */
void egret_pool_begin(void);
/* All of ENGINE's memory does; before ENGINE is first used. */
void egret_pool_serve(const struct egret_engine *engine);

#endif
