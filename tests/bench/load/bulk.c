#include "jobs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct lane {
	struct link link;
	size_t left; /* bytes to go */
	short armed; /* what epoll waits for */
};

static void one_way(struct lane *lane, char direction, char *chunk, size_t size)
{
	while (lane->left > 0) {
		size_t most = lane->left < size ? lane->left : size;
		ssize_t n = direction == 's' ? link_send(&lane->link, chunk, most) : link_recv(&lane->link, chunk, most);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die(direction == 's' ? "send" : "recv");
		lane->left -= (size_t)n;
	}
}

static void arm(int set, struct lane *lane, int operation)
{
	struct epoll_event event = { .events = lane->link.wants == POLLIN ? EPOLLIN : EPOLLOUT, .data.ptr = lane };
	if (operation == EPOLL_CTL_MOD && lane->armed == lane->link.wants)
		return;
	lane->armed = lane->link.wants;
	if (epoll_ctl(set, operation, lane->link.fd, &event) != 0)
		die("epoll_ctl");
}

/* Every lane is served in turn, one chunk's worth of calls at a time, until all are through. */
static void event_loop(struct lane *lanes, size_t count, char direction, char *chunk, size_t size)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	size_t live = count;
	for (size_t i = 0; i < count; i++) {
		lanes[i].link.wants = direction == 's' ? POLLOUT : POLLIN;
		link_unblock(&lanes[i].link);
		arm(set, &lanes[i], EPOLL_CTL_ADD);
	}
	while (live > 0) {
		struct epoll_event events[64];
		int n = epoll_wait(set, events, 64, -1);
		for (int i = 0; i < n; i++) {
			struct lane *lane = events[i].data.ptr;
			one_way(lane, direction, chunk, size);
			if (lane->left > 0) {
				arm(set, lane, EPOLL_CTL_MOD);
				continue;
			}
			epoll_ctl(set, EPOLL_CTL_DEL, lane->link.fd, NULL);
			live--;
		}
	}
}

/* The sink says when it has everything. */
static void await_end(struct lane *lane)
{
	struct pollfd pfd = { .fd = lane->link.fd, .events = POLLIN };
	char byte;
	ssize_t n;
	while ((n = link_recv(&lane->link, &byte, 1)) < 0 && errno == EAGAIN)
		poll(&pfd, 1, -1);
	if (n != 1)
		die("the sink's answer");
}

void bulk(char direction, size_t chunk_size, size_t total, size_t connections)
{
	struct lane *lanes = calloc(connections, sizeof *lanes);
	char *chunk = malloc(chunk_size);
	if (!lanes || !chunk)
		die("memory");
	memset(chunk, 'x', chunk_size);
	for (size_t i = 0; i < connections; i++) {
		link_open(&lanes[i].link);
		lanes[i].left = total / connections;
	}
	double cpu = cpu_s(), start = now_s();
	for (size_t i = 0; i < connections; i++)
		link_order(&lanes[i].link, direction, (uint32_t)(64 << 10), lanes[i].left);
	if (connections == 1)
		one_way(lanes, direction, chunk, chunk_size);
	else
		event_loop(lanes, connections, direction, chunk, chunk_size);
	for (size_t i = 0; direction == 's' && i < connections; i++)
		await_end(&lanes[i]);
	double seconds = now_s() - start;
	printf("{\"seconds\": %.6f, \"bytes\": %zu, \"cpu\": %.6f}\n", seconds, total / connections * connections, cpu_s() - cpu);
	for (size_t i = 0; i < connections; i++)
		link_close(&lanes[i].link);
	free(chunk);
	free(lanes);
}
