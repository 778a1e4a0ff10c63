/* Handshakes under way for programs that do not wait in connect: which, and when the first gives up. One lock, held with the guard, inside no
 * other. */
#ifndef EGRET_PENDING_H
#define EGRET_PENDING_H

#include "conn.h"

/* CONN is one, with a reference; again and again. */
void egret_pending_add(struct egret_conn *conn);
/* It is none any more. True: it was, and its reference is the caller's. */
bool egret_pending_remove(struct egret_conn *conn);

/* Handshakes whose time is over fail now. Returns milliseconds until the next one would, -1: none is under way. */
int egret_pending_expire(void);

/* Around fork, before and behind every other lock. */
void egret_pending_before_fork(void);
void egret_pending_after_fork(void);

#endif
