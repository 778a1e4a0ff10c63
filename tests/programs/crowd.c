/* Many short processes that connect: crowd ADDRESS PORT COUNT. Prints how many succeeded, and how many were denied.
 * crowd stalled: eight processes wait in connect for a server that accepts nobody; prints whether others go on meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 40
#define WAITING 8

static int attempt(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), error;
	char byte = 'x';

	error = connect(fd, (const struct sockaddr *)to, sizeof(*to)) ? errno : 0;
	if (!error && (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1 || byte != 'x'))
		error = EIO;
	close(fd);
	return error;
}

static void crowd(const struct sockaddr_in *to, int count)
{
	int succeeded = 0, denied = 0, running = 0, status;

	for (int started = 0; started < count || running;) {
		if (started < count && running < AT_ONCE) {
			if (fork() == 0)
				_exit(attempt(to));
			started++;
			running++;
			continue;
		}
		wait(&status);
		running--;
		succeeded += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		denied += WIFEXITED(status) && WEXITSTATUS(status) == EACCES;
	}
	printf("%d succeeded, %d denied\n", succeeded, denied);
}

static int listening(struct sockaddr_in *at, int queue)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	bind(fd, (struct sockaddr *)at, sizeof(*at));
	listen(fd, queue);
	getsockname(fd, (struct sockaddr *)at, &len);
	return fd;
}

static void stalled(void)
{
	struct sockaddr_in full, open_one;
	int server, waiting = 0, connected = 0;
	pid_t pids[WAITING];

	listening(&full, 0);
	server = listening(&open_one, 100);
	for (int i = 0; i < 3; i++)
		connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&full, sizeof(full));
	for (int i = 0; i < WAITING; i++)
		if ((pids[i] = fork()) == 0)
			_exit(attempt(&full));
	for (int i = 0; i < 50; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		connected += connect(fd, (struct sockaddr *)&open_one, sizeof(open_one)) == 0;
		close(fd);
		close(accept(server, NULL, NULL));
		if (i == 25)
			usleep(100000); /* all of them wait by now */
	}
	for (int i = 0; i < WAITING; i++)
		waiting += waitpid(pids[i], NULL, WNOHANG) == 0;
	printf("%d connected while %d waited\n", connected, waiting);
	for (int i = 0; i < WAITING; i++)
		kill(pids[i], SIGKILL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (argc == 2 && !strcmp(argv[1], "stalled")) {
		stalled();
		return 0;
	}
	if (argc != 4 || !inet_aton(argv[1], &to.sin_addr))
		return 2;
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	crowd(&to, (int)strtol(argv[3], NULL, 10));
	return 0;
}
