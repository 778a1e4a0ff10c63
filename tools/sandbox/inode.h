/* Which socket a descriptor of another process is, by its inode in /proc/PID/fd (proc_pid_fd(5)). Links are read and not followed: a
 * descriptor of a hung file system must not hang the supervisor.
 */
#ifndef EGRET_SANDBOX_INODE_H
#define EGRET_SANDBOX_INODE_H

#include <sys/types.h>

/* Of descriptor NUMBER of thread PID; 0: not a socket; negative errno. */
long egret_inode_of(pid_t pid, int number);
/* The same of the link PATH below DIR. */
long egret_inode_at(int dir, const char *path);

#endif
