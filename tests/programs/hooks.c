/* One call that few programs make: hooks WAY [ARGS]. Prints what each of its calls answered: a number, or the name of an errno. */
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef IPV6_2292RTHDR
#define IPV6_2292RTHDR 5
#endif

static const char *host; /* of the server that ways over TCP reach or do not reach */
static int port;
static char text[] = "secret";
static struct iovec words[] = { { text, 3 }, { text + 3, 3 } };

static void tell(const char *call, long result) { printf("%s %s\n", call, result < 0 ? strerrorname_np(errno) : "ok"); }

static struct sockaddr_in at(const char *address, int number)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number) };
	inet_aton(address, &sin.sin_addr);
	return sin;
}

/* The address that HOST resolves to. */
static struct sockaddr_in server(void)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
	struct sockaddr_in sin = at(host, port);
	if (getaddrinfo(host, NULL, &hints, &list) == 0) {
		memcpy(&sin, list->ai_addr, sizeof sin);
		sin.sin_port = htons((uint16_t)port);
		freeaddrinfo(list);
	}
	return sin;
}

static struct msghdr message(struct sockaddr_in *to)
{
	return (struct msghdr){ .msg_name = to, .msg_namelen = to ? sizeof *to : 0, .msg_iov = words, .msg_iovlen = 2 };
}

/* What was sent over FD comes back. */
static void echoed(int fd)
{
	char got[sizeof text] = "";
	size_t have = 0;
	for (ssize_t n = 1; have < sizeof text - 1 && n > 0; have += n > 0 ? (size_t)n : 0)
		n = read(fd, got + have, sizeof text - 1 - have);
	puts(memcmp(got, text, sizeof text) == 0 ? "echoed" : "not echoed");
}

static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }

static int connected(void)
{
	struct sockaddr_in to = server();
	int fd = tcp();
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	perror("connect");
	exit(1);
}

/* ---- connections without connect ---- */

static void fast_open(void)
{
	struct sockaddr_in to = server();
	struct msghdr msg = message(&to);
	struct mmsghdr list = { message(&to), 0 };
	int fd[3] = { tcp(), tcp(), tcp() }, n;
	n = (int)sendto(fd[0], text, 6, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to);
	tell("sendto", n);
	if (n == 6)
		echoed(fd[0]);
	n = (int)sendmsg(fd[1], &msg, MSG_FASTOPEN);
	tell("sendmsg", n);
	if (n == 6)
		echoed(fd[1]);
	n = sendmmsg(fd[2], &list, 1, MSG_FASTOPEN);
	tell("sendmmsg", n);
	if (n == 1)
		echoed(fd[2]);
}

static void fast_open_connect(void)
{
	struct sockaddr_in to = server();
	int fd = tcp(), on = 1;
	tell("setsockopt", setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
	tell("connect", connect(fd, (struct sockaddr *)&to, sizeof to));
	if (send(fd, text, 6, MSG_NOSIGNAL) == 6)
		echoed(fd);
}

static void remote_commands(void)
{
	char name[64], *where = name;
	snprintf(name, sizeof name, "%s", host);
	tell("rcmd", rcmd(&where, htons((uint16_t)port), "root", "root", text, NULL));
	tell("rcmd_af", rcmd_af(&where, htons((uint16_t)port), "root", "root", text, NULL, AF_INET));
	tell("rexec", rexec(&where, htons((uint16_t)port), "root", text, text, NULL));
	tell("rexec_af", rexec_af(&where, htons((uint16_t)port), "root", text, text, NULL, AF_INET));
}

/* ---- datagrams: 127.0.0.1:9001 may be sent to, :9002 not ---- */

static int receiver(int number)
{
	struct sockaddr_in own = at("127.0.0.1", number);
	int fd = udp();
	if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0)
		return fd;
	perror("bind");
	exit(1);
}

static void received(const char *who, int fd)
{
	char got[64];
	int count = 0;
	while (recv(fd, got, sizeof got, MSG_DONTWAIT) >= 0)
		count++;
	printf("%s got %d\n", who, count);
}

static void datagrams(void)
{
	struct sockaddr_in named = at("127.0.0.1", 9001), unnamed = at("127.0.0.1", 9002), nobody = { .sin_family = AF_UNSPEC };
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(9002) };
	struct mmsghdr list[2] = { { message(&named), 0 }, { message(&unnamed), 0 } };
	int open = receiver(9001), closed = receiver(9002), fd = udp(), six = socket(AF_INET6, SOCK_DGRAM, 0);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	printf("sendmmsg %d\n", sendmmsg(fd, list, 2, 0));
	tell("second", sendmmsg(fd, list + 1, 1, 0));
	tell("by number", syscall(SYS_sendto, fd, text, 6, 0, &unnamed, sizeof unnamed));
	tell("mapped", sendto(six, text, 6, 0, (struct sockaddr *)&mapped, sizeof mapped));
	mapped.sin6_port = htons(9001);
	tell("mapped and named", sendto(six, text, 6, 0, (struct sockaddr *)&mapped, sizeof mapped));
	tell("connect", connect(fd, (struct sockaddr *)&named, sizeof named));
	tell("send", send(fd, text, 6, 0));
	tell("dissolve", connect(fd, (struct sockaddr *)&nobody, sizeof nobody));
	tell("send then", send(fd, text, 6, 0));
	tell("connect again", connect(fd, (struct sockaddr *)&unnamed, sizeof unnamed));
	tell("send again", send(fd, text, 6, 0));
	received("named", open);
	received("unnamed", closed);
}

/* A route of the sender's choice leads by machines that nobody named. */
static void routes(void)
{
	unsigned char route[8] = { 131, 7, 4, 127, 0, 0, 1, 0 }, header[24] = { 0, 2, 0, 1 };
	char control[CMSG_SPACE(sizeof route)] = "";
	struct sockaddr_in to = at("127.0.0.1", 9001);
	struct msghdr msg = message(&to);
	msg.msg_control = control;
	msg.msg_controllen = sizeof control;
	*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof route), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RETOPTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), route, sizeof route);
	int fd = udp(), six = socket(AF_INET6, SOCK_DGRAM, 0);
	tell("IP_OPTIONS", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof route));
	tell("no IP_OPTIONS", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
	tell("IPV6_RTHDR", setsockopt(six, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof header));
	tell("IPV6_2292RTHDR", setsockopt(six, IPPROTO_IPV6, IPV6_2292RTHDR, header, sizeof header));
	tell("sendmsg", sendmsg(fd, &msg, 0));
}

/* ---- a connection that egret carries ---- */

static void by_number(void)
{
	struct sockaddr_in to = server();
	struct msghdr msg = message(NULL), answer;
	char got[7] = "";
	struct iovec room = { got, 6 };
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0), copy;
	tell("connect", syscall(SYS_connect, fd, &to, sizeof to));
	tell("write", syscall(SYS_write, fd, text, 6));
	printf("read %ld %s\n", syscall(SYS_read, fd, got, 6), got);
	tell("sendto", syscall(SYS_sendto, fd, text, 6, 0, NULL, 0));
	printf("recvfrom %ld %s\n", syscall(SYS_recvfrom, fd, got, 6, MSG_WAITALL, NULL, NULL), got);
	tell("sendmsg", syscall(SYS_sendmsg, fd, &msg, 0));
	answer = (struct msghdr){ .msg_iov = &room, .msg_iovlen = 1 };
	printf("recvmsg %ld %s\n", syscall(SYS_recvmsg, fd, &answer, MSG_WAITALL), got);
	copy = open("/dev/null", O_RDWR);
	tell("dup2", syscall(SYS_dup3, fd, copy, 0));
	tell("close", syscall(SYS_close, fd));
	tell("write to the copy", write(copy, text, 6));
	echoed(copy);
	tell("close the copy", syscall(SYS_close, copy));
}

static void at_an_offset(void)
{
	char got[7] = "";
	struct iovec room[2] = { { got, 2 }, { got + 2, 4 } };
	int fd = connected();
	tell("pwritev2", pwritev2(fd, words, 2, -1, 0));
	size_t have = 0;
	for (ssize_t n = preadv2(fd, room, 2, -1, 0); n > 0 && (have += (size_t)n) < 6; n = preadv2(fd, room, 1, -1, 0))
		room[0] = (struct iovec){ got + have, 6 - have };
	printf("preadv2 %zu %s\n", have, got);
	tell("pwritev2 at 0", pwritev2(fd, words, 2, 0, 0));
	tell("preadv2 at 0", preadv2(fd, room, 2, 0, 0));
	tell("pwritev2 with an unknown flag", pwritev2(fd, words, 2, -1, 1 << 30));
}

static void asynchronously(int fd)
{
	struct aiocb request = { .aio_fildes = fd, .aio_buf = text, .aio_nbytes = 6, .aio_lio_opcode = LIO_WRITE }, *list[2] = { NULL, &request };
	const struct aiocb *wait[1] = { &request };
	int started = aio_write(&request);
	tell("aio_write", started);
	while (started == 0 && aio_error(&request) == EINPROGRESS)
		aio_suspend(wait, 1, NULL);
	tell("lio_listio", lio_listio(LIO_WAIT, list, 2, NULL));
	struct aiocb back = { .aio_fildes = fd, .aio_buf = text, .aio_nbytes = 6 };
	wait[0] = &back;
	started = aio_read(&back);
	tell("aio_read", started);
	while (started == 0 && aio_error(&back) == EINPROGRESS)
		aio_suspend(wait, 1, NULL);
}

static void asynchronous_transfers(void) { asynchronously(connected()); }

static void asynchronous_transfers_of_a_file(void)
{
	char path[] = "/tmp/egret-aio.XXXXXX";
	int fd = mkstemp(path);
	unlink(path);
	asynchronously(fd);
}

/* ---- waits ---- */

static _Atomic int handled;

static void count(int number)
{
	(void)number;
	handled = handled + 1;
}

static pid_t reader; /* the server: it stands still while the signals come */
static _Atomic int wanted = 1 << 30; /* signals to be handled before it goes on */

static void *interrupt(void *writer)
{
	while (handled < wanted) {
		usleep(10000);
		pthread_kill(*(pthread_t *)writer, SIGUSR1);
	}
	kill(reader, SIGCONT);
	return NULL;
}

/* Where no signal ends a write, the server has to go on. Where one does, a write that has sent something tells of that; sooner or later one
 * finds no room, and has sent nothing when the signal comes. */
static void interrupted_with(int flags)
{
	static char much[16 << 20];
	struct sigaction action = { .sa_handler = count, .sa_flags = flags };
	pthread_t writer = pthread_self(), other;
	int fd = connected();
	if (flags & SA_RESTART)
		wanted = 20;
	sigaction(SIGUSR1, &action, NULL);
	kill(reader, SIGSTOP);
	pthread_create(&other, NULL, interrupt, &writer);
	ssize_t sent = write(fd, much, sizeof much);
	tell("first", sent);
	do
		sent = write(fd, much, sizeof much);
	while (sent > 0 && !(flags & SA_RESTART));
	tell("last", sent);
	wanted = 0;
	pthread_join(other, NULL);
	printf("handled %d\n", handled > 1);
}

static void interrupted_write(void) { interrupted_with(0); }
static void restarting_write(void) { interrupted_with(SA_RESTART); }

/* A handler of faults that restarts no call, as crash reporters have it, is no handler of what comes. */
static void restarting_write_beside_faults(void)
{
	struct sigaction crash = { .sa_handler = count };
	sigaction(SIGSEGV, &crash, NULL);
	interrupted_with(SA_RESTART);
}

/* ---- names of addresses: hooks names_of ADDRESS ---- */

static void names_of(void)
{
	struct sockaddr_in sin = at(host, 0);
	char name[NI_MAXHOST] = "";
	struct hostent *found = gethostbyaddr(&sin.sin_addr, sizeof sin.sin_addr, AF_INET), entry;
	int code = 0, h_err = 0;
	printf("gethostbyaddr %s\n", found ? found->h_name : "none");
	found = NULL;
	char buf[1024];
	gethostbyaddr_r(&sin.sin_addr, sizeof sin.sin_addr, AF_INET, &entry, buf, sizeof buf, &found, &h_err);
	printf("gethostbyaddr_r %s\n", found ? found->h_name : "none");
	code = getnameinfo((struct sockaddr *)&sin, sizeof sin, name, sizeof name, NULL, 0, NI_NAMEREQD);
	printf("getnameinfo %s\n", code == EAI_NONAME ? "none" : code ? gai_strerror(code) : name);
	code = getnameinfo((struct sockaddr *)&sin, sizeof sin, name, sizeof name, NULL, 0, 0);
	printf("or number %s\n", code ? gai_strerror(code) : name);
}

#define ROW(way) { #way, way }
static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	ROW(fast_open), ROW(fast_open_connect), ROW(remote_commands), ROW(datagrams), ROW(routes), ROW(by_number), ROW(at_an_offset),
	ROW(interrupted_write), ROW(restarting_write), ROW(restarting_write_beside_faults), ROW(asynchronous_transfers),
	ROW(asynchronous_transfers_of_a_file), ROW(names_of),
};

int main(int argc, char **argv)
{
	host = argc > 2 ? argv[2] : "127.0.0.1";
	port = argc > 3 ? atoi(argv[3]) : 80;
	reader = argc > 4 ? atoi(argv[4]) : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof ways[0]; i++)
		if (strcmp(argv[1], ways[i].name) == 0) {
			ways[i].run();
			return 0;
		}
	return 2;
}
