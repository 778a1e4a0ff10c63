/* What the command's process does to itself before it runs the command. All of it is inherited and cannot be undone. */
#ifndef EGRET_SANDBOX_CONFINE_H
#define EGRET_SANDBOX_CONFINE_H

#include "sandbox.h"

/* As root: capabilities that would open another way out are dropped, also from the bounding set. */
int egret_confine_capabilities(void);
/* no_new_privs, and the Landlock scopes where the kernel has them (LANDLOCK: its ABI): signals, ptrace and abstract unix sockets
 * end at the tree. 0 or a negative errno. */
int egret_confine_process(int landlock);
/* Closes every descriptor above 2 that is a socket: an inherited connection is a way out that no filter sees. */
void egret_confine_descriptors(void);

#endif
