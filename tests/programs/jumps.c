/* A program whose time-outs are a signal handler that jumps out of the call that waits: jumps WAY HOST PORT ROUNDS [thread] [onstack] [GO].
 *
 *   reads     one connection to a server that echoes, ROUNDS calls of each kind that wait for something to read are left; then a child has it
 *   many      ROUNDS connections, on each of which such calls are left
 *   writes    ROUNDS connections, a write to each of which is left; what was sent before, and nothing else, comes back
 *   files     the same with sendfile
 *   connects  ROUNDS connects to a server that does not answer are left
 *   goes_on   ROUNDS connects of one socket are left; then the file GO is made, for which the server waits, and the next one goes on
 *   lookup_once  one gethostbyname is left
 *   lookups   ROUNDS look-ups of each kind of "stalls" and "late", of the same domain, are left; tells how many descriptors that cost, of the libc's
 *
 * thread: by a thread that ends by pthread_exit; onstack: the handler has a stack of its own. A second thread sends the signal, once the first
 * one sleeps. Prints "right" when every byte was, and neither memory nor descriptors grew.
 */
#include "asleep.h"
#include "must.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct addrinfo *server;
static sigjmp_buf out;
static _Atomic int sleeper; /* the thread that is to be interrupted, once it sleeps; 0: none */
static pthread_t thread;
static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER; /* held while a descriptor of the looks is open */

static void on_signal(int number)
{
	(void)number;
	if (atomic_exchange(&sleeper, 0))
		siglongjmp(out, 1);
}

static bool sleeps(int id)
{
	pthread_mutex_lock(&looking);
	bool asleep = is_asleep(id);
	pthread_mutex_unlock(&looking);
	return asleep;
}

static void *disturb(void *unused)
{
	for (;;) {
		int id = atomic_load(&sleeper);
		if (id < 0)
			return unused;
		if (id && sleeps(id) && atomic_load(&sleeper) == id)
			pthread_kill(thread, SIGALRM);
		usleep(id ? 20 : 100);
	}
}

/* Runs CALL, which waits, until the handler has left it. */
#define LEAVE(call)                                                                                                             \
	do {                                                                                                                    \
		if (sigsetjmp(out, 1) == 0) {                                                                                   \
			atomic_store(&sleeper, (int)syscall(SYS_gettid));                                                       \
			errno = 0;                                                                                              \
			long gave = (long)(call);                                                                               \
			fprintf(stderr, "%ld: ", gave);                                                                         \
			must(false, "a call that was to wait: " #call);                                                         \
		}                                                                                                               \
	} while (0)

static void leave_reads(int fd)
{
	char byte;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	fd_set set;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	int waiter = epoll_create1(EPOLL_CLOEXEC);
	must(epoll_ctl(waiter, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	LEAVE(read(fd, &byte, 1));
	LEAVE(recv(fd, &byte, 1, MSG_PEEK | MSG_WAITALL));
	LEAVE(poll(&pfd, 1, -1));
	LEAVE(select(fd + 1, &set, NULL, NULL, NULL));
	LEAVE(epoll_wait(waiter, &event, 1, -1));
	close(waiter);
}

static void reads(int rounds)
{
	int fd = connected_to(server), status;
	for (int i = 0; i < rounds; i++) {
		leave_reads(fd);
		if (i % 50 == 0)
			works(fd);
	}
	works(fd);
	pid_t pid = fork();
	if (pid == 0) {
		works(fd);
		int other = connected_to(server);
		works(other);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0, "the child");
	close(fd);
}

static void many(int rounds)
{
	for (volatile int i = 0; i < rounds; i++) {
		int fd = connected_to(server);
		works(fd); /* what a server says first, tickets, has come */
		leave_reads(fd);
		works(fd);
		must(close(fd) == 0, "close");
	}
}

static char pattern(size_t at) { return (char)(at % 251 ^ (at / 251) % 239); }

#define LARGE ((size_t)64 << 20)

/* What comes until the end is how WHOLE begins, and something. */
static void comes_back(int fd, const char *whole)
{
	static char got[65536];
	size_t at = 0;
	ssize_t n;
	while ((n = read(fd, got, sizeof got)) > 0) {
		must(memcmp(whole + at, got, (size_t)n) == 0, "what came back");
		at += (size_t)n;
	}
	must(n == 0 && at > 0, "the end");
}

static char *text; /* LARGE */

static void make_text(void)
{
	if (text)
		return;
	text = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		text[i] = pattern(i);
}

static void writes(int rounds)
{
	make_text();
	for (volatile int i = 0; i < rounds; i++) {
		int fd = connected_to(server);
		LEAVE(write(fd, text, LARGE));
		must(shutdown(fd, SHUT_WR) == 0, "shutdown");
		comes_back(fd, text);
		close(fd);
	}
}

static void files(int rounds)
{
	make_text();
	FILE *file = tmpfile();
	must(file && fwrite(text, 1, LARGE, file) == LARGE && fflush(file) == 0, "tmpfile");
	for (volatile int i = 0; i < rounds; i++) {
		int fd = connected_to(server), state;
		volatile off_t at = 0;
		LEAVE(sendfile(fd, fileno(file), (off_t *)&at, LARGE));
		must(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0 && state == PTHREAD_CANCEL_ENABLE, "cancellation");
		must(shutdown(fd, SHUT_WR) == 0, "shutdown");
		comes_back(fd, text);
		close(fd);
	}
	fclose(file);
}

static void connects(int rounds)
{
	for (volatile int i = 0; i < rounds; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		LEAVE(connect(fd, server->ai_addr, server->ai_addrlen));
		must(close(fd) == 0, "close");
	}
}

static const char *go;

static void goes_on(int rounds)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unlink(go);
	for (volatile int i = 0; i < rounds; i++)
		LEAVE(connect(fd, server->ai_addr, server->ai_addrlen));
	close(open(go, O_CREAT | O_WRONLY, 0600));
	must(connect(fd, server->ai_addr, server->ai_addrlen) == 0, "the next connect");
	works(fd);
	close(fd);
}

static const char *host, *port; /* of the server */

static int look_up(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
	int code = getaddrinfo(name, port, &hints, &list);
	if (code == 0)
		freeaddrinfo(list);
	return code;
}

static void *resolve_and_speak(void *unused)
{
	struct hostent one, *found = NULL;
	char buf[1024];
	int error, fd = connected_to(server);
	must(look_up(host) == 0, "getaddrinfo");
	must(gethostbyname_r(host, &one, buf, sizeof buf, &found, &error) == 0 && found, "gethostbyname_r");
	works(fd);
	close(fd);
	return unused;
}

static void both_speak(void)
{
	pthread_t other;
	resolve_and_speak(NULL);
	must(pthread_create(&other, NULL, resolve_and_speak, NULL) == 0 && pthread_join(other, NULL) == 0, "another thread");
}

static const char *in_domain(const char *name, char whole[256])
{
	snprintf(whole, 256, "%s%s", name, strchr(host, '.'));
	return whole;
}

static void lookups(int rounds)
{
	struct hostent one, *found;
	char buf[1024], names[2][256];
	unsigned char answer[512];
	int error;
	in_domain("stalls", names[0]);
	in_domain("late", names[1]);
	for (volatile int i = 0; i < rounds; i++) {
		LEAVE(look_up(names[i % 2]));
		LEAVE(gethostbyname_r(names[i % 2], &one, buf, sizeof buf, &found, &error));
		LEAVE(res_query(names[i % 2], C_IN, T_A, answer, sizeof answer));
	}
	both_speak();
}

/* The libc's own is left locked: it is the last of its kind. */
static void lookup_once(int rounds)
{
	static bool done;
	(void)rounds;
	if (!done)
		LEAVE(gethostbyname(in_domain("stalls", (char[256]){ "" })));
	done = true;
	both_speak();
}

static long resident(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	must(file && fscanf(file, "%*d %ld", &pages) == 1, "statm");
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Without the library's for its log, which stays open while lines come fast. */
static int descriptors(void)
{
	int count = 0;
	pthread_mutex_lock(&looking);
	for (int fd = 0; fd < 512; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	pthread_mutex_unlock(&looking);
	return count;
}

static void (*way)(int);
static int rounds;
static bool on_stack, by_thread, measures;

static void give_stack(void)
{
	stack_t stack = { .ss_size = 65536 };
	stack.ss_sp = malloc(stack.ss_size);
	must(sigaltstack(&stack, NULL) == 0, "sigaltstack");
}

static void *run(void *unused)
{
	thread = pthread_self();
	if (on_stack)
		give_stack();
	way(rounds / 10 + 1);
	long before = resident();
	int open = descriptors();
	way(rounds);
	if (measures && resident() - before > 1024)
		printf("memory grew by %ld KiB\n", resident() - before);
	if (way == lookups)
		printf("%d descriptors\n", descriptors() - open);
	must(way == lookups || descriptors() == open, "descriptors grew");
	if (by_thread)
		pthread_exit(unused);
	return unused;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(int);
	} ways[] = { { "reads", reads }, { "many", many }, { "writes", writes }, { "files", files }, { "connects", connects },
		       { "goes_on", goes_on }, { "lookups", lookups }, { "lookup_once", lookup_once } };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t disturber, worker;
	if (argc < 5 || getaddrinfo(argv[2], argv[3], &hints, &server) != 0)
		return 2;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			way = ways[i].run;
	host = argv[2];
	port = argv[3];
	go = argv[argc - 1];
	rounds = atoi(argv[4]);
	measures = !getenv("ASAN_OPTIONS") && !getenv("TSAN_OPTIONS"); /* they keep what is freed for a while */
	for (int i = 5; i < argc; i++) {
		by_thread |= strcmp(argv[i], "thread") == 0;
		on_stack |= strcmp(argv[i], "onstack") == 0;
	}
	action.sa_flags = on_stack ? SA_ONSTACK : 0;
	sigaction(SIGALRM, &action, NULL);
	must(pthread_create(&disturber, NULL, disturb, NULL) == 0, "pthread_create");
	if (by_thread)
		must(pthread_create(&worker, NULL, run, NULL) == 0 && pthread_join(worker, NULL) == 0, "the thread");
	else
		run(NULL);
	atomic_store(&sleeper, -1);
	pthread_join(disturber, NULL);
	puts("right");
	return 0;
}
