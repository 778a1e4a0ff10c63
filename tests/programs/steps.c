/* A program whose signal handler forks, or writes to another connection, at every step that the library takes in its calls: steps HOST
 * fork|write, a server that echoes. A write is taken whole or put off; what was taken comes back. In the engine, too, is written.
 *
 * A tracer runs the calls instruction by instruction. At each one of libegret.so's that it sees for the first time it lets the signal come, whose
 * handler forks and waits for its child. Both stop by int3 where the tracer shall take over again: around the calls, and behind the handler.
 */
#include "connection.h"
#include "must.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PATIENCE 100 /* seconds, of calls that wait for nothing */

#define STOP 0x65677265ul /* in a register, where no other int3 has it */

static void stop(void) { __asm__ volatile("int3" : : "a"(STOP)); }

static int other = -1; /* -1: the handler forks */
static size_t written;

static void write_other(void)
{
	ssize_t n = write(other, "handler", 7);
	if (n != 7 && !(n == -1 && errno == EAGAIN))
		_exit(3);
	written += n > 0 ? (size_t)n : 0;
}

static void on_signal(int number)
{
	int saved = errno;
	(void)number;
	pid_t pid = other < 0 ? fork() : (write_other(), -1);
	if (pid == 0)
		_exit(0);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	stop();
	errno = saved;
}

static ssize_t transfer(int fd, char *word, size_t size, bool sends)
{
	ssize_t n;
	do
		n = sends ? send(fd, word, size, MSG_NOSIGNAL) : recv(fd, word, size, 0);
	while (n < 0 && (errno == EINTR || errno == EAGAIN)); /* the library says EAGAIN to a handler only, and to nobody whom one interrupts */
	return n;
}

static void talk(int fd)
{
	char word[8] = "word";
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC);
	int copy = dup(fd);
	must(epoll_ctl(set, EPOLL_CTL_ADD, copy, &event) == 0, "epoll_ctl");
	must(transfer(fd, word, sizeof word, true) == sizeof word, "send");
	while (epoll_wait(set, &event, 1, -1) != 1)
		;
	must(transfer(copy, word, sizeof word, false) == sizeof word && strcmp(word, "word") == 0, "recv");
	must(epoll_ctl(set, EPOLL_CTL_MOD, copy, &event) == 0 && epoll_ctl(set, EPOLL_CTL_DEL, copy, &event) == 0, "epoll_ctl");
	close(copy);
	close(set);
	close(fd);
}

/* What was written so far comes back, whole. */
static void take_back(void)
{
	char back[7];
	for (size_t at = 0; at < written; at += sizeof back)
		must(recv(other, back, sizeof back, MSG_WAITALL) == sizeof back && memcmp(back, "handler", sizeof back) == 0, "the handler's bytes");
}

static int run(const char *host, bool writes)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int fd = connection(host);
	if (writes) {
		other = connection(host);
		write_other();
		take_back();
		written = 0;
	}
	sigaction(SIGUSR1, &action, NULL);
	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
	stop();
	talk(fd);
	stop();
	take_back();
	if (writes)
		printf("%zu writes\n", written / 7);
	return writes && written == 0;
}

/* ---- the tracer ---- */

struct library {
	unsigned long start, end;
	bool *seen; /* for each byte */
};

/* Where PID has the code of NAME. */
static struct library find(pid_t pid, const char *name)
{
	struct library library = { 0 };
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "r");
	must(maps != NULL, path);
	while (fgets(line, sizeof line, maps))
		if (strstr(line, name) && sscanf(line, "%lx-%lx %*1s%*1s%1[x]", &library.start, &library.end, path) == 3)
			break;
	fclose(maps);
	must(library.end != 0, name);
	library.seen = calloc(library.end - library.start, sizeof *library.seen);
	return library;
}

static bool is_new(const struct library *library, unsigned long at)
{
	if (at < library->start || at >= library->end || library->seen[at - library->start])
		return false;
	return library->seen[at - library->start] = true;
}

/* Goes on with PID, which gets SIGNAL, until it stops by itself; other signals, SIGCHLD and the like, reach it. With the tracee the tracer ends. */
static void go_on(enum __ptrace_request how, pid_t pid, long signal)
{
	int status;
	do {
		must(ptrace(how, pid, NULL, (void *)signal) == 0 && waitpid(pid, &status, 0) == pid, "ptrace");
		if (WIFSIGNALED(status))
			fprintf(stderr, "it died of signal %d\n", WTERMSIG(status));
		if (!WIFSTOPPED(status))
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		signal = WSTOPSIG(status);
	} while (signal != SIGTRAP);
}

static void trace(pid_t pid, bool writes)
{
	unsigned steps = 0;
	must(waitpid(pid, NULL, 0) == pid && ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0, "the first stop");
	struct library library = find(pid, "/libegret.so"), engine = { 0 };
	if (writes)
		engine = find(pid, "/libegret-tls.so");
	alarm(PATIENCE); /* the tracer's: who hangs may have all signals blocked */
	for (;;) {
		struct user_regs_struct regs;
		go_on(PTRACE_SINGLESTEP, pid, 0);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		if (regs.rax == STOP && (ptrace(PTRACE_PEEKTEXT, pid, (void *)(regs.rip - 1), NULL) & 0xff) == 0xcc)
			break;
		if (!is_new(&library, regs.rip) && !is_new(&engine, regs.rip))
			continue;
		go_on(PTRACE_CONT, pid, SIGUSR1);
		steps++;
	}
	printf("%u steps\n", steps);
	must(steps > 0, "no step of the library's");
	fflush(stdout);
	go_on(PTRACE_CONT, pid, 0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	bool writes = strcmp(argv[2], "write") == 0;
	pid_t pid = fork();
	if (pid == 0)
		return run(argv[1], writes);
	trace(pid, writes);
	return 1;
}
#else
int main(void) { return 77; /* nobody has written the steps down for this machine */ }
#endif
