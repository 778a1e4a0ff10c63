/* What becomes of a socket's descriptors when egret carries its connection, and when there is none after all. */
#ifndef EGRET_CARRY_H
#define EGRET_CARRY_H

#include "conn.h"

/* FD, which is about to be connected, and its copies mean CONN, and do not outlive an exec. 0 or -ENOMEM. */
int egret_carry(int fd, struct egret_conn *conn);
/* There is no connection: every descriptor of the socket is as it was, the program may try again. */
void egret_carry_no_more(struct egret_conn *conn, int fd);
/* The program was told that its connect has failed: TCP makes the socket one that was never connected, whatever came of it on the way. */
void egret_carry_dissolve_failed(struct egret_conn *conn, int fd);
/* stdio writes to 0, 1 and 2 without asking anybody, in a program that closed them as well: one of these that is FD's connection's is moved to a
 * relay, which waits for the handshake, or there is none. The errno of connect, CODE so far. */
int egret_carry_off_stdio(int fd, int code);

#endif
