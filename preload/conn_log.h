/* What a connection leaves in the log: a line for each request of an http entry, one when it is closed. */
#ifndef EGRET_CONN_LOG_H
#define EGRET_CONN_LOG_H

#include "conn.h"

/* Gives CONN of an http entry its observer; before the first byte. False: memory is out, the connection must not be used. */
bool egret_conn_observe(struct egret_conn *conn);

/* The program was told ERROR (0: none) of CONN: how plain TCP ended whose connect it did not wait for. */
void egret_conn_log_outcome(struct egret_conn *conn, int error);

/* TCP is down, and the program connects anew: the kernel, and the log, tell then how it ended. */
void egret_conn_log_again(struct egret_conn *conn);

/* The last descriptor of CONN, or the process, is about to go: a connection that never was made is logged. */
void egret_conn_log_given_up(struct egret_conn *conn);

/* The last descriptor and reference are gone: what is open is logged, then the bytes both ways. Frees the observer. */
void egret_conn_log_closed(struct egret_conn *conn);

#endif
