/* What the command's process does to itself before it runs the command, and the supervisor to itself. All of it is inherited and cannot be
 * undone. */
#ifndef EGRET_SANDBOX_CONFINE_H
#define EGRET_SANDBOX_CONFINE_H

#include "sandbox.h"

/* As root: capabilities that would open another way out are dropped, also from the bounding set. */
int egret_confine_capabilities(void);
/* In the supervisor, as root, before it has threads: what it does for the tree it does not do with more power than it needs. */
int egret_confine_supervisor(void);
/* no_new_privs, and the Landlock scopes where the kernel has them (LANDLOCK: its ABI): signals, ptrace and abstract unix sockets
 * end at the tree. 0 or a negative errno. */
int egret_confine_process(int landlock);
/* As root: /proc/sys and /sys become read-only for the tree, in a mount namespace of its own: a core_pattern or a modprobe path is a
 * program that the kernel starts outside. So does the LOG (NULL: none). Containers have the former so already; where namespaces are withheld
 * nothing changes. */
void egret_confine_machine(const char *log);
/* Closes every descriptor above 2 that is a socket or a ring of io_uring: what was inherited is a way out that no filter sees. */
void egret_confine_descriptors(void);

#endif
