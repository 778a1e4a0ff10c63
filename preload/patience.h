/* When a call that waits began, and what SO_RCVTIMEO or SO_SNDTIMEO leaves it; looked up at the first wait. */
#ifndef EGRET_PATIENCE_H
#define EGRET_PATIENCE_H

#include <stdint.h>

struct egret_patience {
	int option;         /* SO_RCVTIMEO or SO_SNDTIMEO */
	int64_t started_us; /* 0: no wait yet */
	int limit_ms;       /* -1: none */
};

void egret_patience_begin(struct egret_patience *patience, int fd);
/* Milliseconds that are left, -1: no limit. */
int egret_patience_left(const struct egret_patience *patience);

#endif
