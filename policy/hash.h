/* uthash as this project uses it: memory that runs out is reported, never fatal in somebody else's process. */
#ifndef EGRET_HASH_H
#define EGRET_HASH_H

#define HASH_NONFATAL_OOM 1
/* HASH_COUNT tells whether an item was added. */
#define uthash_nonfatal_oom(obj) ((void)(obj))
#include <uthash.h>

#endif
