/* What connect.c tells the poll family's side (on_ready.c) of a connection that is under way. */
#ifndef EGRET_READY_H
#define EGRET_READY_H

#include "conn.h"

/* FD's connect was answered with EINPROGRESS: epoll registrations that exist are narrowed to what the handshake waits for. */
void egret_ready_connect_started(int fd, struct egret_conn *conn);
/* It is OPEN or FAILED: registrations become the program's again. */
void egret_ready_connect_ended(struct egret_conn *conn);

#endif
