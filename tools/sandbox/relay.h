/* The relay: TLS for programs that the preload layer does not cover, and the observers' place for what they say.
 *
 * It listens on loopback in the supervisor; only connections that the supervisor itself redirected are served, once each (errand.h). One
 * thread a connection (256 KiB of stack, untouched pages cost nothing); it ends when both directions have (link.h).
 */
#ifndef EGRET_SANDBOX_RELAY_H
#define EGRET_SANDBOX_RELAY_H

#include "supervisor.h"

/* Opens the listeners and starts the relay's thread; sets relay_port4 and relay_port6. False: no relay. */
bool egret_relay_start(struct egret_supervisor *sup);

/* Waits, MOST_MS at most, until no connection is served: what the command's last one did belongs into its report. */
void egret_relay_finish(int most_ms);

#endif
