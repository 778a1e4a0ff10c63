/* SO_LINGER, by which a program asks for a close that resets, socket(7). */
#ifndef EGRET_LINGER_H
#define EGRET_LINGER_H

#include "conn.h"

/* It was set, of whichever socket: until then none is asked. */
void egret_linger_set(void);
/* Does CONN's close reset? */
bool egret_linger_resets(const struct egret_conn *conn);

#endif
