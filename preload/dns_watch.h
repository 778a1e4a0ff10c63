/* A socket of the program that talks to port 53: its questions are judged before they leave, its answers are read when the program reads them.
 *
 * Owned by its conn, which is neither wrapped nor passthrough. Datagrams are one message each; a stream's are length-prefixed (RFC 7766), and
 * what is not yet a whole message is held back, so that no part of a name leaves before it is judged.
 * All return what the libc's function would. Thread-safe.
 */
#ifndef EGRET_DNS_WATCH_H
#define EGRET_DNS_WATCH_H

#include "conn.h"
#include "judge.h"

#include <sys/socket.h>

#define EGRET_DNS_PORT 53

/* Does JUDGED, which is allowed, ask for a server of names? */
bool egret_dns_concerns(const struct egret_judged *judged);

/* A conn for FD, about to be connected or used as JUDGED says, with a watch; its slot is set. One reference is the caller's. NULL: no memory. */
struct egret_conn *egret_dns_watch(int fd, const struct egret_judged *judged);
void egret_dns_unwatch(struct egret_dns_watch *watch);
/* In a copy of the process: was no thread inside when it was made? The lock is free now. WATCH may be NULL. */
bool egret_dns_was_at_rest(struct egret_dns_watch *watch);

ssize_t egret_dns_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags);
/* CONN's reference goes with the call. */
ssize_t egret_dns_receive(struct egret_conn *conn, int fd, struct msghdr *message, int flags);

/* The conn of FD when it is a watched one (a reference), else NULL. */
struct egret_conn *egret_dns_watched(int fd);

#endif
