/* A changed policy reaches the supervisor only where nothing in the tree could have changed it. */
#ifndef EGRET_SANDBOX_RELOAD_H
#define EGRET_SANDBOX_RELOAD_H

#include "supervisor.h"

/* Can the command, which runs as we do, write PATH, replace it, or give itself the right to? Root can write everything. */
bool egret_tree_can_write(const char *path);
/* Looks at the policy once a second from now on, unless the command could write a file of it. PATH: the policy's, absolute. */
void egret_reload_start(struct egret_supervisor *sup, const char *path);

#endif
