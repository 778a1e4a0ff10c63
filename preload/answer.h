/* An answer that is given in the process, made known to all who wait for the connection.
 *
 * The kernel's queue has nothing to read then. Who asks later is told by the hooks. Threads that wait in epoll already are woken by way of
 * their registrations, which wait for "writable" too meanwhile. Others cannot be woken: threads in poll or recv, processes that hold the
 * connection as well, whoever asked for a signal. Where there are any the answer has to end the connection (observed.h).
 */
#ifndef EGRET_ANSWER_H
#define EGRET_ANSWER_H

#include "conn.h"

/* This thread's number, asked of the kernel once; a copy of the process asks again. */
int egret_own_thread(void);

/* For egret_http_setup; DATA is the connection. */
bool egret_answer_can_tell(void *data);
bool egret_answer_tell(void *data, bool due);

/* Is what the program reads next of CONN here, whatever the kernel says? */
bool egret_answer_due(const struct egret_conn *conn);
/* Around a wait for CONN's readability in the kernel. False: there is something to read; do not wait. Followed by the other, unless the thread is
 * cancelled in its wait, or a signal handler jumps out of it. */
bool egret_answer_wait(struct egret_conn *conn);
void egret_answer_waited(struct egret_conn *conn);

#endif
