/* Handshakes under way and epoll: which registrations a descriptor has, and what they wait for meanwhile (on_epoll.c).
 *
 * Registrations of every descriptor are noted as the program makes them (two a descriptor), also before it connects.
 */
#ifndef EGRET_READY_H
#define EGRET_READY_H

#include "conn.h"

/* FD's connect is under way: its registrations are narrowed to what the handshake waits for. Again after each step. */
void egret_ready_connect_started(int fd, struct egret_conn *conn);
/* It is OPEN or FAILED: registrations are the program's again. */
void egret_ready_connect_ended(struct egret_conn *conn);
/* FD became readable by what egret itself put there: those who wait for edges are told. */
void egret_ready_again(int fd);
/* FD was closed: the kernel has dropped its registrations. */
void egret_ready_forget(int fd);
/* dup3(WITH, FD, FLAGS), and FD's registrations are those of the new one. */
int egret_ready_replace(int fd, int with, int flags);
/* Might FD have registrations? One load; true for its neighbours too. */
bool egret_ready_knows(int fd);

/* Around fork: the child finds the registrations unlocked. */
void egret_ready_before_fork(void);
void egret_ready_after_fork(bool child);

#endif
