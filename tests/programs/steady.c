/* A program that counts what its malloc and free are asked for in calls on an open connection: steady HOST, a server that echoes. Signal
 * handlers make such calls, and may have interrupted malloc itself. What is counted is told; 1 when there was any. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGE 300000

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

static _Thread_local bool counting;
static _Thread_local unsigned asked;

void *malloc(size_t size)
{
	asked += counting;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	asked += counting;
	return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	asked += counting;
	return __libc_realloc(block, size);
}

void free(void *block)
{
	asked += counting && block;
	__libc_free(block);
}

static char sent[LARGE], got[LARGE];

static void must(bool ok, const char *what)
{
	counting = false;
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(2);
}

static void send_whole(int fd, size_t size)
{
	struct iovec pieces[3] = { { sent, 1 }, { sent + 1, size / 2 }, { sent + 1 + size / 2, size - 1 - size / 2 } };
	size_t done = 0;
	if (size > 3)
		done = (size_t)writev(fd, pieces, 3);
	while (done < size) {
		ssize_t n = write(fd, sent + done, size - done);
		must(n > 0, "write");
		counting = true;
		done += (size_t)n;
	}
}

static void receive_whole(int fd, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int queued;
	for (size_t done = 0; done < size;) {
		char first;
		bool ready = poll(&pfd, 1, -1) == 1 && ioctl(fd, FIONREAD, &queued) == 0 && recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
		ssize_t n = ready ? read(fd, got + done, size - done) : -1;
		must(n > 0, "read");
		counting = true;
		done += (size_t)n;
	}
}

static unsigned trip(int fd, size_t size)
{
	memset(got, 0, size);
	asked = 0;
	counting = true;
	send_whole(fd, size);
	receive_whole(fd, size);
	counting = false;
	must(memcmp(sent, got, size) == 0, "other bytes came back");
	if (asked)
		printf("%zu bytes: %u\n", size, asked);
	return asked;
}

static unsigned trips(int fd)
{
	static const size_t sizes[] = { 1, 64, 300, 5000, 16384, 16385, 70000, LARGE };
	unsigned all = 0;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			all += trip(fd, sizes[i]);
	return all;
}

static int first, second;
static unsigned in_thread;

static void *other_thread(void *unused)
{
	in_thread = trips(first) + trips(second);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (char)(i * 7 % 251);
	first = connection(argv[1]);
	second = connection(argv[1]);
	unsigned all = trips(first) + trips(second);
	must(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0, "a thread");
	return all + in_thread != 0;
}
