/* Which unix sockets are the tree's: what it bound it may reach, whoever listens outside needs an entry. The kernel tells who stands behind
 * a name (sock_diag(7)): nobody is connected to for being asked, but where it does not: in another
 * network namespace, or without its module unix_diag. Thread-safe; no lock is held across a system call.
 */
#ifndef EGRET_SANDBOX_UNIX_SOCKETS_H
#define EGRET_SANDBOX_UNIX_SOCKETS_H

#include "supervisor.h"

struct egret_unix_socket {
	uint64_t cookie; /* of no other socket since the machine started */
	int type;        /* SOCK_STREAM... */
};

/* Where somebody may be bound. */
struct egret_unix_place {
	const struct sockaddr_un *address; /* as the kernel is given it */
	socklen_t len;
	int pinned; /* the path's file; -1: an abstract name */
	int type;   /* of the socket that wants to reach it: SOCK_STREAM... */
};

enum egret_unix_owner { EGRET_UNIX_NOBODY, EGRET_UNIX_TREE, EGRET_UNIX_OUTSIDE };

/* The unix socket with this inode. False: there is none, or the kernel does not tell. */
bool egret_unix_socket_of(unsigned long inode, struct egret_unix_socket *socket);
/* bind: the caller's unix socket is the tree's from now on. */
void egret_unix_bound(const struct egret_call *call);
/* Whose is what can be reached at PLACE? NOBODY: whoever tries is told ECONNREFUSED. */
enum egret_unix_owner egret_unix_owner_of(const struct egret_unix_place *place);

#endif
