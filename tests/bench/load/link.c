#include "link.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint16_t link_port;

void link_open(struct link *link)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(link_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	memset(link, 0, sizeof *link);
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect");
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	link_begin(link);
}

void link_close(struct link *link)
{
	link_end(link);
	close(link->fd);
}

void link_unblock(struct link *link)
{
	int flags = fcntl(link->fd, F_GETFL);
	fcntl(link->fd, F_SETFL, flags | O_NONBLOCK);
}

void link_send_all(struct link *link, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = link_send(link, (const char *)data + done, size - done);
		if (n <= 0)
			die("send");
		done += (size_t)n;
	}
}

void link_recv_all(struct link *link, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = link_recv(link, (char *)data + done, size - done);
		if (n <= 0)
			die("recv");
		done += (size_t)n;
	}
}

void link_order(struct link *link, char job, uint32_t chunk, uint64_t total)
{
	struct bench_order order = { .job = (uint8_t)job, .chunk = chunk, .total = total };
	link_send_all(link, &order, sizeof order);
}
