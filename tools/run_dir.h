/* The private directory of a run, and those that killed runs left behind.
 *
 * A run holds a lock (flock) on its directory as long as it lives, so that another of the same user can tell a living run from one that was
 * killed. All removing goes by descriptors and follows no link: parts of a directory may belong to other users (record.c makes them).
 */
#ifndef EGRET_RUN_DIR_H
#define EGRET_RUN_DIR_H

#include <limits.h>
#include <stdbool.h>

/* Makes ROOM/egret-run.XXXXXX, 0700, its name in DIR. The lock: a descriptor to keep open, closed on exec; -1 with errno, DIR is "". */
int egret_run_dir_make(const char *room, char dir[PATH_MAX]);

/* Removes DIR and all in it. LOCK is closed. */
void egret_run_dir_remove(const char *dir, int lock);

/* Removes from ROOM what killed runs of this user left: directories that are ours alone, locked by nobody and in no living process's
 * environment. What cannot be known to be left is kept. */
void egret_run_dir_sweep(const char *room);

#endif
