#include "patience.h"

#include "real.h"
#include "runtime.h"

#include <limits.h>
#include <sys/time.h>

void egret_patience_begin(struct egret_patience *patience, int fd)
{
	struct timeval tv = { 0 };
	socklen_t size = sizeof tv;
	patience->started_us = egret_now_us();
	patience->limit_ms = -1;
	if (real.getsockopt(fd, SOL_SOCKET, patience->option, &tv, &size) == 0 && (tv.tv_sec || tv.tv_usec))
		patience->limit_ms = tv.tv_sec < INT_MAX / 1000 ? (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000) : INT_MAX;
}

int egret_patience_left(const struct egret_patience *patience)
{
	if (patience->limit_ms < 0)
		return -1;
	int64_t left = patience->limit_ms - (egret_now_us() - patience->started_us) / 1000;
	return left > 0 ? (int)left : 0;
}
