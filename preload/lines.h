/* Lines between the processes that hold one connection after a fork.
 *
 * A fork makes a socket pair for each connection; the parent keeps one end, the child the other, both close-on-exec. The kernel then
 * tells each whether the other still holds the connection (it exits, execs or closes: hang-up), and a process that moves the connection
 * to a relay leaves its descriptor there, where the others find it (SCM_RIGHTS, looked at with MSG_PEEK, so that each finds it).
 *
 * Owner: the connection. Locked by the registry's lock around fork, else by the one who moves, follows or releases. A line that the program
 * closed, or put another descriptor in the place of, counts as hung up.
 */
#ifndef EGRET_LINES_H
#define EGRET_LINES_H

#include <stdbool.h>
#include <stdint.h>

#define EGRET_LINES 8

struct egret_lines {
	struct {
		int fd;
		uint64_t inode;
	} line[EGRET_LINES];
	unsigned count;
	bool unsure;      /* a fork had no line: others may hold the connection for good */
	int fresh[2];     /* between before and after the fork: the parent's end and the child's */
};

void egret_lines_before_fork(struct egret_lines *lines);
void egret_lines_after_fork(struct egret_lines *lines, bool child);

/* Does no other process hold the connection any more? */
bool egret_lines_alone(struct egret_lines *lines);
/* Leaves a copy of END for the others. */
void egret_lines_leave(struct egret_lines *lines, int end);
/* What one of the others left (a new descriptor, close-on-exec), -1: nothing. */
int egret_lines_find(struct egret_lines *lines);
void egret_lines_close(struct egret_lines *lines);

/* Puts FD out of the way of the numbers that a program expects or dup2s onto (close-on-exec). -1: no descriptor is left; FD is closed. */
int egret_fd_aside(int fd);

#endif
