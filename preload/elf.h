/* Would a program started from this file carry libegret.so? Read from the file alone (elf(5), execve(2), ld.so(8)).
 *
 * Shared by `egret run`, which refuses what is not covered, and the exec hooks, which log it. Raw system calls only; no state.
 */
#ifndef EGRET_ELF_H
#define EGRET_ELF_H

#include <stddef.h>

enum egret_cover {
	EGRET_UNCOVERED = 0, /* static, setuid, other libc, other width, not readable: WHY says which */
	EGRET_COVERED,
	EGRET_NO_PROGRAM     /* no such file, a directory, not executable: the exec itself will fail; errno as stat and access leave it */
};

/* Follows #! lines as the kernel does; a text file without one is what execvp makes of it, a script of /bin/sh. WHY gets the rest
 * of a sentence ("is statically linked"), of SIZE bytes at most, when the answer is EGRET_UNCOVERED. */
enum egret_cover egret_elf_cover(const char *path, char *why, size_t size);

#endif
