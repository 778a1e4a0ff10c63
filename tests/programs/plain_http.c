/* plain_http HOST PORT PATH: looks the name up by DNS, asks for PATH in plaintext, prints the answer and what getpeername says. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One A question to 203.0.113.53 and the address of the last record: no libc resolver, as static programs have none to be hooked. */
static int look_up(const char *name, struct in_addr *addr)
{
	static const uint8_t head[12] = { 0x43, 0x21, 1, 0, 0, 1 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval timeout = { 3, 0 };
	uint8_t buf[512];
	size_t n = sizeof(head), len;
	ssize_t got;

	memcpy(buf, head, n);
	for (; *name; name += len + (name[len] == '.')) {
		len = strcspn(name, ".");
		buf[n++] = (uint8_t)len;
		memcpy(buf + n, name, len);
		n += len;
	}
	memcpy(buf + n, "\0\0\1\0\1", 5);
	inet_aton("203.0.113.53", &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	sendto(fd, buf, n + 5, 0, (struct sockaddr *)&to, sizeof(to));
	got = recv(fd, buf, sizeof(buf), 0);
	close(fd);
	if (got < 16 || !buf[7])
		return 0;
	memcpy(addr, buf + got - 4, 4);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, peer = { 0 };
	socklen_t len = sizeof(peer);
	char buf[4096];
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 4 || !look_up(argv[1], &to.sin_addr))
		return 2;
	to.sin_port = htons((uint16_t)strtol(argv[2], NULL, 10));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 3;
	getpeername(fd, (struct sockaddr *)&peer, &len);
	printf("peer port %d\n", ntohs(peer.sin_port));
	n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", argv[3], argv[1]);
	if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
		return 4;
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	return n < 0 ? 5 : 0;
}
