/* Are we inside the library already? Hooks that meet themselves (dlsym that mallocs, a program's malloc that writes, OpenSSL) go
 * straight to the kernel. Thread-local, initial-exec: usable in signal handlers and before constructors.
 */
#ifndef EGRET_GUARD_H
#define EGRET_GUARD_H

#include <stdbool.h>

extern __thread __attribute__((tls_model("initial-exec"))) unsigned egret_guard_depth;

static inline bool egret_guard_inside(void) { return egret_guard_depth != 0; }
static inline void egret_guard_enter(void) { egret_guard_depth++; }
static inline void egret_guard_leave(void) { egret_guard_depth--; }

#endif
