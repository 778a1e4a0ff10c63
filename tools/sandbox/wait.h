/* Waiting on behalf of a program: no longer than it would, and never past a signal that it would act on. */
#ifndef EGRET_SANDBOX_WAIT_H
#define EGRET_SANDBOX_WAIT_H

#include "errand.h"
#include "supervisor.h"

/* connect(2) on the duplicate as the program asked for it, blocking or not. 0 or a negative errno. */
int egret_wait_connect(struct egret_call *call, struct egret_target *target, const struct sockaddr_storage *ss, socklen_t len);
/* Waits for the relay's outcome. 0 or the negative errno of the connect. */
int egret_wait_errand(struct egret_call *call, struct egret_target *target, struct egret_errand *errand);
/* Waits until the duplicate can be written. 0: try again, else the negative errno for the program. STARTED_MS: when the call began. */
int egret_wait_writable(struct egret_call *call, struct egret_target *target, int64_t started_ms);
int64_t egret_wait_now_ms(void);
/* Frees what the calling thread waited with. */
void egret_wait_end(void);

#endif
