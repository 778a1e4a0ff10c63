/* A file of /proc, line by line, without the libc's memory, streams and locale: within hooks, and in processes that share ours. */
#ifndef EGRET_PROC_LINES_H
#define EGRET_PROC_LINES_H

#include <stddef.h>

/* SEE(line, WITH) is given each whole line of PATH, without its newline, in TEXT, which is SIZE bytes long: a longer line is the end. What cannot
 * be read has no lines. */
void egret_proc_lines(const char *path, char *text, size_t size, void (*see)(const char *line, void *with), void *with);
/* The number of hexadecimal digits at TEXT; returns what follows it. */
const char *egret_proc_hex(const char *text, unsigned long *number);

#endif
