/* late MODE [FILE]: does something before its first call of a hooked function, then connects to 203.0.113.9:80 and prints "connected" or the
 * errno's name. Nothing before that may call one: no close, no write, no fcntl. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *try(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_aton("203.0.113.9", &to.sin_addr);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? "connected" : strerrorname_np(errno);
}

/* As programs do that write their title over what the kernel put there. */
static void wipe_environment(void)
{
	for (char **it = environ; *it; it++)
		memset(*it, 'x', strlen(*it));
	environ[0] = NULL;
}

static pthread_barrier_t both;

static void *first_call(void *unused)
{
	pthread_barrier_wait(&both);
	if (read(-1, NULL, 0) == 0)
		exit(1);
	return unused;
}

/* One thread meets its first hook while another forks: the child finds the library whole. */
static int fork_meanwhile(void)
{
	pthread_t thread;
	int status = 1;

	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&thread, NULL, first_call, NULL);
	pthread_barrier_wait(&both);
	pid_t child = fork();
	if (child == 0) {
		alarm(20);
		_exit(strcmp(try(), "ETIMEDOUT") != 0);
	}
	pthread_join(thread, NULL);
	waitpid(child, &status, 0);
	return status != 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "fork"))
		return fork_meanwhile();
	if (!strcmp(mode, "environment"))
		wipe_environment();
	if (!strcmp(mode, "stderr") && open(argv[2], O_WRONLY | O_CREAT, 0600) != 2)
		return 2;
	puts(try());
	return 0;
}
