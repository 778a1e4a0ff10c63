/* The filter: which system calls wait for the supervisor. Built by hand, so that an unrelated call costs nothing but the kernel's
 * own bitmap look-up (the kernel caches "always allowed" per system call number).
 */
#ifndef EGRET_SANDBOX_FILTER_H
#define EGRET_SANDBOX_FILTER_H

#include <stdbool.h>

/* Installs the filter on the calling thread and returns the listener's descriptor (close-on-exec), or a negative errno.
 * no_new_privs must be set. KILLABLE: use WAIT_KILLABLE_RECV. MAKES_SOCKETS: see made.h. */
int egret_filter_install(bool killable, bool makes_sockets);

#endif
