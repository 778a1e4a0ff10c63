/* A child that closes and replaces descriptors, made in one way: children HOW HOST. Its parent's connection must not notice. */
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;

static void meddle(void)
{
	int null = open("/dev/null", O_RDWR);
	close(fd);
	dup2(null, fd);
	dup2(null, 0);
	close_range(3, ~0u, 0);
}

static int run(void *arg)
{
	(void)arg;
	meddle();
	_exit(0);
}

static pid_t by_vfork(void)
{
	pid_t pid = vfork();
	if (pid == 0) {
		meddle();
		execlp("true", "true", (char *)NULL);
		_exit(1);
	}
	return pid;
}

static pid_t by_clone(int flags)
{
	char *stack = malloc(1 << 20);
	return clone(run, stack + (1 << 20), flags | SIGCHLD, NULL);
}

/* No function of the libc's: the library is told nothing. */
static pid_t by_instruction(void)
{
	long pid;
#if defined(__x86_64__)
	__asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_fork) : "rcx", "r11", "memory");
#else
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
	if (pid == 0)
		run(NULL);
	return (pid_t)pid;
}

/* What the child's stack begins with is where syscall(2) returns to there. */
#if defined(__x86_64__)
static void born(void) { run(NULL); }
#endif

static pid_t by_number(void)
{
#if defined(__x86_64__)
	char *stack = malloc(1 << 20);
	uintptr_t *top = (uintptr_t *)(((uintptr_t)stack + (1 << 20) - 64) & ~(uintptr_t)15);
	*top = (uintptr_t)born;
	return (pid_t)syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, top, 0, 0, 0);
#else
	return by_clone(CLONE_VM | CLONE_VFORK);
#endif
}

static pid_t start(const char *how)
{
	if (strcmp(how, "number") == 0)
		return by_number();
	if (strcmp(how, "vfork") == 0)
		return by_vfork();
	if (strcmp(how, "clone") == 0)
		return by_clone(0);
	if (strcmp(how, "shared") == 0)
		return by_clone(CLONE_VM | CLONE_VFORK);
	return by_instruction();
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
	char text[16] = "";
	int status;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 3 || getaddrinfo(argv[2], "80", &hints, &list) != 0 || connect(fd, list->ai_addr, list->ai_addrlen) != 0)
		return 1;
	pid_t pid = start(argv[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return 2;
	if (write(fd, "secret", 6) != 6 || recv(fd, text, 6, MSG_WAITALL) != 6 || strcmp(text, "secret") != 0)
		return 3;
	return close(fd);
}
