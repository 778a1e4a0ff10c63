/* client_epoll HOST PORT CONNECTIONS REQUESTS: an edge-triggered loop of non-blocking connections, each of which GETs /secret that often, one
 * after another, and prints the bodies. Ends with 3 when the network refuses. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	int fd;
	int left;	/* requests */
	size_t sent;	/* bytes of the request in flight */
	size_t have;	/* bytes in answer */
	char answer[8192];
};

static char request[512];
static int epoll;

static void refused(const char *why)
{
	printf("refused: %s\n", why);
	exit(3);
}

static void open_link(struct link *l, const struct addrinfo *to)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = l };

	l->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &event) < 0)
		refused(strerror(errno));
	if (connect(l->fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)
		refused(strerror(errno));
}

static void send_more(struct link *l)
{
	while (l->sent < strlen(request)) {
		ssize_t n = write(l->fd, request + l->sent, strlen(request) - l->sent);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			refused(strerror(errno));
		l->sent += (size_t)n;
	}
}

/* The body's end in a whole answer, NULL before that. */
static char *end_of_answer(struct link *l, char **body)
{
	char *length;

	l->answer[l->have] = '\0';
	*body = strstr(l->answer, "\r\n\r\n");
	length = strcasestr(l->answer, "Content-Length: ");
	if (!*body || !length)
		return NULL;
	*body += 4;
	length = *body + strtoul(length + 16, NULL, 10);
	return length <= l->answer + l->have ? length : NULL;
}

/* True when the link has nothing more to do. */
static int take_answer(struct link *l)
{
	char *body, *end = end_of_answer(l, &body);

	if (!end)
		return 0;
	fwrite(body, 1, (size_t)(end - body), stdout);
	l->have = l->sent = 0;
	if (--l->left == 0) {
		close(l->fd);
		return 1;
	}
	send_more(l);
	return 0;
}

static int receive_all(struct link *l)
{
	for (;;) {
		ssize_t n = read(l->fd, l->answer + l->have, sizeof l->answer - 1 - l->have);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			refused(strerror(errno));
		if (n == 0)
			refused("the server closed early");
		l->have += (size_t)n;
		if (take_answer(l))
			return 1;
	}
}

static int serve(struct link *l, unsigned events)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (events & EPOLLERR) {
		getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		refused(strerror(error));
	}
	if (events & EPOLLOUT)
		send_more(l);
	return events & (EPOLLIN | EPOLLRDHUP) ? receive_all(l) : 0;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *to;
	struct epoll_event events[64];
	int code, count = argc == 5 ? atoi(argv[3]) : 0, open = count;
	struct link *links = calloc((size_t)count + 1, sizeof *links);

	if (argc != 5 || !links)
		return 2;
	code = getaddrinfo(argv[1], argv[2], &hints, &to);
	if (code)
		refused(gai_strerror(code));
	snprintf(request, sizeof request, "GET /secret HTTP/1.1\r\nHost: %s\r\n\r\n", argv[1]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < count; i++) {
		links[i].left = atoi(argv[4]);
		open_link(&links[i], to);
	}
	while (open > 0) {
		int n = epoll_wait(epoll, events, 64, 30000);

		if (n <= 0)
			refused("nothing came for 30 s");
		for (int i = 0; i < n; i++)
			open -= serve(events[i].data.ptr, events[i].events);
	}
	return 0;
}
