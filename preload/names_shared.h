/* The file by which the processes of one `egret run` tell each other what they looked up: "ADDRESS NAME" lines, appended. */
#ifndef EGRET_NAMES_SHARED_H
#define EGRET_NAMES_SHARED_H

#include "policy/policy.h"

/* Tells the others. Nothing outside a run. */
void egret_names_share(const struct egret_addr *addr, const char *name);

/* Calls EACH for every line that was appended since the last call, oldest first; of a long file only its last MiB is read. The caller's lock. */
void egret_names_read_shared(void (*each)(const struct egret_addr *addr, const char *name));

#endif
