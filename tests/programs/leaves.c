/* A program that leaves by quick_exit with a connection open: leaves HOST. What it has registered before anything else writes last. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;

static void say_last(void)
{
	if (write(fd, "secret last", 11) != 11)
		perror("write");
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *server;
	at_quick_exit(say_last);
	if (argc < 2 || getaddrinfo(argv[1], "80", &hints, &server) != 0)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, server->ai_addr, server->ai_addrlen) != 0 || write(fd, "secret first", 12) != 12)
		return 1;
	freeaddrinfo(server);
	quick_exit(0);
}
