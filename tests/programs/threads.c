/* A threaded program on sockets that echo what they receive: threads MODE HOST [MIB]. Prints "right" when every byte and errno was.
 *
 *   duplex    one thread writes MIB mebibytes, another reads and compares them
 *   many      16 threads, each with 10 connections one after the other and half a MiB on each; another duplicates and closes
 *   closing   a connection is closed, or shut down, while a thread waits in read
 *   cancel    threads are cancelled in a read and in a write that wait; the connections still work, or close
 *   restart   signals with SA_RESTART arrive all the time: no call ends early
 *   stack     a thread of the smallest stack that the system gives is served, and refused elsewhere, as any
 *   pending   threads that are cancelled already go in the calls in which the libc's go, in no other, and leave connections whole
 *   looked    other threads poll and ask for a connection while it is made
 *   eintr     signals without it: calls end with EINTR before the first byte, or with a part; no byte is lost or sent twice
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256u << 10)
#define MIB (1024u * 1024u)

static struct addrinfo *server;
static atomic_bool over;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(int ok, const char *what)
{
	if (!ok)
		die(what);
}

/* The server's orders are struct bench_order of tests/bench/load: echo. */
static int connected(void)
{
	const char order[16] = "e";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	must(fd >= 0 && connect(fd, server->ai_addr, server->ai_addrlen) == 0, "connect");
	must(write(fd, order, sizeof order) == sizeof order, "write of the order");
	return fd;
}

static void pause_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&left, &left) != 0)
		;
}

/* ---- a stream of bytes of which each tells its place ---- */

struct stream {
	int fd;
	uint32_t seed;
	uint64_t total;
	int eintr_is_fine;
	uint64_t interrupted; /* calls that ended with EINTR or, of writes, with a part */
};

/* The 8 bytes at place 8 * WORD: splitmix64. */
static uint64_t pattern(uint32_t seed, uint64_t word)
{
	uint64_t x = (word + 1 + ((uint64_t)seed << 40)) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ (x >> 27);
}

static void fill(char *to, uint32_t seed, uint64_t at, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = pattern(seed, (at + i) / 8);
		memcpy(to + i, &word, 8);
	}
}

static void *write_stream(void *arg)
{
	struct stream *stream = arg;
	char *chunk = malloc(CHUNK);
	must(chunk != NULL, "malloc");
	for (uint64_t at = 0; at < stream->total; at += CHUNK) {
		fill(chunk, stream->seed, at, CHUNK);
		for (size_t done = 0; done < CHUNK;) {
			ssize_t n = write(stream->fd, chunk + done, CHUNK - done);
			must(n > 0 || (n < 0 && errno == EINTR && stream->eintr_is_fine), "write");
			must((size_t)n == CHUNK - done || stream->eintr_is_fine, "write of all");
			stream->interrupted += n < 0 || (size_t)n < CHUNK - done;
			done += n > 0 ? (size_t)n : 0;
		}
	}
	free(chunk);
	return NULL;
}

static void *read_stream(void *arg)
{
	struct stream *stream = arg;
	char *got = malloc(CHUNK), *expected = malloc(CHUNK);
	must(got && expected, "malloc");
	for (uint64_t at = 0; at < stream->total; at += CHUNK) {
		for (size_t done = 0; done < CHUNK;) {
			ssize_t n = read(stream->fd, got + done, CHUNK - done);
			must(n > 0 || (n < 0 && errno == EINTR && stream->eintr_is_fine), n ? "read" : "read met the end");
			stream->interrupted += n < 0;
			done += n > 0 ? (size_t)n : 0;
		}
		fill(expected, stream->seed, at, CHUNK);
		errno = EBADMSG;
		must(memcmp(got, expected, CHUNK) == 0, "compare");
	}
	free(got);
	free(expected);
	return NULL;
}

/* Both ways at once: TOTAL bytes, a multiple of CHUNK. */
static void duplex(struct stream *out, uint64_t total)
{
	struct stream in;
	pthread_t writer;
	out->total = total;
	in = *out;
	must(pthread_create(&writer, NULL, write_stream, out) == 0, "pthread_create");
	read_stream(&in);
	pthread_join(writer, NULL);
	out->interrupted += in.interrupted;
}

static void mode_duplex(uint64_t mib)
{
	struct stream stream = { .fd = connected(), .seed = 1 };
	duplex(&stream, mib * MIB);
	close(stream.fd);
}

/* ---- many ---- */

static void *visit_often(void *arg)
{
	uint32_t self = (uint32_t)(uintptr_t)arg;
	for (uint32_t round = 0; round < 10; round++) {
		struct stream stream = { .fd = connected(), .seed = self * 100 + round };
		duplex(&stream, MIB / 2);
		close(stream.fd);
	}
	return NULL;
}

/* The registry changes all the time under the others. */
static void *duplicate_and_close(void *arg)
{
	int fd = connected();
	(void)arg;
	while (!atomic_load(&over)) {
		int copy = dup(fd);
		must(copy >= 0, "dup");
		struct pollfd pfd = { copy, POLLOUT, 0 };
		must(poll(&pfd, 1, 0) == 1, "poll");
		close(copy);
		pause_ms(1);
	}
	close(fd);
	return NULL;
}

static void mode_many(void)
{
	pthread_t threads[16], other;
	must(pthread_create(&other, NULL, duplicate_and_close, NULL) == 0, "pthread_create");
	for (uintptr_t i = 0; i < 16; i++)
		must(pthread_create(&threads[i], NULL, visit_often, (void *)i) == 0, "pthread_create");
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&over, true);
	pthread_join(other, NULL);
}

/* ---- closing, cancelling ---- */

/* Sends and gets a word back: the connection works. */
static void works(int fd)
{
	char word[8] = "word", got[8] = "";
	must(send(fd, word, sizeof word, MSG_NOSIGNAL) == sizeof word, "send");
	must(recv(fd, got, sizeof got, MSG_WAITALL) == sizeof got && strcmp(got, word) == 0, "recv");
}

static void *read_once(void *arg)
{
	char byte = 0;
	ssize_t n = read(*(int *)arg, &byte, 1);
	return (void *)(intptr_t)(n < 0 ? -errno : n);
}

static void *write_for_ever(void *arg)
{
	char *chunk = calloc(1, CHUNK);
	must(chunk != NULL, "calloc");
	pthread_cleanup_push(free, chunk);
	while (write(*(int *)arg, chunk, CHUNK) > 0)
		;
	pthread_cleanup_pop(1);
	return NULL;
}

static pthread_t waiting(void *(*run)(void *), int *fd)
{
	pthread_t thread;
	must(pthread_create(&thread, NULL, run, fd) == 0, "pthread_create");
	pause_ms(30);
	return thread;
}

/* What a reader gets that another thread's close or shutdown wakes. */
static void joined(pthread_t reader)
{
	void *result;
	pthread_join(reader, &result);
	errno = (int)-(intptr_t)result;
	must((intptr_t)result <= 0 && errno != EFAULT, "read beside a close");
}

/* shutdown wakes the reader, which meets the end. After close its number soon is another connection, whose bytes are not for it. */
static void mode_closing(void)
{
	for (int round = 0; round < 20; round++) {
		int number = connected();
		works(number);
		pthread_t reader = waiting(read_once, &number);
		if (round % 2) {
			must(shutdown(number, round % 4 == 1 ? SHUT_RDWR : SHUT_WR) == 0, "shutdown");
			joined(reader);
			close(number);
			continue;
		}
		close(number);
		int next = connected();
		for (int i = 0; i < 50; i++)
			works(next);
		pthread_cancel(reader);
		pthread_join(reader, NULL);
		works(next);
		close(next);
	}
}

static void mode_cancel(void)
{
	void *result;
	for (int round = 0; round < 20; round++) {
		int fd = connected();
		pthread_t thread = waiting(read_once, &fd);
		must(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED, "cancel a read");
		works(fd);
		thread = waiting(write_for_ever, &fd);
		must(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED, "cancel a write");
		must(close(fd) == 0, "close");
	}
}

/* ---- signals ---- */

static atomic_ulong handled;
static void on_signal(int number) { (void)number; atomic_fetch_add(&handled, 1); }

static void *disturb(void *arg)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!atomic_load(&over)) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		kill(getpid(), SIGUSR2);
		pause_ms(1);
	}
	return NULL;
}

/* A read that waits longer than several signals, then both ways at once. */
static void mode_signals(int flags, uint64_t mib)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	struct stream stream = { .fd = connected(), .seed = 7, .eintr_is_fine = !(flags & SA_RESTART) };
	pthread_t self = pthread_self(), other;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	must(pthread_create(&other, NULL, disturb, &self) == 0, "pthread_create");
	if (!(flags & SA_RESTART))
		must(read_once(&stream.fd) == (void *)(intptr_t)-EINTR, "read with signals that do not restart");
	duplex(&stream, mib * MIB);
	atomic_store(&over, true);
	pthread_join(other, NULL);
	must(atomic_load(&handled) > 0, "signals");
	if (flags & SA_RESTART) {
		errno = EINTR;
		must(stream.interrupted == 0, "calls that restart");
	}
	close(stream.fd);
}

static void *on_small_stack(void *unused)
{
	struct sockaddr_in elsewhere = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	const char *said = "hello";
	char heard[8];
	int fd = connected();
	must(write(fd, said, 5) == 5, "write");
	must(recv(fd, heard, 5, MSG_WAITALL) == 5 && memcmp(heard, said, 5) == 0, "recv");
	must(shutdown(fd, SHUT_WR) == 0 && read(fd, heard, 1) == 0 && close(fd) == 0, "end");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(fd, (struct sockaddr *)&elsewhere, sizeof elsewhere) < 0 && errno == EACCES && close(fd) == 0, "refusal");
	return unused;
}

/* The first of them also loads the policy and the engine, the second goes on with the first one's session. */
static void mode_stack(void)
{
	pthread_attr_t small;
	pthread_t thread;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	for (int i = 0; i < 2; i++) {
		must((errno = pthread_create(&thread, &small, on_small_stack, NULL)) == 0, "pthread_create");
		pthread_join(thread, NULL);
	}
	pthread_attr_destroy(&small);
}

/* ---- cancelled before it calls ---- */

enum { IN_GETSOCKOPT, IN_DUP2, IN_SENDFILE, IN_WRITE, IN_CLOSE, CALLS };
static int pending_fd, pending_file;
static atomic_bool came_back;

static void *cancelled_in(void *call)
{
	int error = 0;
	socklen_t size = sizeof error;
	off_t at = 0;
	pthread_cancel(pthread_self());
	switch (*(int *)call) {
	case IN_GETSOCKOPT: getsockopt(pending_fd, SOL_SOCKET, SO_ERROR, &error, &size); break;
	case IN_DUP2: dup2(pending_fd, 0); break;
	case IN_SENDFILE: must(sendfile(pending_fd, pending_file, &at, 3) == 3, "sendfile"); break;
	case IN_WRITE: must(write(pending_fd, "never", 5) < 0, "write"); break;
	case IN_CLOSE: close(pending_fd); break;
	}
	came_back = true;
	pthread_testcancel();
	return NULL;
}

/* The connection echoes SAID first, if anything, and then what it is told. */
static void still_speaks(int fd, const char *said)
{
	char heard[16];
	struct pollfd opened = { .fd = fd, .events = POLLOUT };
	size_t length = strlen(said);
	must(poll(&opened, 1, -1) == 1 && fcntl(fd, F_SETFL, 0) == 0, "poll");
	must(length == 0 || (recv(fd, heard, length, MSG_WAITALL) == (ssize_t)length && memcmp(heard, said, length) == 0), "what was said");
	must(write(fd, "hello", 5) == 5 && recv(fd, heard, 5, MSG_WAITALL) == 5 && memcmp(heard, "hello", 5) == 0, "hello");
	must(close(fd) == 0, "close");
}

static void mode_pending(void)
{
	const char order[16] = "e";
	pthread_t thread;
	void *result;
	alarm(30); /* whoever waits for a lock that is held for ever */
	pending_file = memfd_create("file", 0);
	must(pending_file >= 0 && write(pending_file, "abc", 3) == 3, "file");
	for (int call = 0; call < CALLS; call++) {
		if (call == IN_GETSOCKOPT) {
			pending_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			must(connect(pending_fd, server->ai_addr, server->ai_addrlen) < 0 && errno == EINPROGRESS, "connect");
		} else {
			pending_fd = connected();
		}
		came_back = false;
		must((errno = pthread_create(&thread, NULL, cancelled_in, &call)) == 0, "pthread_create");
		pthread_join(thread, &result);
		must(result == PTHREAD_CANCELED && came_back == (call < IN_WRITE), "cancellation");
		if (call == IN_GETSOCKOPT) {
			struct pollfd opened = { .fd = pending_fd, .events = POLLOUT };
			must(poll(&opened, 1, -1) == 1 && write(pending_fd, order, sizeof order) == sizeof order, "order");
		}
		still_speaks(pending_fd, call == IN_SENDFILE ? "abc" : "");
	}
	close(pending_file);
}

/* ---- looked at while it is made ---- */

static _Atomic int looked_at;
static _Atomic unsigned connections; /* counted as each begins and as it ends: who looks for longer may be told of another one */

enum { BY_POLL, BY_FIONREAD, BY_SO_ERROR, LOOKS };

static void *look(void *arg)
{
	while (!over) {
		unsigned before = connections;
		struct pollfd both = { .fd = looked_at, .events = POLLIN | POLLOUT };
		int available, error = 0;
		socklen_t size = sizeof error;
		switch ((int)(intptr_t)arg) {
		case BY_POLL:
			must(poll(&both, 1, 0) <= 0 || !(both.revents & POLLERR) || connections != before, "poll: an error");
			break;
		case BY_FIONREAD:
			ioctl(both.fd, FIONREAD, &available);
			break;
		case BY_SO_ERROR:
			getsockopt(both.fd, SOL_SOCKET, SO_ERROR, &error, &size);
			errno = error;
			must(error == 0 || connections != before, "SO_ERROR");
			break;
		}
	}
	return NULL;
}

static void mode_looked(void)
{
	pthread_t threads[LOOKS];
	looked_at = -1;
	for (int i = 0; i < LOOKS; i++)
		must((errno = pthread_create(&threads[i], NULL, look, (void *)(intptr_t)i)) == 0, "pthread_create");
	for (int i = 0; i < 300; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		connections++;
		looked_at = fd;
		must(fd >= 0 && connect(fd, server->ai_addr, server->ai_addrlen) == 0, "connect");
		must(write(fd, "e", 1) == 1, "write");
		looked_at = -1;
		connections++;
		close(fd);
	}
	over = true;
	for (int i = 0; i < LOOKS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	const char *mode = argc > 2 ? argv[1] : "";
	uint64_t mib = argc > 3 ? strtoull(argv[3], NULL, 10) : 8;
	if (argc < 3 || getaddrinfo(argv[2], "80", &hints, &server) != 0)
		return 2;
	if (strcmp(mode, "duplex") == 0)
		mode_duplex(mib);
	else if (strcmp(mode, "many") == 0)
		mode_many();
	else if (strcmp(mode, "closing") == 0)
		mode_closing();
	else if (strcmp(mode, "cancel") == 0)
		mode_cancel();
	else if (strcmp(mode, "restart") == 0)
		mode_signals(SA_RESTART, mib);
	else if (strcmp(mode, "stack") == 0)
		mode_stack();
	else if (strcmp(mode, "pending") == 0)
		mode_pending();
	else if (strcmp(mode, "looked") == 0)
		mode_looked();
	else if (strcmp(mode, "eintr") == 0)
		mode_signals(0, mib);
	else
		return 2;
	freeaddrinfo(server);
	puts("right");
	return 0;
}
