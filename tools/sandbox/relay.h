/* The relay: TLS for programs that the preload layer does not cover.
 *
 * It listens on loopback in the supervisor; only connections that the supervisor itself redirected are served, once each. One thread a
 * connection (256 KiB of stack, untouched pages cost nothing); it ends when both directions have.
 */
#ifndef EGRET_SANDBOX_RELAY_H
#define EGRET_SANDBOX_RELAY_H

#include "redirect.h"
#include "supervisor.h"

#include "preload/wire.h"

/* Opens the listeners and starts the relay's thread; sets relay_port4 and relay_port6. False: no relay. */
bool egret_relay_start(struct egret_supervisor *sup);

/* May the relay keep what ENTRY promises? Not yet the rules of http_allow, http_deny and the server name of `protocol = tls`. */
bool egret_relay_can(const struct egret_entry *entry);

/* Opens the server's side of REDIRECT: dials, shakes hands. Returns its descriptor with WIRE ready, or a negative errno after logging. */
int egret_relay_dial(struct egret_supervisor *sup, const struct egret_redirect *redirect, struct egret_wire *wire);

/* Moves bytes both ways until both have ended; half-close is kept. False: the server's side broke. */
bool egret_relay_pump(int client, struct egret_wire *wire);

#endif
