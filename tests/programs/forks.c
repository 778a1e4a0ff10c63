/* A program with threads that forks while they use their connection, and both processes go on: forks HOW HOST [ROUNDS].
 *
 *   busy      ROUNDS connections; two threads write and read all the time, and the child uses the connection, too: it never hangs
 *   waiting   a thread waits in a write that the server does not take yet; the child writes, too
 *
 * Whoever is told EIO is not the one that keeps the connection, as libegret(8) says.
 */
#include "must.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 30 /* seconds, of a child that should not wait at all */

static struct addrinfo *server;
static atomic_bool over;

static void pause_us(long us)
{
	struct timespec left = { 0, us * 1000 };
	while (nanosleep(&left, &left) != 0)
		;
}

static void await_child(pid_t pid)
{
	int status;
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	must(got == pid, "waitpid");
	if (WIFSIGNALED(status))
		fprintf(stderr, WTERMSIG(status) == SIGALRM ? "the child hangs\n" : "the child died of signal %d\n", WTERMSIG(status));
	if (status)
		_exit(1);
}

/* ---- busy ---- */

/* Until the connection is the child's, or closed. */
static void *write_all_the_time(void *fd)
{
	static const char chunk[16384];
	while (!atomic_load(&over) && send(*(int *)fd, chunk, sizeof chunk, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void *read_all_the_time(void *fd)
{
	char chunk[16384];
	while (recv(*(int *)fd, chunk, sizeof chunk, 0) > 0)
		;
	return NULL;
}

static _Noreturn void use_in_child(int fd)
{
	char byte;
	struct pollfd pfd = { fd, POLLIN | POLLOUT, 0 };
	alarm(PATIENCE);
	poll(&pfd, 1, 0);
	send(fd, "child", 5, MSG_DONTWAIT | MSG_NOSIGNAL);
	recv(fd, &byte, 1, MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	close(fd);
	_exit(0);
}

static void busy(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		pthread_t reader, writer;
		int fd = connected_to(server);
		atomic_store(&over, false);
		must(pthread_create(&reader, NULL, read_all_the_time, &fd) == 0, "pthread_create");
		must(pthread_create(&writer, NULL, write_all_the_time, &fd) == 0, "pthread_create");
		pause_us(500 + i % 16 * 200);
		pid_t pid = fork();
		must(pid >= 0, "fork");
		if (pid == 0)
			use_in_child(fd);
		await_child(pid);
		atomic_store(&over, true);
		shutdown(fd, SHUT_RDWR);
		pthread_join(writer, NULL);
		pthread_join(reader, NULL);
		close(fd);
	}
}

/* ---- waiting ---- */

static char large[8 << 20];

static void *write_large(void *fd)
{
	size_t done = 0;
	while (done < sizeof large) {
		ssize_t n = send(*(int *)fd, large + done, sizeof large - done, MSG_NOSIGNAL);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	int error = errno;
	atomic_store(&over, true);
	return done == sizeof large ? NULL : (void *)(intptr_t)error;
}

static void waiting(void)
{
	int fd = connected_to(server);
	void *result;
	pthread_t writer;
	memset(large, 'p', sizeof large);
	must(pthread_create(&writer, NULL, write_large, &fd) == 0, "pthread_create");
	struct pollfd pfd = { fd, POLLOUT, 0 };
	while (poll(&pfd, 1, 0) > 0 && !atomic_load(&over)) /* a server that reads as fast as we write has all at the end */
		pause_us(1000);
	pid_t pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		alarm(PATIENCE);
		_exit(send(fd, "secret child", 12, MSG_NOSIGNAL) == 12 ? 0 : errno == EIO ? 0 : 1);
	}
	await_child(pid);
	pthread_join(writer, &result);
	must(!result || (errno = (int)(intptr_t)result) == EIO, "write that waited");
	close(fd);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	int rounds = argc > 3 ? atoi(argv[3]) : 1;
	if (argc < 3 || getaddrinfo(argv[2], "80", &hints, &server) != 0)
		return 2;
	if (strcmp(argv[1], "busy") == 0)
		busy(rounds);
	else
		waiting();
	freeaddrinfo(server);
	return 0;
}
