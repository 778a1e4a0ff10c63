/* Session tickets that nobody has read, at the end of a process: the kernel answers the close of a connection that has some with a reset, which
 * eats what was sent and is not delivered yet. A program that reads meets them as it reads; one that only writes does not.
 *
 * Reading them changes nothing that the program can see: data behind them stays to be read, and then the kernel's reset is what TCP would give.
 * For callers that cannot wait (abort): a lock that is not free within moments is left alone, its holder reads or the process is in trouble.
 */
#ifndef EGRET_TICKETS_H
#define EGRET_TICKETS_H

#include "conn.h"

/* What CONN's kernel queue holds in front of the first data. FD: one of its descriptors. */
void egret_tickets_read(struct egret_conn *conn, int fd);
/* The same of every connection that is this process's to end. */
void egret_tickets_read_all(void);

#endif
