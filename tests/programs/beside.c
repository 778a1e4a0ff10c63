/* What becomes of a call that waits when another thread shuts its socket, or sends it a signal: beside MODE HOST PORT [GO], of a server that echoes.
 * Prints a line for each: the same over TCP as over anything that passes for it.
 *
 *   readers   calls that wait for something to read, while another thread shuts each half and both
 *   writers   calls that wait for room, likewise; what they had sent comes back
 *   signals   calls that wait, while signals without SA_RESTART come; afterwards every byte is there
 *   connecting  a connect of which the server takes note when GO is there, and signals
 */
#include "asleep.h"
#include "must.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static struct addrinfo *server;

/* ---- calls that wait for something to read: a count, a negative errno, or events ---- */

static long told(long n) { return n < 0 ? -errno : n; }

static long in_recv(int fd)
{
	char byte;
	return told(recv(fd, &byte, 1, 0));
}

static long in_read(int fd)
{
	char bytes[100];
	return told(read(fd, bytes, sizeof bytes));
}

static long in_recv_all(int fd)
{
	char bytes[100];
	return told(recv(fd, bytes, sizeof bytes, MSG_WAITALL));
}

static long in_peek(int fd)
{
	char bytes[100];
	return told(recv(fd, bytes, sizeof bytes, MSG_PEEK));
}

static long in_readv(int fd)
{
	char bytes[100];
	struct iovec iov[2] = { { bytes, 50 }, { bytes + 50, 50 } };
	return told(readv(fd, iov, 2));
}

static long in_recvmsg(int fd)
{
	char bytes[100];
	struct iovec iov = { bytes, sizeof bytes };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	return told(recvmsg(fd, &message, 0));
}

static long in_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pfd, 1, -1);
	return n == 1 ? pfd.revents : told(n);
}

static long in_select(int fd)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	int n = select(fd + 1, &set, NULL, NULL, NULL);
	return n == 1 ? FD_ISSET(fd, &set) : told(n);
}

static long in_epoll_as(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int set = epoll_create1(EPOLL_CLOEXEC);
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	long n = told(epoll_wait(set, &event, 1, -1));
	close(set);
	return n == 1 ? (long)event.events : n;
}

static long in_epoll(int fd) { return in_epoll_as(fd, EPOLLIN); }
static long in_edge(int fd) { return in_epoll_as(fd, EPOLLIN | EPOLLET | EPOLLRDHUP); }

static long in_stream(int fd)
{
	FILE *stream = fdopen(dup(fd), "r");
	must(stream != NULL, "fdopen");
	int c = fgetc(stream), error = errno;
	long result = c >= 0 ? 1 : feof(stream) ? 0 : -error;
	fclose(stream);
	return result;
}

/* ---- calls that wait for room ---- */

#define CHUNK 4096
static _Atomic size_t accepted;
static int file; /* of zeros, large */

/* N as a call that sends told it. False: the end of it. */
static bool goes_on(ssize_t n)
{
	if (n > 0)
		atomic_fetch_add(&accepted, (size_t)n);
	return n > 0;
}

static long in_write(int fd)
{
	static const char chunk[CHUNK];
	ssize_t n;
	while (goes_on(n = write(fd, chunk, sizeof chunk)))
		;
	return told(n);
}

static long in_send(int fd)
{
	static const char chunk[64 * CHUNK];
	ssize_t n;
	while (goes_on(n = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL)))
		;
	return told(n);
}

#define MUCH (32u << 20)
static char *much; /* the file's */

static long in_large_write(int fd)
{
	ssize_t n;
	while (goes_on(n = write(fd, much, MUCH)))
		;
	return told(n);
}

static long in_sendfile(int fd)
{
	off_t at = 0;
	ssize_t n;
	while (goes_on(n = sendfile(fd, file, &at, MUCH)))
		at = 0;
	return told(n);
}

/* Until nothing moves any more. */
static void fill(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	static const char chunk[CHUNK];
	do
		while (goes_on(send(fd, chunk, sizeof chunk, MSG_DONTWAIT | MSG_NOSIGNAL)))
			;
	while (poll(&pfd, 1, 500) == 1);
}

static long in_room(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	return poll(&pfd, 1, -1) == 1 ? pfd.revents : -errno;
}

static long in_room_of_set(int fd)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	int n = select(fd + 1, NULL, &set, NULL, NULL);
	return n == 1 ? FD_ISSET(fd, &set) : told(n);
}

static long in_room_of_epoll(int fd) { return in_epoll_as(fd, EPOLLOUT); }
static long in_room_by_edge(int fd) { return in_epoll_as(fd, EPOLLOUT | EPOLLET); }

/* Calls that write nothing: they need a buffer that is full already. */
static bool is_look(long (*make)(int fd))
{
	return make == in_room || make == in_room_of_set || make == in_room_of_epoll || make == in_room_by_edge;
}

/* ---- a thread in one of them ---- */

struct call {
	const char *name;
	long (*make)(int fd);
};

static const struct call reading[] = {
	{ "recv", in_recv }, { "read", in_read }, { "recv WAITALL", in_recv_all }, { "recv PEEK", in_peek }, { "readv", in_readv },
	{ "recvmsg", in_recvmsg }, { "poll", in_poll }, { "select", in_select }, { "epoll_wait", in_epoll }, { "epoll_wait ET", in_edge },
	{ "fgetc", in_stream }, { NULL, NULL },
};
static const struct call writing[] = {
	{ "write", in_write }, { "large write", in_large_write }, { "send NOSIGNAL", in_send }, { "sendfile", in_sendfile }, { "poll OUT", in_room },
	{ "select OUT", in_room_of_set }, { "epoll OUT", in_room_of_epoll }, { "epoll OUT ET", in_room_by_edge }, { NULL, NULL },
};

struct waiter {
	const struct call *call;
	int fd;
	_Atomic int id;
	pthread_t thread;
	long result;
	atomic_bool ended;
};

static void *wait_in_call(void *arg)
{
	struct waiter *waiter = arg;
	atomic_store(&waiter->id, (int)syscall(SYS_gettid));
	waiter->result = waiter->call->make(waiter->fd);
	atomic_store(&waiter->ended, true);
	return NULL;
}

/* Until it sleeps, and what it sends does not move. */
static void await_sleep(const struct waiter *waiter)
{
	for (int quiet = 0; quiet < 10 && !waiter->ended; quiet++) {
		size_t before = atomic_load(&accepted);
		usleep(10000);
		if (!waiter->id || !is_asleep(waiter->id) || atomic_load(&accepted) != before)
			quiet = 0;
	}
}

static void begin(struct waiter *waiter, const struct call *call, int fd)
{
	*waiter = (struct waiter){ .call = call, .fd = fd };
	must((errno = pthread_create(&waiter->thread, NULL, wait_in_call, waiter)) == 0, "pthread_create");
	await_sleep(waiter);
}

/* Until its call has ended. */
static void join(struct waiter *waiter)
{
	struct timespec limit;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 10;
	if (pthread_timedjoin_np(waiter->thread, NULL, &limit) == 0)
		return;
	printf("%s waits still\n", waiter->call->name);
	fflush(stdout);
	_exit(1);
}

static void print(const char *name, const char *how, long result)
{
	if (result < 0)
		printf("%s, %s: %s\n", name, how, strerrorname_np((int)-result));
	else
		printf("%s, %s: %ld\n", name, how, result);
}

/* ---- shut ---- */

static const char *const halves[] = { [SHUT_RD] = "RD", [SHUT_WR] = "WR", [SHUT_RDWR] = "RDWR" };
static _Atomic int pipes;

static void on_pipe(int number)
{
	(void)number;
	atomic_fetch_add(&pipes, 1);
}

static void readers(void)
{
	struct waiter waiter;
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
		for (const struct call *call = reading; call->name; call++) {
			int fd = connected_to(server);
			works(fd);
			begin(&waiter, call, fd);
			must(shutdown(fd, how) == 0, "shutdown");
			join(&waiter);
			/* What a server does when it has seen the end, it may have done by half. */
			long result = how == SHUT_WR && waiter.result > 0 ? waiter.result & POLLIN : waiter.result;
			print(call->name, halves[how], result);
			close(fd);
		}
}

/* How much comes until the end, or until what is no end. */
static size_t drain(int fd)
{
	static char got[65536];
	size_t all = 0;
	ssize_t n;
	while ((n = read(fd, got, sizeof got)) > 0)
		all += (size_t)n;
	must(n == 0, "read until the end");
	return all;
}

static void writers(void)
{
	struct waiter waiter;
	for (int how = SHUT_WR; how <= SHUT_RDWR; how++)
		for (const struct call *call = writing; call->name; call++) {
			int fd = connected_to(server);
			accepted = 0;
			pipes = 0;
			if (is_look(call->make))
				fill(fd);
			begin(&waiter, call, fd);
			must(shutdown(fd, how) == 0, "shutdown");
			join(&waiter);
			if (how == SHUT_RDWR && waiter.result == -ECONNRESET) { /* what the server echoed came first, and was met with a reset */
				waiter.result = -EPIPE;
				pipes = call->make != in_send;
			}
			print(call->name, halves[how], waiter.result);
			printf("SIGPIPE: %s\n", pipes ? "yes" : "no"); /* sendfile(2) gets it for what it did not send, and for the next call */
			if (how == SHUT_WR)
				printf("what was sent %s\n", drain(fd) == accepted ? "came back" : "did not come back");
			close(fd);
		}
}

/* ---- signals ---- */

static void on_signal(int number) { (void)number; }

/* As often as it takes: a call that has sent a part tells of that, and the next one waits again. */
static void interrupt(struct waiter *waiter)
{
	while (!waiter->ended) {
		await_sleep(waiter);
		pthread_kill(waiter->thread, SIGUSR1);
		usleep(1000);
	}
	join(waiter);
}

static void interrupted_readers(void)
{
	struct waiter waiter;
	int fd = connected_to(server);
	for (int round = 0; round < 3; round++)
		for (const struct call *call = reading; call->name; call++) {
			works(fd);
			begin(&waiter, call, fd);
			interrupt(&waiter);
			print(call->name, "signal", waiter.result);
		}
	works(fd);
	close(fd);
}

static void interrupted_writers(void)
{
	struct waiter waiter;
	for (const struct call *call = writing; call->name; call++) {
		int fd = connected_to(server);
		accepted = 0;
		if (is_look(call->make))
			fill(fd);
		begin(&waiter, call, fd);
		interrupt(&waiter);
		print(call->name, "signal", waiter.result);
		must(shutdown(fd, SHUT_WR) == 0, "shutdown");
		printf("what was sent %s\n", drain(fd) == accepted ? "came back" : "did not come back");
		close(fd);
	}
}

static void signals(void)
{
	interrupted_readers();
	interrupted_writers();
}

static const char *go; /* for which the server waits */

static long in_connect(int fd)
{
	return told(connect(fd, server->ai_addr, server->ai_addrlen));
}

static void connecting(void)
{
	static const struct call call = { "connect", in_connect };
	struct waiter waiter;
	int fd = socket(AF_INET, SOCK_STREAM, 0), error = -1;
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof error;
	unlink(go);
	for (int round = 0; round < 3; round++) {
		begin(&waiter, &call, fd);
		interrupt(&waiter);
		print("connect", "signal", waiter.result);
	}
	close(open(go, O_CREAT | O_WRONLY, 0600));
	print("poll", "open", poll(&pfd, 1, -1) == 1 ? pfd.revents : -errno);
	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0, "SO_ERROR");
	print("SO_ERROR", "open", error);
	print("connect", "open", in_connect(fd));
	print("connect", "again", in_connect(fd));
	works(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = { { "readers", readers }, { "writers", writers }, { "signals", signals }, { "connecting", connecting } };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct sigaction on_usr1 = { .sa_handler = on_signal }, on_sigpipe = { .sa_handler = on_pipe };
	sigaction(SIGUSR1, &on_usr1, NULL);
	sigaction(SIGPIPE, &on_sigpipe, NULL);
	if (argc < 4 || getaddrinfo(argv[2], argv[3], &hints, &server) != 0)
		return 2;
	go = argv[argc - 1];
	file = memfd_create("zeros", 0);
	must(file >= 0 && ftruncate(file, MUCH) == 0, "memfd_create");
	much = mmap(NULL, MUCH, PROT_READ, MAP_SHARED, file, 0);
	must(much != MAP_FAILED, "mmap");
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			modes[i].run();
	return 0;
}
