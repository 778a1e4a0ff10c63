/* posix_spawn's file actions run inside the libc, past the hooks: what they would hand over is moved to a relay before. */
#ifndef EGRET_SPAWN_ACTIONS_H
#define EGRET_SPAWN_ACTIONS_H

#include <spawn.h>

struct egret_withheld;

/* Bequeaths (relay.h) every connection that a child with ACTIONS (may be NULL) would hold after its exec; to be taken back when it has started.
 * 0, or EPERM: ACTIONS hand over one whose ClientHello is still to be judged. */
int egret_spawn_hand_over(const posix_spawn_file_actions_t *actions, struct egret_withheld *withheld);

#endif
