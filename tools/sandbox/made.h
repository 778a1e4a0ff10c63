/* Sockets that the supervisor makes, for machines on which pidfd_getfd is withheld (Docker's default profile).
 *
 * There no descriptor can be taken from a process, so socket() notifies: the supervisor makes the socket, gives it to the program and
 * keeps a duplicate, on which it acts later. It knows the program's descriptor by the inode that /proc/PID/fd tells, so that dup, fork,
 * exec and SCM_RIGHTS need no attention. A duplicate is closed when no process holds the socket any longer, which a thread looks for:
 * the end of a connection leaves the machine up to EGRET_MADE_LOOK_MS later than it would.
 *
 * Sockets that the kernel makes (accept, socketpair) are not held. They are connected already; what can lead elsewhere, sendmsg, is the
 * kernel's only while neither the descriptor can be another's in between (no second thread; the filter refuses descriptor tables that
 * processes share) nor the message's address can matter (a stream). Thread-safe; no lock is held while anything blocks.
 */
#ifndef EGRET_SANDBOX_MADE_H
#define EGRET_SANDBOX_MADE_H

#include "supervisor.h"

#define EGRET_MADE_LOOK_MS 20

/* Starts the thread that looks for holders. */
bool egret_made_start(void);
/* socket(): makes it and puts it into the caller's table. Its number there, or a negative errno. */
int64_t egret_made_socket(struct egret_call *call);
/* A duplicate of the caller's descriptor NUMBER, or a negative errno; -ENOENT: a socket that is not held. */
int egret_made_dup(const struct egret_call *call, int number);
/* The socket listens from now on: it is the program's alone, and its port is free when the program closes it. */
int64_t egret_made_listen(struct egret_call *call);
/* Before a bind: a port of a socket that was closed a moment ago must be free. */
void egret_made_free_ports(struct egret_call *call);
bool egret_made_is_held(unsigned long inode);

/* ---- made_pass.c ---- */

/* May the kernel do this sendmsg, sendmmsg or getpeername on a socket that is not held? Marks the call. */
bool egret_made_passes(struct egret_call *call);
/* A datagram socket is forgotten, perhaps while it is on its way between processes. */
void egret_made_never_pass(unsigned long inode);
/* Call once, before the others. */
bool egret_made_pass_start(void);

/* ---- made_look.c: who holds a socket ---- */

struct egret_holder {
	unsigned long inode;
	pid_t pid;  /* a thread whose descriptor table has it */
	int number; /* there */
	bool found;
};
/* Looks each of COUNT sockets, sorted by inode, up where it was last and, if it has gone from there, everywhere. */
void egret_made_look(struct egret_holder *holders, size_t count);

#endif
