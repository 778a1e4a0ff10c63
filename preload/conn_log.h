/* What a connection leaves in the log: a line for each request of an http entry, one when it is closed. */
#ifndef EGRET_CONN_LOG_H
#define EGRET_CONN_LOG_H

#include "conn.h"

/* Gives CONN of an http entry its observer; before the first byte. False: memory is out, the connection must not be used. */
bool egret_conn_observe(struct egret_conn *conn);

/* The last descriptor and reference are gone: what is open is logged, then the bytes both ways. Frees the observer. */
void egret_conn_log_closed(struct egret_conn *conn);

#endif
