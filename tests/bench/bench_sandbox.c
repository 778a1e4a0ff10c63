/* bench_sandbox ROUNDS [bare|floor [ADDRESS]]: what one system call costs, in nanoseconds: the quickest tenth and the median of ROUNDS.
 *
 * Run it bare and under `egret run`, in turns: tests/bench/sandbox does. Everything stays on loopback. `floor`: under a supervisor that
 * only lets each call pass: what no supervisor can do without. ADDRESS: an address of this machine that is not loopback's; there a
 * connect may wait.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* A listener and where it is. */
struct place {
	struct sockaddr_in address;
	int listener;
};

static struct place near, far;
static int pair[2], stream[2];

static int64_t one_connect(const struct place *place, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0), accepted;
	int64_t started = now_ns(), took;

	connect(fd, (const struct sockaddr *)&place->address, sizeof(place->address));
	took = now_ns() - started;
	accepted = accept(place->listener, NULL, NULL);
	close(accepted);
	close(fd);
	return took;
}

static int64_t connect_without_waiting(void) { return one_connect(&near, SOCK_NONBLOCK); }
static int64_t connect_blocking(void) { return one_connect(&near, 0); }
static int64_t connect_far_without_waiting(void) { return one_connect(&far, SOCK_NONBLOCK); }
static int64_t connect_far_blocking(void) { return one_connect(&far, 0); }

static int64_t datagram_connect(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int64_t started = now_ns(), took;

	connect(fd, (struct sockaddr *)&near.address, sizeof(near.address));
	took = now_ns() - started;
	close(fd);
	return took;
}

static int64_t send_message(const int ends[2])
{
	static char data[1024];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t started = now_ns(), took;

	if (sendmsg(ends[0], &msg, MSG_NOSIGNAL) != sizeof(data))
		exit(1);
	took = now_ns() - started;
	if (recv(ends[1], data, sizeof(data), MSG_WAITALL) != sizeof(data))
		exit(1);
	return took;
}

static int64_t send_message_unix(void) { return send_message(pair); }
static int64_t send_message_tcp(void) { return send_message(stream); }

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

/* The listener's number; the caller is governed from now on. */
static int install(void)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_connect },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_sendmsg },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* A child of the governed process; it has the listener, and makes none of the calls that it would judge. */
static void let_pass(int fd)
{
	struct seccomp_notif notif = { .id = 0 };
	uint64_t flags = 1; /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP */

	ioctl(fd, SECCOMP_IOW(4, uint64_t), flags);
	while (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0) {
		struct seccomp_notif_resp answer = { .id = notif.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		memset(&notif, 0, sizeof(notif));
	}
	_exit(0);
}

static pid_t supervise(void)
{
	int fd = install();
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid == 0)
		let_pass(fd);
	return pid;
}

static bool listen_at(struct place *place, const char *address)
{
	socklen_t len = sizeof(place->address);

	place->address.sin_family = AF_INET;
	place->listener = socket(AF_INET, SOCK_STREAM, 0);
	return inet_pton(AF_INET, address, &place->address.sin_addr) == 1 && !bind(place->listener, (struct sockaddr *)&place->address, len) &&
	       !listen(place->listener, 64) && !getsockname(place->listener, (struct sockaddr *)&place->address, &len);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	pid_t supervisor = 0;

	stream[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (!rounds || !listen_at(&near, "127.0.0.1") || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    connect(stream[0], (struct sockaddr *)&near.address, sizeof(near.address)) || (stream[1] = accept(near.listener, NULL, NULL)) < 0 ||
	    (argc > 3 && !listen_at(&far, argv[3])))
		return 1;
	if (argc > 2 && !strcmp(argv[2], "floor") && (supervisor = supervise()) < 0)
		return 1;
	measure("connect_nonblocking", connect_without_waiting, rounds);
	measure("connect_blocking", connect_blocking, rounds);
	if (argc > 3) {
		measure("connect_far_nonblocking", connect_far_without_waiting, rounds);
		measure("connect_far_blocking", connect_far_blocking, rounds);
	}
	measure("connect_datagram", datagram_connect, rounds);
	measure("sendmsg_1KiB_unix", send_message_unix, rounds);
	measure("sendmsg_1KiB_tcp", send_message_tcp, rounds);
	measure("getppid", unrelated, rounds);
	measure("recv", receive, rounds);
	if (supervisor)
		kill(supervisor, SIGKILL);
	return 0;
}
