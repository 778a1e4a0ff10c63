/* The private directory of `egret run` (0700, EGRET_RUN), by which its processes tell it and each other what they did.
 *
 * A process that changes its user loses sight of it. So before it does, while it still may, a room DIRECTORY/UID is made that is the new
 * user's alone, with an empty record "events"; `egret run` reads the records of all rooms. A process that changes its root directory keeps
 * the record open. What a program that is started then cannot reach counts as uncovered (on_process.c).
 */
#ifndef EGRET_RECORD_H
#define EGRET_RECORD_H

#include "policy/log.h"

#include <stdbool.h>
#include <sys/types.h>

/* Before the user becomes UID (-1: stays), the root directory another. errno is kept. Not for signal handlers. */
void egret_record_prepare(uid_t uid);

/* Why a program that is started now could not be followed, into WHY: libegret.so or a record is out of its reach. Empty: it can. */
void egret_record_out_of_reach(char *why, size_t size);

/* Does a supervisor hold what the library cannot follow into? */
bool egret_record_is_supervised(void);

/* Opens FILE of the directory, or of this user's room where the directory is out of reach: a descriptor or a negative errno. */
long egret_record_open(const char *file, int flags);

/* Appends LINE, an event of the log as JSON. Nothing outside a run. */
void egret_record_write(const char *line, size_t length);

#endif
