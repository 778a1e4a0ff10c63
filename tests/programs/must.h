/* What programs with threads and children go on with or end at, and a server that echoes. */
#ifndef MUST_H
#define MUST_H

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static inline int connected_to(const struct addrinfo *server)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	must(fd >= 0 && connect(fd, server->ai_addr, server->ai_addrlen) == 0, "connect");
	return fd;
}

/* What is said comes back. */
static inline void works(int fd)
{
	char word[8] = "word", got[8] = "";
	must(send(fd, word, sizeof word, MSG_NOSIGNAL) == sizeof word, "send");
	must(recv(fd, got, sizeof got, MSG_WAITALL) == sizeof got && strcmp(got, word) == 0, "recv");
}

#endif
