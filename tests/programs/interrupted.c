/* A program whose signal handler writes to its connection, closes and copies descriptors, while the program itself is busy with the
 * same connection: interrupted HOST. Tells how many writes of each kind there were. */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int fd;
static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
	(void)number;
	if (write(fd, "secret handler\n", 15) == 15)
		handled = handled + 1;
	int copy = dup(fd);
	if (copy >= 0)
		close(copy);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	char text[1000];
	size_t sent = 0;
	memset(text, 'm', sizeof text);
	memcpy(text, "secret main", 11);
	text[sizeof text - 1] = '\n';
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 2 || getaddrinfo(argv[1], "80", &hints, &list) != 0 || connect(fd, list->ai_addr, list->ai_addrlen) != 0)
		return 1;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (handled < 200 && sent < 200000000)
		for (size_t at = 0; at < sizeof text;) {
			ssize_t n = write(fd, text + at, sizeof text - at);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return 1;
			at += (size_t)n;
			sent += (size_t)n;
		}
	setitimer(ITIMER_REAL, &never, NULL);
	close(fd);
	printf("%zu\n", sent + (size_t)handled * 15);
	return 0;
}
