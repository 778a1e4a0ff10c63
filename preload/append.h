/* Files that lines are appended to: the log, and the run's record.
 *
 * A file is opened for a line and closed again, so that rotation works and no descriptor of ours lies about in somebody else's process.
 * Only where many lines come within a millisecond of each other does one descriptor stay open for the next: far from the numbers that programs
 * meet by accident, close-on-exec, looked at again every millisecond (is it still the file, does the path still lead there?), and given up
 * when the program closes or takes its number, or changes its user or root directory. A line is always in the file when the call
 * returns: one write with O_APPEND.
 *
 * Callable from signal handlers: nobody waits here; whoever finds the descriptor in use opens the file for itself.
 */
#ifndef EGRET_APPEND_H
#define EGRET_APPEND_H

#include <stddef.h>

enum egret_append { EGRET_APPEND_LOG, EGRET_APPEND_RECORD, EGRET_APPEND_FILES };

/* FLAGS: of open(2), beside those above. 0, or a negative errno. */
int egret_append(enum egret_append file, const char *path, int flags, const void *line, size_t length);

/* The program closes the numbers from FIRST to LAST, or takes them for something else. Two loads. */
void egret_append_lost(int first, int last);
/* Nothing stays open: before this process changes its user or root directory. */
void egret_append_drop(void);
/* The same, in a copy of a process. */
void egret_append_after_fork(void);

#endif
