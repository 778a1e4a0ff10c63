/* A program whose signal handler writes to a connection and reads from it while the program is busy: handlers HOST ROUNDS, a server that echoes.
 * malloc: the program allocates and frees. other: it writes to, and reads from, another connection; same: the same one. Tells how many of the handler's writes were
 * told to come again later. */
#include "connection.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int fd;
static volatile sig_atomic_t handled, refused, wrong;
static _Atomic size_t sent, received;

static void on_alarm(int number)
{
	char text[64], back[64];
	int saved = errno;
	(void)number;
	memset(text, 'h', sizeof text);
	ssize_t n = write(fd, text, sizeof text);
	if (n > 0)
		sent += (size_t)n;
	else if (errno == EAGAIN)
		refused = refused + 1;
	else
		wrong = wrong + 1;
	n = recv(fd, back, sizeof back, MSG_DONTWAIT);
	if (n > 0)
		received += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		wrong = wrong + 1;
	handled = handled + 1;
	errno = saved;
}

/* Both sides of the handler's connection at once. */
static int share(void)
{
	char back[4096];
	static char text[1000];
	for (size_t done = 0; done < sizeof text;) {
		ssize_t n = write(fd, text + done, sizeof text - done);
		if (n < 0 && errno != EINTR)
			return 0;
		done += n > 0 ? (size_t)n : 0;
		sent += (n > 0 ? (size_t)n : 0);
	}
	ssize_t n = recv(fd, back, sizeof back, MSG_DONTWAIT);
	received += (n > 0 ? (size_t)n : 0);
	return n > 0 || errno == EAGAIN;
}

static void allocate(void)
{
	static void *blocks[64];
	for (int i = 0; i < 64; i++) {
		free(blocks[i]);
		blocks[i] = malloc((size_t)(rand() % 20000));
	}
}

/* By calls that a handler may have been in the middle of. */
static int exchange(int other)
{
	char text[500], back[500];
	memset(text, 'o', sizeof text);
	for (size_t done = 0; done < sizeof text;) {
		ssize_t n = write(other, text + done, sizeof text - done);
		if (n < 0 && errno != EINTR)
			return 0;
		done += n > 0 ? (size_t)n : 0;
	}
	for (size_t done = 0; done < sizeof back;) {
		ssize_t n = read(other, back + done, sizeof back - done);
		if (n == 0 || (n < 0 && errno != EINTR))
			return 0;
		done += n > 0 ? (size_t)n : 0;
	}
	return memcmp(text, back, sizeof text) == 0;
}

int main(int argc, char **argv)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	if (argc != 4)
		return 2;
	int rounds = atoi(argv[2]), other = connection(argv[1]);
	fd = connection(argv[1]);
	if (!exchange(other) || !exchange(fd))
		return 1;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (handled < rounds)
		if (strcmp(argv[3], "malloc") == 0)
			allocate();
		else if (!(strcmp(argv[3], "same") == 0 ? share() : exchange(other)))
			return 1;
	setitimer(ITIMER_REAL, &never, NULL);
	while (received < sent) {
		char back[4096];
		ssize_t n = read(fd, back, sizeof back);
		if (n <= 0)
			return 1;
		received += (size_t)n;
	}
	printf("%d refused\n%d wrong\n", (int)refused, (int)wrong);
	return wrong != 0;
}
