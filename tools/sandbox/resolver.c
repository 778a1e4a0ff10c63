/* Sockets and threads of the resolver; what it answers is resolver_answer.c's. */
#include "resolver.h"

#include "nest.h"
#include "resolver_answer.h"

#include <errno.h>
#include <poll.h>

#define THREADS_MOST 6
#define TCP_IDLE_MS 5000

/* Sockets (IPv4, IPv6; -1: none) and the threads that serve them, no more than are needed. */
struct desk {
	struct egret_supervisor *sup;
	int udp[2], tcp[2];
	_Atomic int waiting; /* threads that wait for a query */
	_Atomic int threads;
};

static struct desk on_loopback = { .udp = { -1, -1 }, .tcp = { -1, -1 } };
static struct desk in_nest = { .udp = { -1, -1 }, .tcp = { -1, -1 } }; /* where every address is here (nest.h) */

static void read_servers(struct egret_supervisor *sup)
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	char line[256], text[128];

	while (file && sup->upstream_count < EGRET_UPSTREAM_MAX && fgets(line, sizeof(line), file)) {
		struct egret_endpoint *server = &sup->upstream[sup->upstream_count];

		if (sscanf(line, " nameserver %127s", text) == 1 && egret_addr_parse(text, &server->addr)) {
			server->port = 53;
			sup->upstream_count++;
		}
	}
	if (file)
		fclose(file);
	if (!sup->upstream_count)
		sup->upstream[sup->upstream_count++] = (struct egret_endpoint){ { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } }, 53 };
}

/* Names of the machine's own: read once, before the command can write there. */
static void read_hosts(struct egret_supervisor *sup)
{
	FILE *file = fopen("/etc/hosts", "re");
	char line[1024], name[EGRET_NAME_MAX], *word, *rest;
	struct egret_addr addr;

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#\n")] = '\0';
		word = strtok_r(line, " \t", &rest);
		if (!word || !egret_addr_parse(word, &addr))
			continue;
		while ((word = strtok_r(NULL, " \t", &rest)))
			if (egret_name_canonical(word, strlen(word), name, sizeof(name)))
				egret_names_add(sup->names, name, &addr, EGRET_NAMES_FOR_GOOD);
	}
	if (file)
		fclose(file);
}

static int bound(int domain, int type, const struct sockaddr_storage *ss, socklen_t len)
{
	int fd = socket(domain, type | SOCK_CLOEXEC | (type == SOCK_STREAM ? SOCK_NONBLOCK : 0), 0), on = 1;

	if (fd >= 0 && domain == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)ss, len) == 0 && (type == SOCK_DGRAM || listen(fd, 64) == 0))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The same port for UDP and TCP; returns it, 0 on failure. */
static uint16_t open_pair(int family, int slot)
{
	struct egret_addr addr = { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } };
	struct sockaddr_storage ss;
	socklen_t len;
	uint16_t port;

	if (family == AF_INET6)
		addr = (struct egret_addr){ .family = EGRET_IPV6, .bytes = { [15] = 1 } };
	for (int tries = 0; tries < 20; tries++) {
		len = egret_addr_to_sockaddr(&addr, 0, family, &ss);
		on_loopback.udp[slot] = bound(family, SOCK_DGRAM, &ss, len);
		if (on_loopback.udp[slot] < 0)
			return 0;
		getsockname(on_loopback.udp[slot], (struct sockaddr *)&ss, &len);
		on_loopback.tcp[slot] = bound(family, SOCK_STREAM, &ss, len);
		if (on_loopback.tcp[slot] >= 0)
			return egret_addr_from_sockaddr((struct sockaddr *)&ss, len, &addr, &port) ? port : 0;
		close(on_loopback.udp[slot]);
	}
	return 0;
}

static void *resolver_main(void *data);

static void add_thread(struct desk *desk)
{
	desk->threads++;
	desk->waiting++;
	if (egret_start_thread(resolver_main, desk))
		return;
	desk->threads--;
	desk->waiting--;
}

/* The servers may take their time: somebody else waits for the next query meanwhile. */
static void begin_query(struct desk *desk)
{
	if (--desk->waiting == 0 && desk->threads < THREADS_MOST)
		add_thread(desk);
}

static void open_nest(const int listeners[2])
{
	memcpy(in_nest.udp, listeners, sizeof(in_nest.udp));
	add_thread(&in_nest);
}

bool egret_resolver_open(struct egret_supervisor *sup)
{
	read_servers(sup);
	read_hosts(sup);
	on_loopback.sup = in_nest.sup = sup;
	egret_nest_start(sup, open_nest);
	sup->dns_port4 = open_pair(AF_INET, 0);
	sup->dns_port6 = open_pair(AF_INET6, 1);
	return sup->dns_port4 != 0;
}

/* The answer leaves from the address that was asked: the destination of the query, which the kernel tells (ip(7), ipv6(7)). */
static void answer_datagram(struct egret_supervisor *sup, int fd, struct msghdr *msg, size_t len)
{
	struct iovec iov;
	struct msghdr answer;
	struct egret_dns_reply reply;
	bool edns;

	reply.limit = egret_dns_room(msg->msg_iov->iov_base, len, &edns) - EGRET_DNS_EDNS_LEN;
	if (!egret_resolver_answer(sup, msg->msg_iov->iov_base, len, &reply))
		return;
	if (edns)
		egret_dns_add_edns(&reply);
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(cmsg);

			info->ipi_spec_dst = info->ipi_addr;
			info->ipi_ifindex = 0;
		}
	}
	iov = (struct iovec){ reply.data, reply.len };
	answer = *msg;
	answer.msg_iov = &iov;
	sendmsg(fd, &answer, MSG_NOSIGNAL);
}

static void serve_datagram(struct desk *desk, int fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	uint8_t query[EGRET_DNS_MAX];
	struct sockaddr_storage from;
	struct iovec iov = { query, sizeof(query) };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n <= 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return;
	begin_query(desk);
	answer_datagram(desk->sup, fd, &msg, (size_t)n);
	desk->waiting++;
}

static bool receive(int fd, uint8_t *buf, size_t size)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (size) {
		if (poll(&pollfd, 1, TCP_IDLE_MS) <= 0)
			return false;
		n = recv(fd, buf, size, 0);
		if (n <= 0)
			return false;
		buf += n;
		size -= (size_t)n;
	}
	return true;
}

struct stream {
	struct egret_supervisor *sup;
	int fd;
};

/* Messages with a length before them (RFC 7766), one after the other. */
static void *serve_stream(void *data)
{
	struct stream *stream = data;
	uint8_t size[2], query[EGRET_DNS_MAX];
	struct egret_dns_reply reply;
	bool edns;
	size_t len;

	while (receive(stream->fd, size, 2)) {
		len = (size_t)size[0] << 8 | size[1];
		reply.limit = EGRET_DNS_MAX - EGRET_DNS_EDNS_LEN;
		if (len > sizeof(query) || !receive(stream->fd, query, len) || !egret_resolver_answer(stream->sup, query, len, &reply))
			break;
		egret_dns_room(query, len, &edns);
		if (edns)
			egret_dns_add_edns(&reply);
		size[0] = (uint8_t)(reply.len >> 8);
		size[1] = (uint8_t)reply.len;
		if (send(stream->fd, size, 2, MSG_NOSIGNAL | MSG_MORE) != 2 ||
		    send(stream->fd, reply.data, reply.len, MSG_NOSIGNAL) != (ssize_t)reply.len)
			break;
	}
	close(stream->fd);
	free(stream);
	return NULL;
}

static void accept_stream(struct egret_supervisor *sup, int listener)
{
	struct stream *stream = malloc(sizeof(*stream));
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (stream && fd >= 0) {
		*stream = (struct stream){ sup, fd };
		if (egret_start_thread(serve_stream, stream))
			return;
	}
	if (fd >= 0)
		close(fd);
	free(stream);
}

static void *resolver_main(void *data)
{
	struct desk *desk = data;
	struct pollfd fds[] = { { desk->udp[0], POLLIN, 0 }, { desk->udp[1], POLLIN, 0 }, { desk->tcp[0], POLLIN, 0 }, { desk->tcp[1], POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			return NULL;
		for (int i = 0; i < 4; i++) {
			if (!(fds[i].revents & POLLIN))
				continue;
			if (i < 2)
				serve_datagram(desk, fds[i].fd);
			else
				accept_stream(desk->sup, fds[i].fd);
		}
	}
}

void egret_resolver_start(void)
{
	add_thread(&on_loopback);
}

/* Port 53 of any address: a server that resolv.conf does not name is no other way out. */
bool egret_resolver_takes(const struct egret_supervisor *sup, const struct egret_addr *addr)
{
	(void)addr;
	return sup->dns_port4 != 0;
}

socklen_t egret_resolver_address(const struct egret_supervisor *sup, int domain, int v6only, struct sockaddr_storage *ss)
{
	struct egret_addr addr = { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } };
	uint16_t port = sup->dns_port4;

	if (v6only) {
		addr = (struct egret_addr){ .family = EGRET_IPV6, .bytes = { [15] = 1 } };
		port = sup->dns_port6;
	}
	return port ? egret_addr_to_sockaddr(&addr, port, domain, ss) : 0;
}
