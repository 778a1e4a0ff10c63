/* A program whose signal handler forks at every step that the library takes in its calls: fork_steps HOST.
 *
 * A tracer runs the calls instruction by instruction. At each one of libegret.so's that it sees for the first time it lets the signal come, whose
 * handler forks and waits for its child. Both stop by int3 where the tracer shall take over again: around the calls, and behind the handler.
 */
#include <errno.h>
#include <link.h>
#include <netdb.h>
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

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

#define STOP 0x65677265ul /* in a register, where no other int3 has it */

static void stop(void) { __asm__ volatile("int3" : : "a"(STOP)); }

static void on_signal(int number)
{
	int saved = errno;
	(void)number;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
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

static int run(const char *host)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *server;
	must(getaddrinfo(host, "80", &hints, &server) == 0, "getaddrinfo");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(fd, server->ai_addr, server->ai_addrlen) == 0, "connect");
	freeaddrinfo(server);
	sigaction(SIGUSR1, &action, NULL);
	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
	stop();
	talk(fd);
	stop();
	return 0;
}

/* ---- the tracer ---- */

struct library {
	unsigned long start, end;
	bool *seen; /* for each byte */
};

/* The child, a fork of the tracer's, has it at the same place. */
static int find(struct dl_phdr_info *info, size_t size, void *data)
{
	struct library *library = data;
	(void)size;
	if (!strstr(info->dlpi_name, "libegret.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		library->start = info->dlpi_addr + part->p_vaddr;
		library->end = library->start + part->p_memsz;
		library->seen = calloc(part->p_memsz, sizeof *library->seen);
	}
	return 1;
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

static void trace(pid_t pid, const struct library *library)
{
	unsigned forks = 0;
	must(waitpid(pid, NULL, 0) == pid && ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0, "the first stop");
	alarm(PATIENCE); /* the tracer's: who hangs may have all signals blocked */
	for (;;) {
		struct user_regs_struct regs;
		go_on(PTRACE_SINGLESTEP, pid, 0);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		if (regs.rax == STOP && (ptrace(PTRACE_PEEKTEXT, pid, (void *)(regs.rip - 1), NULL) & 0xff) == 0xcc)
			break;
		if (!is_new(library, regs.rip))
			continue;
		go_on(PTRACE_CONT, pid, SIGUSR1);
		forks++;
	}
	printf("%u forks\n", forks);
	must(forks > 0, "no step of the library's");
	fflush(stdout);
	go_on(PTRACE_CONT, pid, 0);
}

int main(int argc, char **argv)
{
	struct library library = { 0 };
	if (argc != 2 || !dl_iterate_phdr(find, &library))
		return 2;
	pid_t pid = fork();
	if (pid == 0)
		return run(argv[1]);
	trace(pid, &library);
	return 1;
}
#else
int main(void) { return 77; /* nobody has written the steps down for this machine */ }
#endif
