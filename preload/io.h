/* The program's bytes through a governed connection, in the program's terms: blocking or not, time-outs, signals, errno.
 *
 * Each returns what the libc's function would: a count, or -1 with errno set.
 */
#ifndef EGRET_IO_H
#define EGRET_IO_H

#include "conn.h"
#include "patience.h"

#define EGRET_IO_MOST 0x7ffff000u /* bytes that one system call transfers at most, read(2) */

/* CONN's reference goes with the call, which may have to give it up while it waits: the caller has none afterwards. FLAGS as recv(2) and send(2)
 * take them. Of no bytes: waits like recv, read's callers answer 0 before. */
ssize_t egret_receive_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags);
ssize_t egret_send_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags);

/* sendmsg(2) on a descriptor that has a conn: encrypted, held until judged, or the kernel's. CONN's reference goes, too. */
ssize_t egret_io_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags);

/* close_notify behind what is on its way, without waiting. 0, -EAGAIN: again later, -errno. */
int egret_io_finish(struct egret_conn *conn);

/* Brings a connection that is under way to its end, waiting when FD blocks. 0, or a positive errno (EAGAIN: not yet; waits.h's). */
int egret_io_await_open(struct egret_conn **held, int fd, int flags);
/* What the kernel made of the program's SO_RCVLOWAT is ours to keep: its own would hide the byte that is held back (wire.h). */
void egret_io_take_over_lowat(struct egret_conn *conn, int fd);
#define EGRET_IO_PIECES 16 /* iovecs handled in one round after the first */

/* IOV without its first SKIP bytes, into OUT (EGRET_IO_PIECES places; what does not fit waits for the next round). Returns how many. */
int egret_io_advance(const struct iovec *iov, int count, size_t skip, struct iovec *out);
/* Waits until the send buffer takes more, within what PATIENCE (SO_SNDTIMEO) leaves. 0, or a positive errno: EAGAIN also where the call does not
 * wait; waits.h's. CANCELS: its thread may be cancelled there. */
int egret_io_wait_for_room(struct egret_conn **held, int fd, int flags, struct egret_patience *patience, bool cancels);
/* No bytes at all? readv and writev then do nothing, where recv, send and write of nothing ask the connection. */
bool egret_io_is_nothing(const struct iovec *iov, int count);
/* Would every handler that may interrupt this thread restart the call it interrupts (SA_RESTART)? */
bool egret_io_signals_restart(void);
/* Does a call with FLAGS on FD return instead of waiting? */
bool egret_io_is_nonblocking(int fd, int flags);

/* What poll(2) says of reading (wire.h), and how many bytes? Both after the connection has opened. */
short egret_io_readable(struct egret_conn *conn);
size_t egret_io_available(struct egret_conn *conn);

/* The conn of FD when egret carries its bytes, wrapped or observed (a reference), else NULL: the kernel does. */
struct egret_conn *egret_io_wrapped(int fd);

#endif
