/* Descriptors that were copied before their socket was connected: what is written to any of them is the connection's. */
#ifndef EGRET_COPIES_H
#define EGRET_COPIES_H

#include "conn.h"

/* socket(2) has given FD, which nobody else has. */
void egret_copies_made_alone(int fd);
/* From now on some children may run in this process's memory, with descriptors of their own: theirs say nothing of ours. */
void egret_copies_memory_is_shared(void);
/* FD is something else from now on, or has been copied. */
void egret_copies_unsure(int fd);
/* FD is about to be connected: it and every other descriptor of this process that is the same socket mean CONN from now on. 0 or -ENOMEM. */
int egret_copies_set(int fd, struct egret_conn *conn);

#endif
