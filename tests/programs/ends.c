/* A program that ends by SIGABRT behind a large write, with everything that the server said unread: ends HOST WAY.
 * abort; handler: SIGABRT has one, which writes once more; malloc: an allocation of the program's finds something wrong; assert; kill, group,
 * raise, thread, tgkill, number: a signal that it sends itself by that call. */
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LARGE 700000 /* bytes: many times what a server takes that does not read */

static int fd;
static bool broken;

static void on_abort(int number)
{
	(void)number;
	if (write(fd, "handler ", 8) != 8)
		_exit(3);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t size);

/* A malloc that is not entered again while it is at work. */
void *malloc(size_t size)
{
	static _Thread_local bool inside;
	if (inside)
		_exit(4);
	inside = true;
	if (broken)
		abort();
	void *block = __libc_malloc(size);
	inside = false;
	return block;
}
#endif

/* By one write, unless a signal comes in between. */
static int all_written(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0)
			return 0;
		data += n;
		size -= (size_t)n;
	}
	return 1;
}

/* Bytes that the kernel holds for FD's reader, of whom no call asks: the library would read the tickets. */
static unsigned queued(void)
{
	struct sockaddr_in own;
	socklen_t size = sizeof own;
	char line[256];
	unsigned port, bytes, found = 0;
	FILE *table = fopen("/proc/self/net/tcp", "r");
	getsockname(fd, (struct sockaddr *)&own, &size);
	while (table && fgets(line, sizeof line, table))
		if (sscanf(line, " %*u: %*x:%x %*x:%*x %*x %*x:%x", &port, &bytes) == 2 && port == ntohs(own.sin_port))
			found = bytes;
	if (table)
		fclose(table);
	return found;
}

/* Until they are all here: those that came later could only be met by somebody who is still there. */
static void await_tickets(void)
{
	unsigned before, now = 0;
	do {
		before = now;
		usleep(200000);
		now = queued();
	} while (now == 0 || now != before);
}

static void end(const char *way)
{
	if (strcmp(way, "handler") == 0)
		signal(SIGABRT, on_abort);
	else if (strcmp(way, "assert") == 0)
		assert(fd < 0);
	else if (strcmp(way, "kill") == 0)
		kill(getpid(), SIGTERM);
	else if (strcmp(way, "group") == 0 && setsid() > 0)
		kill(0, SIGKILL);
	else if (strcmp(way, "raise") == 0)
		raise(SIGTERM);
	else if (strcmp(way, "thread") == 0)
		pthread_kill(pthread_self(), SIGTERM);
	else if (strcmp(way, "tgkill") == 0)
		tgkill(getpid(), getpid(), SIGTERM);
	else if (strcmp(way, "number") == 0)
		syscall(SYS_kill, getpid(), SIGTERM);
	broken = strcmp(way, "malloc") == 0;
	void *volatile block = malloc(1);
	free(block);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *server;
	static char data[LARGE];
	if (argc != 3 || getaddrinfo(argv[1], "80", &hints, &server) != 0)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	memset(data, 's', sizeof data);
	memcpy(data, "secret", 6);
	if (connect(fd, server->ai_addr, server->ai_addrlen) != 0 || !all_written(data, sizeof data))
		return 1;
	await_tickets();
	freeaddrinfo(server);
	end(argv[2]);
	abort();
}
