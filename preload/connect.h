/* Making connections: judge, dial, originate. Used by the hooks of connect and of addressed sends, and by whoever drives a connect
 * that does not block.
 */
#ifndef EGRET_CONNECT_H
#define EGRET_CONNECT_H

#include "conn.h"

/* One non-blocking step of a connection that is CONNECTING or HANDSHAKING. 0: OPEN now (or it was); -EAGAIN: still under way,
 * conn->wire.wants says which readiness to wait for (POLLOUT while TCP connects); else a negative errno: FAILED, connect_errno is set, the
 * error was logged. Safe to call from several threads. */
int egret_connect_step(struct egret_conn *conn);

/* Is a connect of another thread at an endpoint of several? What the kernel says of its failure is for that one, which tries the next. */
bool egret_connect_dials_on(const struct egret_conn *conn);

/* The TCP connect of CONN has succeeded. 0 or a negative errno. */
int egret_connect_made(struct egret_conn *conn);

/* Around the program's first bytes, where conn->prompt asks for it. True: they are the first, and SPOKEN must follow, which tells whether they went out. */
bool egret_connect_speaks(struct egret_conn *conn);
void egret_connect_spoken(struct egret_conn *conn, bool went_out);

/* Under step_lock: CONN has failed with ERROR, logged with wire.failure's sentence. It never carries a byte again. */
void egret_connect_fail(struct egret_conn *conn, int error);

/* CONN was not made, for CAUSE: into the log. */
void egret_connect_log_unreached(const struct egret_conn *conn, const char *cause);

/* A read met the end of an OPEN connection that should not be: what wire.failure says is told and logged, once. */
void egret_connect_broke(struct egret_conn *conn);

/* A program's first words to a wrapped socket that asks for them (conn.asks). True: they count as sent. False: they are for the server,
 * when the connection is open, which they may have ended, or begun TLS on. */
bool egret_connect_answered(struct egret_conn *conn, const struct iovec *iov, int count);

/* Frees what a conn that nobody holds any more owns. */
void egret_connect_release(struct egret_conn *conn);

/* Milliseconds until the handshake's deadline, at least 0. */
int egret_connect_time_left(const struct egret_conn *conn);
/* ... and for how many a thread waits at most until it looks again: another one may have ended the handshake, which the kernel tells nobody. No
 * longer than it has gone on, so that it takes twice its time at worst. */
int egret_connect_next_look(const struct egret_conn *conn);

#endif
