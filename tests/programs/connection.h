/* What programs of one connection begin with. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A blocking connection to port 80 of HOST, over IPv4. Ends the program with 2 where there is none. */
static inline int connection(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *server;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (getaddrinfo(host, "80", &hints, &server) != 0 || connect(fd, server->ai_addr, server->ai_addrlen) != 0) {
		perror(host);
		exit(2);
	}
	freeaddrinfo(server);
	return fd;
}

#endif
