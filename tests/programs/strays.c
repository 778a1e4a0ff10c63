/* A program that closes the number by which it registered a pipe, and has the pipe by another: strays HOST. Its registrations and a
 * connection's have the same `data`. The kernel keeps what was registered while the file lives, epoll(7): the events are told as ever. */
#include "connection.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PATIENCE 5000 /* ms */

static const struct way {
	const char *name;
	uint32_t events;
	int again; /* events of a second wait, while the byte lies there */
} ways[] = { { "level", 0, 1 }, { "edge", EPOLLET, 0 }, { "once", EPOLLONESHOT, 0 } };

static void expect(const char *way, const char *what, int got, int wanted)
{
	if (got == wanted)
		return;
	printf("%s: %s: %d, expected %d\n", way, what, got, wanted);
	exit(1);
}

static int waits(int set, int patience)
{
	struct epoll_event events[4];
	return epoll_wait(set, events, 4, patience);
}

static void tells(int connection, const struct way *way, bool replaced)
{
	struct epoll_event here = { .events = EPOLLIN | EPOLLET }, there = { .events = EPOLLIN | way->events };
	int ends[2], set = epoll_create1(EPOLL_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char byte = 'x';
	expect(way->name, "pipe", pipe(ends), 0);
	expect(way->name, "registered", epoll_ctl(set, EPOLL_CTL_ADD, connection, &here) | epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &there), 0);
	int copy = dup(ends[0]);
	expect(way->name, "closed", replaced ? dup2(null, ends[0]) != ends[0] : close(ends[0]), 0);
	expect(way->name, "nothing", waits(set, 0), 0);
	expect(way->name, "written", (int)write(ends[1], &byte, 1), 1);
	expect(way->name, "told", waits(set, PATIENCE), 1);
	expect(way->name, "again", waits(set, 0), way->again);
	expect(way->name, "read", (int)read(copy, &byte, 1), 1);
	expect(way->name, "empty", waits(set, 0), 0);
	expect(way->name, "said", (int)write(connection, &byte, 1), 1);
	expect(way->name, "answered", waits(set, PATIENCE), 1);
	expect(way->name, "answer", (int)read(connection, &byte, 1), 1);
	expect(way->name, "all", waits(set, 0), 0);
	close(copy);
	close(ends[1]);
	close(null);
	close(set);
	if (replaced)
		close(ends[0]);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? connection(argv[1]) : -1;
	if (fd < 0)
		return 2;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int replaced = 0; replaced < 2; replaced++)
			tells(fd, &ways[i], replaced);
	puts("right");
	return 0;
}
