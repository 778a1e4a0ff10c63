/* Does a thread of this process sleep in the kernel? */
#ifndef ASLEEP_H
#define ASLEEP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline bool is_asleep(int id)
{
	char path[64], text[256];
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *state = strrchr(text, ')');
	return state && state[1] && state[2] == 'S';
}

#endif
