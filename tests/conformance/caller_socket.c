/* The socket itself: made, connected, its options, its end; and what the peer is told to do. */
#include "caller.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static void do_socket(const struct call *call)
{
	if (it.fd >= 0)
		return skip("there is one");
	it.six = has_word(call, "six");
	it.fd = socket(it.six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	say("= %s", it.fd >= 0 ? "made" : "failed");
}

#define MOST_SPINS 300000

/* Waits for the end of a connect that does not block, in one of several ways. What never comes is for conduct.py to find. */
static void await(const char *how)
{
	struct pollfd pfd = { .fd = it.fd, .events = POLLOUT };
	fd_set writes;
	FD_ZERO(&writes);
	FD_SET(it.fd, &writes);
	struct epoll_event event = { .events = strcmp(how, "edge") == 0 ? EPOLLOUT | EPOLLIN | EPOLLET : EPOLLOUT, .data.u64 = 5 };
	if (strcmp(how, "poll") == 0) {
		int n = poll(&pfd, 1, -1);
		say("poll %d %x", n, (unsigned)pfd.revents);
	} else if (strcmp(how, "select") == 0) {
		say("select %d", select(it.fd + 1, NULL, &writes, NULL, NULL));
	} else if (strcmp(how, "spin") == 0) {
		int left = MOST_SPINS;
		while (poll(&pfd, 1, 0) == 0 && left-- > 0)
			usleep(100);
		say("spun%s", left > 0 ? "" : " FAILED");
	} else {
		int set = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(set, EPOLL_CTL_ADD, it.fd, &event);
		memset(&event, 0, sizeof event);
		int n = epoll_wait(set, &event, 1, -1);
		say("epoll %d %x %d", n, event.events & EPOLLOUT, (int)event.data.u64);
		close(set);
	}
}

#define FIRST_WORDS 50 /* bytes */

/* A send that connects, tcp(7). 0: it has. */
static int connect_fast(const struct addrinfo *to)
{
	pattern_fill(room, 0, FIRST_WORDS);
	ssize_t n = sendto(it.fd, room, FIRST_WORDS, MSG_FASTOPEN | MSG_NOSIGNAL, to->ai_addr, to->ai_addrlen);
	it.sent = it.unread = n > 0 ? (size_t)n : 0;
	if (n > 0)
		say("sent %zd", n);
	return n < 0 ? -1 : 0;
}

/* 127.0.0.1 as an IPv6 socket knows it. */
static void map_address(struct addrinfo *to, struct sockaddr_in6 *mapped)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)to->ai_addr;
	*mapped = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = four->sin_port };
	mapped->sin6_addr.s6_addr[10] = mapped->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped->sin6_addr.s6_addr[12], &four->sin_addr, 4);
}

static void do_connect(const struct call *call)
{
	struct sockaddr_in6 mapped;
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	char port[16];
	if (it.fd < 0 || it.connected)
		return skip("no fresh socket");
	snprintf(port, sizeof port, "%zu", ask(NULL, "listen %ld", number(call, 2, 0)));
	if (getaddrinfo("localhost", port, &hints, &found) != 0)
		return say("no address");
	struct addrinfo to = *found;
	if (it.six) {
		map_address(found, &mapped);
		to.ai_addr = (struct sockaddr *)&mapped;
		to.ai_addrlen = sizeof mapped;
	}
	ask(NULL, "accept %ld", number(call, 3, 0));
	const char *how = call->argc > 1 ? call->argv[1] : "wait";
	bool waits = strcmp(how, "wait") == 0;
	int flags = fcntl(it.fd, F_GETFL);
	fcntl(it.fd, F_SETFL, waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
	int result = has_word(call, "fast") ? connect_fast(&to) : connect(it.fd, to.ai_addr, to.ai_addrlen);
	if (waits)
		tell(result);
	else if (result < 0 && errno != EINPROGRESS)
		tell(result);
	else
		await(how);
	int error = -1;
	socklen_t size = sizeof error;
	if (!waits && getsockopt(it.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
		say("SO_ERROR %d", error);
	freeaddrinfo(found);
	it.nonblocking = !waits;
	it.connected = true;
	it.narrow = number(call, 2, 0) > 0;
	it.wire = ask(NULL, "sync");
	settle();
}

/* A second call of the kind that connects, on a connection that is there. */
static void do_fast(const struct call *call)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	settle();
	if (!it.connected || it.moved || half_gone() || getpeername(it.fd, (struct sockaddr *)&peer, &size) != 0)
		return skip("not now");
	if (!it.nonblocking || it.small || held_back() || it.unread + 10 > UNREAD_MOST)
		return skip("not now");
	pattern_fill(room, it.sent, 10);
	struct iovec iov = { room, 10 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &peer, .msg_namelen = size };
	ssize_t n;
	if (has_word(call, "sendmsg"))
		n = sendmsg(it.fd, &message, MSG_FASTOPEN);
	else if (has_word(call, "send"))
		n = send(it.fd, room, 10, MSG_FASTOPEN);
	else
		n = sendto(it.fd, room, 10, MSG_FASTOPEN, (struct sockaddr *)&peer, size);
	tell(n);
	it.sent += n > 0 ? (size_t)n : 0;
	it.unread += n > 0 ? (size_t)n : 0;
}

static void do_use(const struct call *call)
{
	use((int)(number(call, 1, 0) % CONNECTIONS));
}

static void do_reconnect(const struct call *call)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	(void)call;
	if (half_gone())
		return skip("it may be connected still");
	if (getpeername(it.fd, (struct sockaddr *)&peer, &size) != 0)
		return tell(-1);
	tell(connect(it.fd, (struct sockaddr *)&peer, size));
}

static const struct {
	const char *name;
	int level, option;
} options[] = { { "nodelay", IPPROTO_TCP, TCP_NODELAY }, { "rcvbuf", SOL_SOCKET, SO_RCVBUF }, { "sndbuf", SOL_SOCKET, SO_SNDBUF },
		{ "lowat", SOL_SOCKET, SO_RCVLOWAT }, { "error", SOL_SOCKET, SO_ERROR }, { "type", SOL_SOCKET, SO_TYPE },
		{ "keepalive", SOL_SOCKET, SO_KEEPALIVE }, { "sndlowat", SOL_SOCKET, SO_SNDLOWAT }, { "unsent", IPPROTO_TCP, TCP_NOTSENT_LOWAT },
		{ "cork", IPPROTO_TCP, TCP_CORK }, { "stamp", SOL_SOCKET, SO_TIMESTAMP },
		{ "inq", IPPROTO_TCP, TCP_INQ }, { "zerocopy", SOL_SOCKET, SO_ZEROCOPY } };

/* May something wait to be sent, so that what room OPTION makes is a matter of the kernel's overhead? */
static bool may_hold_back(int option)
{
	if (option == TCP_NOTSENT_LOWAT)
		return it.more || it.unread > UNREAD_LITTLE;
	return option == SO_SNDBUF && (((it.more || it.corked) && it.unread) || (it.narrow && it.unread > UNREAD_LITTLE));
}

static void do_set(const struct call *call)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (call->argc < 3 || strcmp(options[i].name, call->argv[1]) != 0)
			continue;
		int value = (int)number(call, 2, 0);
		if (may_hold_back(options[i].option))
			return skip("bytes may be held back");
		if (!has_word(call, "anyway") && ((options[i].option == SO_RCVLOWAT && value > 1 && it.tiny) || (options[i].option == SO_RCVBUF && it.lowat > 1)))
			return skip("less than that is told where the buffer is full, tcp_epollin_ready: which counts the kernel's overhead");
		bool small = strcmp(call->argv[1], "sndbuf") == 0 || strcmp(call->argv[1], "unsent") == 0;
		it.small = it.small || small;
		if (small) /* whether there is room is told anew, and a matter of what is acknowledged */
			settle();
		tell(setsockopt(it.fd, options[i].level, options[i].option, &value, sizeof value));
		it.corked = it.corked || strcmp(call->argv[1], "cork") == 0;
		it.tiny = it.tiny || (strcmp(call->argv[1], "rcvbuf") == 0 && value < 40000);
		it.lowat = strcmp(call->argv[1], "lowat") == 0 ? value : it.lowat;
	}
}

static void do_get(const struct call *call)
{
	settle();
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (call->argc < 2 || strcmp(options[i].name, call->argv[1]) != 0)
			continue;
		int value = -1;
		socklen_t size = sizeof value;
		tell(getsockopt(it.fd, options[i].level, options[i].option, &value, &size));
		say("%d %u", value, size);
	}
}

static void do_timeout(const struct call *call)
{
	struct timeval tv = { 0, number(call, 2, 0) * 1000 };
	tell(setsockopt(it.fd, SOL_SOCKET, has_word(call, "send") ? SO_SNDTIMEO : SO_RCVTIMEO, &tv, sizeof tv));
}

static void do_shutdown(const struct call *call)
{
	int how = has_word(call, "rd") ? SHUT_RD : has_word(call, "wr") ? SHUT_WR : SHUT_RDWR;
	if (!it.connected)
		return skip("the kernel would remember it for the next connection");
	if (it.peer_ended && it.shut_wr)
		return skip("both have ended"); /* ENOTCONN, as soon as the FIN behind a close_notify is there */
	settle();
	tell(shutdown(it.fd, how));
	it.hasty = it.hasty || (it.narrow && it.unread && it.shut_wr && how != SHUT_WR);
	it.shut_rd = it.shut_rd || how != SHUT_WR;
	it.shut_wr = it.shut_wr || how != SHUT_RD;
	it.late_fin = it.late_fin || (it.narrow && it.shut_rd && it.shut_wr && it.unread);
}

static void do_name(const struct call *call)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	memset(&name, 0, sizeof name);
	settle();
	if (has_word(call, "peer") && half_gone())
		return skip("it may be connected still");
	if (has_word(call, "peer"))
		tell(getpeername(it.fd, (struct sockaddr *)&name, &size));
	else
		tell(getsockname(it.fd, (struct sockaddr *)&name, &size));
	say("%d %u", name.ss_family, size);
}

static void do_amount(const struct call *call)
{
	int amount = -1;
	(void)call;
	settle();
	tell(ioctl(it.fd, FIONREAD, &amount));
	say("%d", amount);
}

bool call_socket(const struct call *call)
{
	static const struct row rows[] = { { "use", do_use }, { "fast", do_fast }, { "socket", do_socket }, { "connect", do_connect }, { "reconnect", do_reconnect }, { "set", do_set },
					   { "get", do_get }, { "timeout", do_timeout }, { "shutdown", do_shutdown }, { "name", do_name },
					   { "amount", do_amount } };
	return RUN_ROW(rows, call);
}

/* ---- the peer ---- */

#define FLIGHT_MOST 30000 /* bytes that the client's window surely takes */
#define PIECES_MOST 60

static bool peer_can_send(size_t count, size_t record)
{
	size_t pieces = record ? count / record + 1 : 1;
	it.pieces = (it.owed ? it.pieces : 0) + pieces;
	bool can = it.connected && it.fd >= 0 && !(it.shut_rd && it.shut_wr) && !it.peer_ended && !it.tiny && it.owed + count <= FLIGHT_MOST && it.pieces <= PIECES_MOST;
	it.pieces -= can ? 0 : pieces;
	return can;
}

static void peer_send(const struct call *call)
{
	size_t count = (size_t)number(call, 2, 1);
	char word[16];
	if (!peer_can_send(count, (size_t)number(call, 3, 0)))
		return skip("too much under way");
	it.wire = ask(word, "send %zu %ld", count, number(call, 3, 0));
	it.promised += count;
	it.owed += count;
	settle();
	say("%s", word);
}

static void peer_half(const struct call *call)
{
	size_t count = (size_t)number(call, 2, 1);
	if (!peer_can_send(count, 0))
		return skip("too much under way");
	it.wire = ask(NULL, "half %zu %ld", count, number(call, 3, 50));
	settle();
	struct pollfd pfd = { .fd = it.fd, .events = POLLIN | POLLOUT };
	if (it.owed == 0 && !it.shut_rd)
		say("half there: poll %d %x", poll(&pfd, 1, 0), 0);
	it.wire = ask(NULL, "rest");
	it.promised += count;
	it.owed += count;
	settle();
}

static void peer_read(const struct call *call)
{
	char word[16];
	size_t count = (size_t)number(call, 2, LONG_MAX);
	count = count < it.unread ? count : it.unread;
	if (it.peer_cut)
		return skip("it is gone");
	push();
	ask(word, "read %zu", count);
	it.unread -= count;
	say("%s", word);
}

static void peer_end(const struct call *call)
{
	if (!it.connected || it.peer_ended)
		return skip("it has ended");
	if (it.shut_rd && it.shut_wr && strcmp(call->argv[1], "reset") == 0)
		return skip("nobody listens"); /* close_notify of a peer is met with a reset by the kernel then, and hidden */
	if (it.hasty && strcmp(call->argv[1], "shut") == 0)
		return skip("close_notify is met with a reset");
	if (it.tiny && it.owed && strcmp(call->argv[1], "shut") == 0)
		return skip("close_notify waits for room in the window, a FIN does not");
	it.peer_cut = it.peer_cut || strcmp(call->argv[1], "reset") == 0;
	it.wire = ask(NULL, "%s", call->argv[1]);
	it.peer_ended = it.peer_fin = true;
	settle();
}

static void peer_notify(const struct call *call)
{
	(void)call;
	if (!it.connected || it.fd < 0 || it.peer_ended || it.owed || it.shut_rd || it.tiny) /* what stands behind data is seen when the data was read */
		return skip("not now");
	char word[16];
	it.wire = ask(word, "shut 1");
	it.peer_ended = true;
	it.peer_fin = strcmp(word, "fin") == 0;
	it.notified = true;
	settle();
	struct pollfd pfd = { .fd = it.fd, .events = POLLIN };
	say("poll %d", poll(&pfd, 1, -1));
}

static void peer_drain(const struct call *call)
{
	char word[16];
	(void)call;
	if (it.peer_cut || !it.shut_wr || !it.connected)
		return skip("there is no end");
	size_t count = ask(word, "drain");
	it.unread = 0;
	say("%s %s", word, count == it.sent ? "all" : "not all");
}

static void peer_quiet(const struct call *call)
{
	if (!it.connected || it.fd < 0 || it.peer_ended || it.tiny || (it.shut_rd && it.shut_wr) || ++it.pieces > PIECES_MOST)
		return skip("not now");
	it.wire = ask(NULL, "%s %ld", call->argv[1], number(call, 2, 1));
	settle();
}

bool call_peer(const struct call *call)
{
	static const struct row rows[] = { { "send", peer_send }, { "half", peer_half }, { "read", peer_read }, { "shut", peer_end },
					   { "cut", peer_end }, { "reset", peer_end }, { "notify", peer_notify }, { "drain", peer_drain },
					   { "keyupdate", peer_quiet }, { "tickets", peer_quiet } };
	if (strcmp(call->argv[0], "peer") != 0 || call->argc < 2)
		return false;
	struct call inner = *call;
	inner.argv[0] = call->argv[1];
	return RUN_ROW(rows, &inner);
}
