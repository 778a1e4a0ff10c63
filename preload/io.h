/* The program's bytes through a governed connection, in the program's terms: blocking or not, time-outs, signals, errno.
 *
 * Each returns what the libc's function would: a count, or -1 with errno set.
 */
#ifndef EGRET_IO_H
#define EGRET_IO_H

#include "conn.h"

ssize_t egret_receive_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags);
ssize_t egret_send_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags);

/* sendmsg(2) on a descriptor that has a conn: encrypted, held until judged, or the kernel's. */
ssize_t egret_io_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags);

/* close_notify behind what is on its way, without waiting. 0, -EAGAIN: again later, -errno. */
int egret_io_finish(struct egret_conn *conn);

/* Brings a connection that is under way to its end, waiting when FD blocks. 0, or a positive errno (EAGAIN: not yet). */
int egret_io_await_open(struct egret_conn *conn, int fd, int flags);
/* Does a call with FLAGS on FD return instead of waiting? */
bool egret_io_is_nonblocking(int fd, int flags);

/* Is there something for the program to read, and how many bytes? Both after the connection has opened. */
bool egret_io_readable(struct egret_conn *conn);
size_t egret_io_available(struct egret_conn *conn);

/* The conn of FD when egret carries its bytes, wrapped or observed (a reference), else NULL: the kernel does. */
struct egret_conn *egret_io_wrapped(int fd);

#endif
