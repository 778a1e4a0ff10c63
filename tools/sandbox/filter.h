/* The filter: which system calls wait for the supervisor. Built by hand, so that an unrelated call costs nothing but the kernel's
 * own bitmap look-up (the kernel caches "always allowed" per system call number).
 */
#ifndef EGRET_SANDBOX_FILTER_H
#define EGRET_SANDBOX_FILTER_H

#include "sandbox.h"

/* Installs the filter on the calling thread and returns the listener's descriptor (close-on-exec), or a negative errno.
 * no_new_privs must be set. Without pidfd_getfd the supervisor makes the sockets (made.h); without Landlock's scopes it judges signals. */
int egret_filter_install(const struct egret_sandbox_facts *facts);

#endif
