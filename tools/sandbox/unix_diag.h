/* The kernel's list of unix sockets, by netlink (sock_diag(7)). */
#ifndef EGRET_SANDBOX_UNIX_DIAG_H
#define EGRET_SANDBOX_UNIX_DIAG_H

#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdint.h>

/* One socket; SIZE: bytes at ITEM, its attributes included. */
typedef void egret_unix_seen(const struct unix_diag_msg *item, uint32_t size, void *data);

/* Tells SEEN of each socket of this network namespace in one of STATES (1 << TCP_LISTEN...), with what SHOW asks for (UDIAG_SHOW_NAME...).
 * False: the kernel did not tell all, or cannot. */
bool egret_unix_each(uint32_t states, uint32_t show, egret_unix_seen *seen, void *data);
/* Tells SEEN of the socket with this inode. False: there is none. */
bool egret_unix_one(uint32_t inode, egret_unix_seen *seen, void *data);

static inline uint64_t egret_unix_cookie(const struct unix_diag_msg *item)
{
	return (uint64_t)item->udiag_cookie[1] << 32 | item->udiag_cookie[0];
}

#endif
