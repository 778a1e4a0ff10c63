/* sendmsg on a socket whose bytes nobody here changes. */
#ifndef EGRET_SEND_PLAIN_H
#define EGRET_SEND_PLAIN_H

#include <sys/socket.h>
#include <sys/types.h>

/* Below a supervisor (egret run --sandbox) each sendmsg waits for it, since its filter cannot see whether an address is in it. What is said
 * on a stream without address and ancillary data goes by calls of the same meaning that need no judge: send, and writev
 * where several buffers and no flags are given. Elsewhere sendmsg itself. */
ssize_t egret_send_plain_message(int fd, const struct msghdr *message, int flags);

#endif
