/* Changing a policy's text for `egret allow` and `egret delete`: text in, text out; comments, order and everything else kept.
 *
 * Pure: no file is touched. The results are malloc'ed, NUL-terminated and the caller's to free; NULL after adding an error.
 * FILE is only the name for messages. The caller loads the result (egret_policy_parse) before it replaces anything.
 */
#ifndef EGRET_EDIT_H
#define EGRET_EDIT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct egret_grant {
	const char *name;     /* of the entry to make or extend; NULL: the host, or host-port when that name is taken */
	const char *host;     /* as `hosts` takes it */
	uint16_t port;        /* 0: none (protocol unix) */
	const char *protocol; /* as the key takes it; NULL: tcp */
	bool originate;       /* tls = originate */
};

/* Adds GRANT: to the entry of that name when this opens nothing else (its one host gets a port, or its ports a host), else as a
 * new entry at the end. The text comes back unchanged when it has the grant already. */
char *egret_edit_allow(const char *file, const char *text, size_t len, const struct egret_grant *grant, struct egret_err *err);

/* Removes the entry NAME, from its title to its last key; comments behind that stay. */
char *egret_edit_delete(const char *file, const char *text, size_t len, const char *name, struct egret_err *err);

#endif
