/* same_as_tcp PORT SEED: a random sequence of socket calls against an echo server on localhost, one line for each call and its result.
 *
 * The sequence depends on SEED alone. Before a call whose result would depend on time, all that the echo owes has arrived, so that two
 * runs over connections that behave alike print the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 6000 /* bytes that the echo owes at a time */
#define STEPS 120

static uint64_t seed;
static int fd;
static size_t owed;
static unsigned char sent_next, buf[2 * MOST];
static volatile sig_atomic_t pipes;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static void on_pipe(int number)
{
	(void)number;
	pipes++;
}

static unsigned sum(const unsigned char *data, ssize_t size)
{
	unsigned total = 1;
	for (ssize_t i = 0; i < size; i++)
		total = total * 31 + data[i];
	return total;
}

static void tell(const char *what, long result)
{
	printf("%s = %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static void tell_bytes(const char *what, ssize_t n, int takes)
{
	int error = errno;
	printf("%s = %zd %s %08x\n", what, n, n < 0 ? strerrorname_np(error) : "", sum(buf, n));
	if (takes && n > 0)
		owed -= (size_t)n;
}

/* Waits until all that is owed can be read. */
static void settle(void)
{
	static unsigned char peeked[2 * MOST];
	for (int i = 0; owed && i < 20000; i++) {
		if (recv(fd, peeked, sizeof peeked, MSG_PEEK | MSG_DONTWAIT) >= (ssize_t)owed)
			return;
		usleep(500);
	}
	if (owed)
		printf("the echo did not arrive\n");
}

static void do_write(void)
{
	size_t size = 1 + draw(draw(2) ? 20 : 2500);
	if (owed + size > MOST)
		return;
	for (size_t i = 0; i < size; i++)
		buf[i] = sent_next++;
	size_t cut = draw((unsigned)size);
	struct iovec iov[3] = { { buf, cut }, { buf, 0 }, { buf + cut, size - cut } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 3 };
	ssize_t n;
	switch (draw(5)) {
	case 0: tell("write", n = write(fd, buf, size)); break;
	case 1: tell("send", n = send(fd, buf, size, MSG_NOSIGNAL)); break;
	case 2: tell("sendto", n = sendto(fd, buf, size, 0, NULL, 0)); break;
	case 3: tell("writev", n = writev(fd, iov, 3)); break;
	default: tell("sendmsg", n = sendmsg(fd, &message, 0)); break;
	}
	owed += n > 0 ? (size_t)n : 0;
}

static void do_read(void)
{
	settle();
	size_t size = 1 + draw(draw(2) ? 20 : MOST);
	struct iovec iov[3] = { { buf, size / 3 }, { buf, 0 }, { buf + size / 3, size - size / 3 } };
	char control[64];
	struct sockaddr_storage from;
	socklen_t len = sizeof from;
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 3, .msg_control = control, .msg_controllen = sizeof control,
				  .msg_name = &from, .msg_namelen = len };
	int flags = owed ? 0 : MSG_DONTWAIT;
	switch (draw(owed ? 6 : 4)) {
	case 0: tell_bytes("recv", recv(fd, buf, size, flags), 1); break;
	case 1: tell_bytes("recv peek", recv(fd, buf, size, flags | MSG_PEEK), 0); break;
	case 2:
		tell_bytes("recvmsg", recvmsg(fd, &message, flags), 1);
		break;
	case 3: tell_bytes("recvfrom", recvfrom(fd, buf, size, flags, (struct sockaddr *)&from, &len), 1); break;
	case 4: tell_bytes("read", read(fd, buf, size), 1); break;
	default: tell_bytes("readv", readv(fd, iov, 3), 1); break;
	}
}

static void do_wait_all(void)
{
	int flags = fcntl(fd, F_GETFL);
	if (owed && !(flags & O_NONBLOCK))
		tell_bytes("recv waitall", recv(fd, buf, owed, MSG_WAITALL), 1);
}

static void do_poll(void)
{
	settle();
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	tell("poll", poll(&pfd, 1, 0));
	printf("  revents %x\n", (unsigned)pfd.revents);
	pfd.events = POLLIN;
	tell("poll a while", poll(&pfd, 1, 5));
}

static void do_select(void)
{
	settle();
	fd_set reads, writes;
	struct timeval none = { 0, 0 };
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_SET(fd, &reads);
	FD_SET(fd, &writes);
	tell("select", select(fd + 1, &reads, &writes, NULL, &none));
	printf("  %d %d\n", FD_ISSET(fd, &reads) != 0, FD_ISSET(fd, &writes) != 0);
}

static void do_epoll(void)
{
	settle();
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | (draw(2) ? EPOLLET : 0), .data.u64 = 77 };
	tell("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	memset(&event, 0, sizeof event);
	tell("epoll_wait", epoll_wait(set, &event, 1, 0));
	printf("  %x %d\n", event.events, (int)event.data.u64);
	memset(&event, 0, sizeof event);
	tell("epoll_wait again", epoll_wait(set, &event, 1, 0));
	close(set);
}

static void do_amount(void)
{
	settle();
	int amount = -1;
	tell("FIONREAD", ioctl(fd, FIONREAD, &amount));
	printf("  %d\n", amount);
}

static void do_flags(void)
{
	int flags = fcntl(fd, F_GETFL);
	tell("F_SETFL", fcntl(fd, F_SETFL, flags ^ O_NONBLOCK));
	printf("  %x\n", (unsigned)fcntl(fd, F_GETFL));
	tell("F_SETFD", fcntl(fd, F_SETFD, draw(2) ? FD_CLOEXEC : 0));
	printf("  %x\n", (unsigned)fcntl(fd, F_GETFD));
}

static void do_dup(void)
{
	int old = fd, copy;
	switch (draw(4)) {
	case 0: copy = dup(fd); break;
	case 1: copy = dup2(fd, fd == 40 ? 41 : 40); break;
	case 2: copy = fcntl(fd, F_DUPFD_CLOEXEC, 60); break;
	default: copy = dup3(fd, fd == 50 ? 51 : 50, O_CLOEXEC); break;
	}
	tell("dup", copy < 0 ? -1 : 0);
	if (copy < 0)
		return;
	printf("  %x\n", (unsigned)fcntl(copy, F_GETFD));
	fd = copy;
	tell("close", close(old));
	tell("read of the closed", read(old, buf, 1));
}

static void do_options(void)
{
	int value = -1;
	socklen_t size = sizeof value;
	tell("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size));
	printf("  %d %u\n", value, size);
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	tell("getpeername", getpeername(fd, (struct sockaddr *)&peer, &len));
	printf("  %d %u\n", peer.ss_family, len);
	tell("write nothing", write(fd, buf, 0));
}

static void do_timeout(void)
{
	struct timeval tv = { 0, 20000 }, none = { 0, 0 };
	if (owed)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	tell_bytes("recv timed", recv(fd, buf, 10, 0), 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

static void end(void)
{
	settle();
	tell_bytes("the rest", owed ? recv(fd, buf, sizeof buf, 0) : 0, 1);
	tell("shutdown", shutdown(fd, SHUT_WR));
	tell("write after", write(fd, "x", 1));
	tell("send after", send(fd, "x", 1, MSG_NOSIGNAL));
	printf("  SIGPIPE %d\n", (int)pipes);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	tell("read the end", read(fd, buf, sizeof buf));
	tell("read it again", recv(fd, buf, 10, MSG_DONTWAIT));
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	tell("poll at the end", poll(&pfd, 1, 0));
	printf("  revents %x\n", (unsigned)pfd.revents & POLLIN);
	tell("close", close(fd));
	tell("close again", close(fd));
	tell("write to the closed", write(fd, "x", 1));
}

static int dial(const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	if (getaddrinfo("localhost", port, &hints, &found) != 0)
		return -1;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int result = connect(s, found->ai_addr, found->ai_addrlen);
	if (result != 0)
		tell("connect", result);
	freeaddrinfo(found);
	return result == 0 ? s : -1;
}

int main(int argc, char **argv)
{
	static void (*const calls[])(void) = { do_write, do_write, do_write, do_read, do_read, do_read, do_wait_all, do_poll, do_select,
					       do_epoll, do_amount, do_flags, do_dup, do_options, do_timeout };
	if (argc != 3)
		return 2;
	seed = strtoull(argv[2], NULL, 10);
	signal(SIGPIPE, on_pipe);
	alarm(50);
	fd = dial(argv[1]);
	if (fd < 0)
		return 1;
	for (int i = 0; i < STEPS; i++)
		calls[draw(sizeof calls / sizeof calls[0])]();
	end();
	return 0;
}
