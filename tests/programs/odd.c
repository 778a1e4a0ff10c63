/* odd MODE ADDRESS PORT [DIRECTORY]: connects, or prints, at a moment when few programs do. Prints "connected" or the errno's name. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sockaddr_in to = { .sin_family = AF_INET };

static const char *try(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int result = connect(fd, (struct sockaddr *)&to, sizeof(to)), error = errno;

	close(fd);
	return result == 0 ? "connected" : strerrorname_np(error);
}

/* Async-signal-safe enough: one write. */
static void tell(const char *text)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (write(1, line, (size_t)n) != n)
		_exit(3);
}

static void at_exit(void) { tell(try()); }
static void on_signal(int number) { (void)number; tell(try()); }

static int lose_root(const char *directory)
{
	if (chroot(directory) || chdir("/"))
		return 1;
	tell(try());
	return 0;
}

static int lose_user(void)
{
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return 1;
	tell(try());
	return 0;
}

/* Descriptor 2 is the program's own file from now on. */
static int reuse_stderr(const char *file)
{
	close(2);
	if (open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) != 2)
		return 1;
	tell(try());
	return 0;
}

static int close_everything(void)
{
	close_range(3, ~0u, 0);
	tell(try());
	return 0;
}

static int few_descriptors(void)
{
	struct rlimit limit = { 5, 5 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	tell(try());
	return 0;
}

/* Kills the process at every call but these, as OpenSSH's sandbox does. */
static int confine(void)
{
	static const unsigned allowed[] = { SYS_read, SYS_write, SYS_close, SYS_poll, SYS_exit_group, SYS_rt_sigreturn, SYS_sendto, SYS_recvfrom };
	struct sock_filter code[2 * sizeof(allowed) / sizeof(allowed[0]) + 2];
	struct sock_fprog program = { .filter = code };
	int pair[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	struct pollfd ready = { .fd = pair[1], .events = POLLIN };
	if (write(pair[0], "x", 1) != 1 || poll(&ready, 1, 1000) != 1 || read(pair[1], &byte, 1) != 1)
		return 1;
	if (send(pair[0], "y", 1, 0) != 1 || recv(pair[1], &byte, 1, 0) != 1 || close(pair[0]) || close(pair[1]))
		return 1;
	tell("confined");
	_exit(0);
}

static atomic_int tried;

static void *keep_trying(void *data)
{
	(void)data;
	for (;;) {
		try();
		tried++;
	}
	return NULL;
}

/* The process ends while its threads are in every part of the library, which its exit handlers call, too. */
static int exit_among_threads(void)
{
	pthread_t thread;

	atexit(at_exit);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread, NULL, keep_trying, NULL))
			return 1;
	while (tried < 8)
		usleep(1000);
	exit(0);
}

static int in_little_memory(const char *kib)
{
	struct rlimit limit = { strtoul(kib, NULL, 10) << 10, RLIM_INFINITY };

	if (setrlimit(RLIMIT_AS, &limit))
		return 1;
	tell(try());
	return 0;
}

static int run(const char *mode, const char *extra)
{
	if (!strcmp(mode, "chroot"))
		return lose_root(extra);
	if (!strcmp(mode, "setuid"))
		return lose_user();
	if (!strcmp(mode, "stderr"))
		return reuse_stderr(extra);
	if (!strcmp(mode, "close_range"))
		return close_everything();
	if (!strcmp(mode, "few"))
		return few_descriptors();
	if (!strcmp(mode, "threads"))
		return exit_among_threads();
	if (!strcmp(mode, "memory"))
		return in_little_memory(extra);
	if (!strcmp(mode, "confined"))
		return confine();
	if (!strcmp(mode, "signal")) {
		signal(SIGUSR1, on_signal);
		return raise(SIGUSR1);
	}
	if (!strcmp(mode, "exit"))
		return atexit(at_exit);
	tell(try());
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	inet_aton(argv[2], &to.sin_addr);
	to.sin_port = htons((unsigned short)atoi(argv[3]));
	return run(argv[1], argc > 4 ? argv[4] : "/");
}
