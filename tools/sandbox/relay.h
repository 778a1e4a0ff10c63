/* The relay: TLS, SNI and HTTP rules for programs that the preload layer does not cover.
 *
 * It listens on loopback in the supervisor; only connections that the supervisor itself redirected are served, once each.
 */
#ifndef EGRET_SANDBOX_RELAY_H
#define EGRET_SANDBOX_RELAY_H

#include "supervisor.h"

/* Opens the listeners and starts the relay's thread; sets relay_port4 and relay_port6. False: no relay. */
bool egret_relay_start(struct egret_supervisor *sup);

#endif
