/* A program whose epoll registrations share one `data`: shared_data HOST.
 * A pipe that stays empty and a connection on which tickets come and nothing else: no event. Two pipes, one of which is written to, and no
 * connection's registration beside: "pipes" is said on standard error before and after, of as many events as ROUNDS. */
#include "connection.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 100

static int watch(int set, int fd, unsigned data)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = data };
	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
	struct epoll_event event;
	int empty[2], fed[2], set = epoll_create1(EPOLL_CLOEXEC), fd = argc == 2 ? connection(argv[1]) : -1;
	if (fd < 0 || pipe(empty) || pipe(fed) || watch(set, empty[0], 7) || watch(set, fd, 7))
		return 2;
	printf("%d events\n", epoll_wait(set, &event, 1, 500));
	if (epoll_ctl(set, EPOLL_CTL_DEL, fd, &event) || watch(set, fed[0], 7))
		return 2;
	dprintf(2, "pipes\n");
	for (int i = 0; i < ROUNDS; i++)
		if (write(fed[1], "x", 1) != 1 || epoll_wait(set, &event, 1, -1) != 1 || !(event.events & EPOLLIN))
			return 1;
	dprintf(2, "pipes\n");
	return 0;
}
