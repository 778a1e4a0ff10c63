/* What connect, sendto and sendmsg answer when a signal, a time-out or an end of the peer's comes: raw_calls prints one line a case. The
 * lines are the same with and without the sandbox. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t handled;
static char block[1 << 20];

static void on_signal(int number)
{
	(void)number;
	handled = handled + 1;
}

/* Where a call is to end by a signal they come until one did, however late the machine is; else one is enough. */
static void alarms(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	struct itimerval often = { { 0, 150000 }, { 0, 150000 } };

	handled = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void one_alarm(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval once = { { 0, 0 }, { 0, 150000 } };

	handled = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &once, NULL);
}

static void no_alarms(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &never, NULL);
}

static const char *word(long result)
{
	return result >= 0 ? "done" : strerrorname_np(errno);
}

static void tell(const char *name, long result)
{
	const char *text = word(result);

	no_alarms();
	printf("%s: %s%s\n", name, text, handled ? ", a handler ran" : "");
	fflush(stdout);
}

static void time_out(int fd, int ms)
{
	struct timeval after = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &after, sizeof(after));
}

/* ---- connect, to a listener whose queue is full ---- */

static int listener;
static struct sockaddr_in full;

static void fill_listener(void)
{
	socklen_t len = sizeof(full);

	full = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&full, sizeof(full));
	listen(listener, 0);
	getsockname(listener, (struct sockaddr *)&full, &len);
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd, (struct sockaddr *)&full, sizeof(full));
	}
}

static int connect_full(int fd) { return connect(fd, (struct sockaddr *)&full, sizeof(full)); }

static void connect_interrupted(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	alarms(0);
	result = connect_full(fd);
	tell("connect, interrupted", result);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	handled = 0;
	tell("connect, again", connect_full(fd));
	close(fd);
}

/* The other process makes room after a while; the kernel asks again within a second or two. */
static void connect_restarted(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;
	pid_t child = fork();

	if (child == 0) {
		usleep(400000);
		for (;;)
			accept(listener, NULL, NULL);
	}
	one_alarm();
	result = connect_full(fd);
	tell("connect, restarted", result);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
}

static void connect_timed(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	time_out(fd, 300);
	handled = 0;
	tell("connect, timed out", connect_full(fd));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	time_out(fd, 20000);
	alarms(SA_RESTART);
	result = connect_full(fd);
	tell("connect, interrupted within its time", result);
	close(fd);
}

/* ---- sends ---- */

static long by_sendmsg(int fd, void *name, socklen_t len, int flags)
{
	struct iovec iov[2] = { { block, sizeof(block) / 2 }, { block, sizeof(block) / 2 } };
	struct msghdr msg = { .msg_name = name, .msg_namelen = len, .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(fd, &msg, flags);
}

/* Until the peer's kernel opens its window no more. */
static void fill(int fd)
{
	struct pollfd room = { fd, POLLOUT, 0 };

	do
		while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
			;
	while (poll(&room, 1, 300) > 0);
}

/* 0 is written to, 1 is its peer. */
static void tcp_pair(int pair[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	int server = socket(AF_INET, SOCK_STREAM, 0), room = 65536;

	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	bind(server, (struct sockaddr *)&sin, sizeof(sin));
	listen(server, 5);
	getsockname(server, (struct sockaddr *)&sin, &len);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (connect(pair[0], (struct sockaddr *)&sin, sizeof(sin)))
		exit(1);
	pair[1] = accept(server, NULL, NULL);
	close(server);
}

static void pair_of(int tcp, int pair[2])
{
	if (tcp)
		tcp_pair(pair);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		exit(1);
}

static long send_by(int message, int fd, int flags)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	return message ? by_sendmsg(fd, NULL, 0, flags) : sendto(fd, block, sizeof(block), flags, (struct sockaddr *)&any, sizeof(any));
}

/* A stream that is connected ignores the address (tcp); the unix one has none. */
static void send_interrupted(const char *kind, int tcp, int message)
{
	char name[64];
	int pair[2];
	long result;

	pair_of(tcp, pair);
	fill(pair[0]);
	alarms(0);
	result = send_by(message, pair[0], 0);
	snprintf(name, sizeof(name), "%s, interrupted", kind);
	tell(name, result);
	handled = 0;
	snprintf(name, sizeof(name), "%s, not waiting", kind);
	tell(name, send_by(message, pair[0], MSG_DONTWAIT));
	time_out(pair[0], 200);
	snprintf(name, sizeof(name), "%s, timed out", kind);
	tell(name, send_by(message, pair[0], 0));
	time_out(pair[0], 20000);
	alarms(SA_RESTART);
	result = send_by(message, pair[0], 0);
	snprintf(name, sizeof(name), "%s, interrupted within its time", kind);
	tell(name, result);
	close(pair[0]);
	close(pair[1]);
}

static void send_restarted(const char *kind, int tcp, int message)
{
	char name[64];
	int pair[2];
	long result;
	pid_t child;

	pair_of(tcp, pair);
	fill(pair[0]);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		usleep(400000);
		while (read(pair[1], block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	one_alarm();
	result = send_by(message, pair[0], 0);
	snprintf(name, sizeof(name), "%s, restarted", kind);
	tell(name, result);
	if (!tcp)
		printf("%s: all of it: %d\n", name, result == sizeof(block));
	close(pair[0]);
	close(pair[1]);
	waitpid(child, NULL, 0);
}

/* What was sent before the signal counts. */
static void send_in_part(void)
{
	int pair[2];
	long result;

	pair_of(0, pair);
	alarms(0);
	result = by_sendmsg(pair[0], NULL, 0, 0);
	tell("sendmsg, interrupted in its midst", result);
	printf("a part of it: %d\n", result > 0 && result < (long)sizeof(block));
}

static void datagram_interrupted(void)
{
	struct iovec iov = { block, 100 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2];
	long result;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	while (send(pair[0], block, 100, MSG_DONTWAIT) > 0)
		;
	handled = 0;
	tell("datagram, not waiting", sendmsg(pair[0], &msg, MSG_DONTWAIT));
	alarms(0);
	result = sendmsg(pair[0], &msg, 0);
	tell("datagram, interrupted", result);
	handled = 0;
	time_out(pair[0], 200);
	tell("datagram, timed out", sendmsg(pair[0], &msg, 0));
}

/* ---- a peer that is gone ---- */

static void broken_pipe(const char *kind, int tcp)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct mmsghdr many = { 0 };
	struct iovec iov = { block, 100 };
	char name[64];
	int pair[2];

	pair_of(tcp, pair);
	close(pair[1]);
	sigaction(SIGPIPE, &action, NULL);
	send(pair[0], block, 1, MSG_NOSIGNAL);
	usleep(20000);
	send(pair[0], block, 1, MSG_NOSIGNAL);
	handled = 0;
	snprintf(name, sizeof(name), "%s without a peer, no signal", kind);
	tell(name, by_sendmsg(pair[0], NULL, 0, MSG_NOSIGNAL));
	snprintf(name, sizeof(name), "%s without a peer", kind);
	tell(name, by_sendmsg(pair[0], NULL, 0, 0));
	handled = 0;
	many.msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	snprintf(name, sizeof(name), "%s without a peer, many", kind);
	tell(name, sendmmsg(pair[0], &many, 1, 0));
}

/* The default ends the process, by the signal. */
static void killed_by_pipe(void)
{
	int pair[2], status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGPIPE, SIG_DFL);
		pair_of(0, pair);
		close(pair[1]);
		by_sendmsg(pair[0], NULL, 0, 0);
		_exit(1);
	}
	waitpid(child, &status, 0);
	printf("without a handler: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void)
{
	fill_listener();
	connect_interrupted();
	connect_timed();
	connect_restarted();
	send_interrupted("sendmsg of tcp", 1, 1);
	send_interrupted("sendmsg of unix", 0, 1);
	send_interrupted("sendto of tcp", 1, 0);
	send_restarted("sendmsg of tcp", 1, 1);
	send_restarted("sendmsg of unix", 0, 1);
	send_restarted("sendto of tcp", 1, 0);
	send_in_part();
	datagram_interrupted();
	broken_pipe("tcp", 1);
	broken_pipe("unix", 0);
	killed_by_pipe();
	return 0;
}
