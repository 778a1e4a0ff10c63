/* The log as the supervisor writes it. The command may be the log's owner: its directory is held by a descriptor, so that a rename or a
 * symlink leads no line elsewhere; what the command does to the file itself is told on stderr, once. As root the tree has it read-only.
 *
 * One log a supervisor; thread-safe after egret_record_open.
 */
#ifndef EGRET_SANDBOX_RECORD_H
#define EGRET_SANDBOX_RECORD_H

#include "policy/log.h"

/* Before the command is made. LOG: NULL, "stderr" or a path, borrowed for good. A file is created where there is none. */
void egret_record_open(const char *log);
/* The file's path; NULL: it is none, or cannot be held. */
const char *egret_record_file(void);
/* Descriptors that must stay open; -1: none. */
void egret_record_descriptors(int fds[2]);

void egret_record_write(enum egret_log_format format, const struct egret_event *event);
/* When the command has ended: is what was written still there? */
void egret_record_end(void);

#endif
