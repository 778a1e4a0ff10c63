/* Changing a policy file as a whole: readers see the old text or the new one, never a part; two at once take turns. */
#ifndef EGRET_REPLACE_H
#define EGRET_REPLACE_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The new text (malloc'ed) for TEXT, or NULL after adding to ERR. */
typedef char *egret_replace_edit(const char *file, const char *text, size_t len, void *data, struct egret_err *err);

/* Reads PATH (a link is followed and stays), edits, checks that the result loads, and puts it in place: a file beside it,
 * fsync, rename. Mode and owner stay. CREATE: one that does not exist counts as empty. False after printing; PATH is then as it was. */
bool egret_replace(const char *path, bool create, egret_replace_edit *edit, void *data);

#endif
