/* Connects that fail, and connections that are dissolved: the socket can be used for another one, connect(2). */
#include "caller.h"

#include <netdb.h>
#include <netinet/in.h>

static void told(const char *what, long result) { say("%s %ld %s", what, result, result < 0 ? strerrorname_np(errno) : ""); }

static void told_poll(int timeout)
{
	struct pollfd pfd = { .fd = it.fd, .events = POLLOUT | POLLIN | POLLRDHUP };
	told("poll", poll(&pfd, 1, timeout));
	say("%x", (unsigned)pfd.revents);
}

/* The address of localhost at a port that is taken by TAKEN, which does not listen. */
static struct addrinfo *dead_address(int taken)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof own;
	char port[16];
	if (bind(taken, (struct sockaddr *)&own, size) != 0 || getsockname(taken, (struct sockaddr *)&own, &size) != 0)
		abort();
	snprintf(port, sizeof port, "%u", ntohs(own.sin_port));
	return getaddrinfo("localhost", port, &hints, &found) == 0 ? found : NULL;
}

/* How a connect that does not wait has ended is learned of in several ways; the socket can be used again once a connect told of it. */
static void learn(const struct call *call, const struct addrinfo *to)
{
	int error = -1;
	socklen_t size = sizeof error;
	told_poll(-1);
	if (has_word(call, "error")) {
		told("SO_ERROR", getsockopt(it.fd, SOL_SOCKET, SO_ERROR, &error, &size));
		say("%d", error);
		told_poll(0);
	}
	if (has_word(call, "read"))
		told("read", read(it.fd, room, 10));
	if (has_word(call, "send"))
		told("send", send(it.fd, room, 10, MSG_NOSIGNAL));
	told("again", connect(it.fd, to->ai_addr, to->ai_addrlen));
}

/* dead wait|poll|error [read] [send]: to a port that nobody listens on. */
static void do_dead(const struct call *call)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	bool waits = has_word(call, "wait");
	if (it.fd < 0 || it.connected || it.six)
		return skip("not now");
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), flags = fcntl(it.fd, F_GETFL);
	struct addrinfo *to = dead_address(taken);
	if (!to)
		return say("no address");
	fcntl(it.fd, F_SETFL, waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
	tell(connect(it.fd, to->ai_addr, to->ai_addrlen));
	if (!waits)
		learn(call, to);
	fcntl(it.fd, F_SETFL, flags);
	told("getpeername", getpeername(it.fd, (struct sockaddr *)&peer, &size));
	told("recv", recv(it.fd, room, 10, MSG_DONTWAIT));
	told("send", send(it.fd, room, 10, MSG_DONTWAIT | MSG_NOSIGNAL));
	told_poll(0);
	say("%x", (unsigned)fcntl(it.fd, F_GETFD));
	freeaddrinfo(to);
	close(taken);
}

static void do_dissolve(const struct call *call)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct caller before = it;
	char word[16];
	(void)call;
	settle();
	if (it.fd < 0 || !it.connected || it.moved || it.stream || it.shut_rd || it.shut_wr || it.peer_ended || it.kept_count || epoll_set >= 0)
		return skip("not now");
	told("connect", connect(it.fd, &none, sizeof none));
	ask(word, "drain");
	say("peer %s", word);
	told_poll(0);
	told("recv", recv(it.fd, room, 10, MSG_DONTWAIT));
	told("send", send(it.fd, room, 10, MSG_DONTWAIT | MSG_NOSIGNAL));
	say("%x", (unsigned)fcntl(it.fd, F_GETFD));
	it = (struct caller){ .fd = before.fd, .six = before.six, .nonblocking = before.nonblocking, .corked = before.corked, .small = before.small,
			      .tiny = before.tiny, .lowat = before.lowat };
}

bool call_connect(const struct call *call)
{
	static const struct row rows[] = { { "dead", do_dead }, { "dissolve", do_dissolve } };
	return RUN_ROW(rows, call);
}
