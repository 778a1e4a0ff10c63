/* Which descriptors stdio writes to by itself, past the hooks. */
#ifndef EGRET_STREAMS_H
#define EGRET_STREAMS_H

#include <stdbool.h>

/* Does FD belong to an open stream of glibc's that uses the descriptor itself? 0, 1 and 2 always do. */
bool egret_stdio_has(int fd);

#endif
