/* calls: nanoseconds of single calls that have nothing to do with a wrapped socket; the difference between a run with the library and
 * one without is what the hooks cost. calls PORT: the same while a connection to 127.0.0.1:PORT is open. One JSON line.
 * calls count CALL NUMBER: only makes them, for a counter of instructions. */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define CALLS 20000 /* in one batch */
#define BATCHES 15

static int zero, null, pipes[2], set;

static void do_read(void)
{
	char byte;
	if (read(zero, &byte, 1) != 1)
		die("read");
}

static void do_write(void)
{
	if (write(null, "x", 1) != 1)
		die("write");
}

static void do_poll(void)
{
	struct pollfd pfd = { .fd = pipes[0], .events = POLLIN };
	if (poll(&pfd, 1, 0) != 0)
		die("poll");
}

static void do_epoll(void)
{
	struct epoll_event event;
	if (epoll_wait(set, &event, 1, 0) != 0)
		die("epoll_wait");
}

/* The fastest batch: what noise cannot make smaller. */
static double best_ns(void (*call)(void))
{
	double best = 1e9;
	for (int i = 0; i < BATCHES; i++) {
		double start = now_s();
		for (int j = 0; j < CALLS; j++)
			call();
		double each = (now_s() - start) / CALLS * 1e9;
		best = each < best ? each : best;
	}
	return best;
}

static int count(const char *name, long number)
{
	void (*call)(void) = strcmp(name, "read") == 0 ? do_read : strcmp(name, "write") == 0 ? do_write : strcmp(name, "poll") == 0 ? do_poll : do_epoll;
	while (number-- > 0)
		call();
	return 0;
}

/* The descriptor stands as high as may be, up to a million: the tables there are sparse. */
static void raise_number(int *fd)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, (int)limit.rlim_cur - 16);
	if (high >= 0)
		*fd = high;
}

int main(int argc, char **argv)
{
	struct rlimit many;
	struct link link;
	getrlimit(RLIMIT_NOFILE, &many);
	many.rlim_cur = many.rlim_max < 1000000 ? many.rlim_max : 1000000;
	setrlimit(RLIMIT_NOFILE, &many);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	set = epoll_create1(EPOLL_CLOEXEC);
	if (zero < 0 || null < 0 || set < 0 || pipe(pipes) != 0)
		die("descriptors");
	if (argc == 4)
		return count(argv[2], strtol(argv[3], NULL, 10));
	if (argc > 1) {
		link_port = (uint16_t)strtoul(argv[1], NULL, 10);
		link_open(&link);
	}
	double low_read = best_ns(do_read), low_write = best_ns(do_write), poll_ns = best_ns(do_poll), epoll_ns = best_ns(do_epoll);
	raise_number(&zero);
	raise_number(&null);
	printf("{\"read\": %.2f, \"write\": %.2f, \"poll\": %.2f, \"epoll_wait\": %.2f, \"read_high\": %.2f, \"write_high\": %.2f}\n", low_read,
	       low_write, poll_ns, epoll_ns, best_ns(do_read), best_ns(do_write));
	return 0;
}
