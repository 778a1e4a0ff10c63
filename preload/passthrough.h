/* A program's own TLS on an entry that does not originate: what it writes first is held until its ClientHello has been judged, then
 * the connection is the kernel's again and costs nothing. Reading, polling and waiting are native all the time.
 *
 * State: conn->hello (under conn->step_lock) and conn->passthrough, which says that there is one. After a fork the first process that
 * writes decides for all (conn.h, owner).
 */
#ifndef EGRET_PASSTHROUGH_H
#define EGRET_PASSTHROUGH_H

#include "conn.h"

#include <sys/socket.h>

struct egret_passthrough;

/* CONN's first writes are to be judged. False: memory is out. */
bool egret_passthrough_begin(struct egret_conn *conn);
void egret_passthrough_free(struct egret_passthrough *hello);

/* sendmsg(2) on an unjudged connection: a count or -1 with errno. Bytes of an incomplete ClientHello count as sent and wait here. The reference goes
 * with the call, of which a signal handler may jump out while it waits. */
ssize_t egret_passthrough_send(struct egret_conn **held, int fd, const struct msghdr *message, int flags);
/* The program's side ends, by shutdown or the last close: what is held was no ClientHello. */
void egret_passthrough_end(struct egret_conn *conn, int fd);

/* Must the program's first bytes still be a ClientHello that may pass? Such a connection cannot go where the hooks are not: no relay judges it. */
bool egret_passthrough_is_unjudged(const struct egret_conn *conn);

/* For a wrapped socket that nothing was written to yet: is what the program writes now a ClientHello, TLS within TLS? Then the
 * connection has failed. 0 or a positive errno. */
int egret_passthrough_within_tls(struct egret_conn *conn, const struct iovec *iov, int count);

#endif
