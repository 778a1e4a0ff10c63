/* A blocking connect that a signal meets: waits_in_connect ADDRESS PORT GO. First without SA_RESTART; then with it, where the handler
 * creates the file GO, for which the server waits. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *go;
static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
	(void)number;
	if (handled++ == 1) /* the second: the connect was waiting before */
		close(open(go, O_CREAT | O_WRONLY, 0600));
}

static const char *attempt(const struct sockaddr_in *to, int *fd)
{
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	return connect(*fd, (const struct sockaddr *)to, sizeof(*to)) ? strerrorname_np(errno) : "done";
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct itimerval often = { { 0, 200000 }, { 0, 200000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm };
	const char *result;
	char answer[64];
	int fd;

	if (argc != 4 || !inet_aton(argv[1], &to.sin_addr))
		return 2;
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	go = argv[3];
	handled = 10; /* nothing is created yet */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	result = attempt(&to, &fd);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("interrupted: %s\n", result);
	handled = 0;
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	result = attempt(&to, &fd);
	setitimer(ITIMER_REAL, &never, NULL);
	if (write(fd, "GET / HTTP/1.0\r\n\r\n", 18) < 0)
		return 1;
	printf("restarted: %s, handlers ran: %d, answered: %d\n", result, handled >= 2, read(fd, answer, sizeof(answer)) > 0);
	return 0;
}
