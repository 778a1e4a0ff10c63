/* long_waits HOST: waits for a server's echo with the longest time-outs there are, and with such as there are none. Prints "right". */
#include "connection.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 50

static int fd, set;

static int wait_by(int way, struct timespec timeout)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	struct timeval tv = { timeout.tv_sec, timeout.tv_nsec / 1000 };
	struct epoll_event event;
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(fd, &fds);
	switch (way) {
	case 0: return ppoll(&one, 1, &timeout, NULL);
	case 1: return pselect(fd + 1, &fds, NULL, NULL, &timeout, NULL);
	case 2: return select(fd + 1, &fds, NULL, NULL, &tv);
	default: return epoll_pwait2(set, &event, 1, &timeout, NULL);
	}
}

int main(int argc, char **argv)
{
	const struct timespec longest = { LONG_MAX, 0 }, before = { -1, 0 };
	char byte = 'x';
	if (argc != 2 || (fd = connection(argv[1])) < 0)
		return 2;
	struct epoll_event event = { .events = EPOLLIN };
	set = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	for (int round = 0; round < ROUNDS; round++)
		for (int way = 0; way < 4; way++) {
			errno = 0;
			if (wait_by(way, before) != -1 || errno != EINVAL) {
				printf("way %d takes a time-out of less than nothing\n", way);
				return 1;
			}
			if (write(fd, &byte, 1) != 1 || wait_by(way, longest) != 1 || read(fd, &byte, 1) != 1) {
				printf("way %d does not wait\n", way);
				return 1;
			}
		}
	puts("right");
	return 0;
}
