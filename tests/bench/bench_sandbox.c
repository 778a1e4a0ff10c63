/* bench_sandbox [ROUNDS]: what one system call costs, in nanoseconds: the quickest tenth and the median of ROUNDS.
 *
 * Run it bare and under `egret run --sandbox=require`, in turns: tests/bench/sandbox does. Everything stays on loopback.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct sockaddr_in server;
static int listener, pair[2];

static int64_t one_connect(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0), accepted;
	int64_t started = now_ns(), took;

	connect(fd, (struct sockaddr *)&server, sizeof(server));
	took = now_ns() - started;
	accepted = accept(listener, NULL, NULL);
	close(accepted);
	close(fd);
	return took;
}

static int64_t connect_without_waiting(void) { return one_connect(SOCK_NONBLOCK); }
static int64_t connect_blocking(void) { return one_connect(0); }

static int64_t datagram_connect(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int64_t started = now_ns(), took;

	connect(fd, (struct sockaddr *)&server, sizeof(server));
	took = now_ns() - started;
	close(fd);
	return took;
}

static int64_t send_message(void)
{
	static char data[1024];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t started = now_ns(), took;

	sendmsg(pair[0], &msg, 0);
	took = now_ns() - started;
	if (read(pair[1], data, sizeof(data)) < 0)
		return 0;
	return took;
}

static int64_t unrelated(void)
{
	int64_t started = now_ns();

	for (int i = 0; i < 100; i++)
		syscall(SYS_getppid);
	return (now_ns() - started) / 100;
}

static int64_t receive(void)
{
	char byte;
	int64_t started = now_ns();

	for (int i = 0; i < 100; i++)
		recv(pair[1], &byte, 1, MSG_DONTWAIT);
	return (now_ns() - started) / 100;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void measure(const char *what, int64_t (*one)(void), size_t rounds)
{
	int64_t *took = calloc(rounds, sizeof(*took));

	if (!took)
		exit(1);
	for (size_t i = 0; i < rounds; i++)
		took[i] = one();
	qsort(took, rounds, sizeof(*took), by_size);
	printf("%s %lld %lld\n", what, (long long)took[rounds / 10], (long long)took[rounds / 2]);
	free(took);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	socklen_t len = sizeof(server);

	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (!rounds || bind(listener, (struct sockaddr *)&server, len) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&server, &len) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	measure("connect_nonblocking", connect_without_waiting, rounds);
	measure("connect_blocking", connect_blocking, rounds);
	measure("connect_datagram", datagram_connect, rounds);
	measure("sendmsg_1KiB", send_message, rounds);
	measure("getppid", unrelated, rounds);
	measure("recv", receive, rounds);
	return 0;
}
