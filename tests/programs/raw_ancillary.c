/* What goes along with a message: raw_ancillary prints one line a case, the same with and without the sandbox. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 253 /* SCM_MAX_FD */

static _Alignas(struct cmsghdr) char control[1 << 20];
static char text[16] = "along";
static struct iovec iov = { text, sizeof(text) };

static const char *word(long result) { return result >= 0 ? "done" : strerrorname_np(errno); }

static struct cmsghdr *add(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(control + msg->msg_controllen);

	memset(cmsg, 0, CMSG_SPACE(len));
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	msg->msg_control = control;
	msg->msg_controllen += CMSG_SPACE(len);
	return cmsg;
}

static long receive(int fd, struct msghdr *msg)
{
	*msg = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	return recvmsg(fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

static void descriptors(int count, int type)
{
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2], pipes[2], fds[FDS_MAX + 1], got = -1;
	struct cmsghdr *cmsg;
	char byte = 0;
	long result;

	socketpair(AF_UNIX, type, 0, pair);
	if (pipe(pipes))
		exit(1);
	for (int i = 0; i < count; i++)
		fds[i] = pipes[1];
	add(&msg, SOL_SOCKET, SCM_RIGHTS, fds, (size_t)count * sizeof(int));
	result = sendmsg(pair[0], &msg, 0);
	printf("%d descriptors: %s", count, word(result));
	if (result >= 0 && receive(pair[1], &msg) > 0 && (cmsg = CMSG_FIRSTHDR(&msg))) {
		memcpy(&got, CMSG_DATA(cmsg) + (count - 1) * (int)sizeof(int), sizeof(got));
		printf(", %zu came, the last one works: %d", (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int),
		       write(got, "y", 1) == 1 && read(pipes[0], &byte, 1) == 1 && byte == 'y');
	}
	puts("");
}

static void closed_descriptor(void)
{
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2], fd = 999;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	add(&msg, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd));
	printf("a closed descriptor: %s\n", word(sendmsg(pair[0], &msg, 0)));
}

/* A socket that the kernel itself passes on: what was sent by it before is still there. */
static void passed_socket(void)
{
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2], other[2], got = -1;
	char byte = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, other);
	if (write(other[1], "z", 1) != 1)
		exit(1);
	add(&msg, SOL_SOCKET, SCM_RIGHTS, &other[0], sizeof(int));
	if (sendmsg(pair[0], &msg, 0) < 0 || receive(pair[1], &msg) < 0 || !CMSG_FIRSTHDR(&msg))
		exit(1);
	close(other[0]);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	printf("a socket: %d\n", read(got, &byte, 1) == 1 && byte == 'z');
}

static void show_credentials(const char *name, int fd)
{
	struct ucred ucred = { 0 };
	struct cmsghdr *cmsg;
	struct msghdr msg;

	if (receive(fd, &msg) < 0 || !(cmsg = CMSG_FIRSTHDR(&msg)) || cmsg->cmsg_type != SCM_CREDENTIALS) {
		printf("%s: none\n", name);
		return;
	}
	memcpy(&ucred, CMSG_DATA(cmsg), sizeof(ucred));
	printf("%s: user %d, group %d, mine: %d\n", name, (int)ucred.uid, (int)ucred.gid, ucred.pid == getpid());
}

static void credentials(void)
{
	struct msghdr plain = { .msg_iov = &iov, .msg_iovlen = 1 }, msg = plain;
	struct ucred ucred = { getpid(), getuid(), getgid() }, other = { 1, getuid(), getgid() }, root = { getpid(), 0, 0 };
	int pair[2], on = 1;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	add(&msg, SOL_SOCKET, SCM_CREDENTIALS, &ucred, sizeof(ucred));
	printf("credentials told: %s\n", word(sendmsg(pair[0], &msg, 0)));
	show_credentials("credentials that were told", pair[1]);
	sendmsg(pair[0], &plain, 0);
	show_credentials("credentials that were not told", pair[1]);
	if (getuid()) {
		msg = plain;
		add(&msg, SOL_SOCKET, SCM_CREDENTIALS, &root, sizeof(root));
		printf("another's user: %s\n", word(sendmsg(pair[0], &msg, 0)));
		msg = plain;
		add(&msg, SOL_SOCKET, SCM_CREDENTIALS, &other, sizeof(other));
		printf("another's process: %s\n", word(sendmsg(pair[0], &msg, 0)));
	}
}

/* Who connects is who the server sees, also after a change of the user. */
static void peer(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(sa_family_t);
	struct ucred ucred = { 0 };

	bind(server, (struct sockaddr *)&un, len); /* an abstract name of the kernel's choice */
	len = sizeof(un);
	getsockname(server, (struct sockaddr *)&un, &len);
	listen(server, 5);
	printf("connect: %s\n", word(connect(fd, (struct sockaddr *)&un, len)));
	len = sizeof(ucred);
	if (write(fd, "x", 1) != 1)
		exit(1);
	do
		fd = accept(server, NULL, NULL);
	while (read(fd, text, 1) != 1);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len);
	printf("the peer: user %d, group %d\n", (int)ucred.uid, (int)ucred.gid);
}

static int udp_pair(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	bind(fd, (struct sockaddr *)at, len);
	getsockname(fd, (struct sockaddr *)at, &len);
	return fd;
}

static void packet_information(void)
{
	struct in_pktinfo info = { 0 };
	struct sockaddr_in at, from = { 0 };
	socklen_t len = sizeof(from);
	int receiver = udp_pair(&at), fd = socket(AF_INET, SOCK_DGRAM, 0), tos = 0x10;
	struct msghdr msg = { .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = &iov, .msg_iovlen = 1 };

	inet_aton("127.0.0.2", &info.ipi_spec_dst);
	add(&msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	add(&msg, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	printf("packet information: %s", word(sendmsg(fd, &msg, 0)));
	recvfrom(receiver, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	printf(", from %s\n", inet_ntoa(from.sin_addr));
}

static void sizes(void)
{
	static const size_t lengths[] = { 8000, 1 << 20 };
	int pair[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (size_t i = 0; i < 2; i++) {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		int fd = 1;

		while (msg.msg_controllen + CMSG_SPACE(sizeof(fd)) <= lengths[i] && msg.msg_controllen < 24 * 200)
			add(&msg, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd));
		memset(control + msg.msg_controllen, 0, sizeof(control) - msg.msg_controllen);
		if (lengths[i] > 8000)
			msg.msg_controllen = lengths[i];
		printf("%zu bytes of ancillary data: %s\n", lengths[i], word(sendmsg(pair[0], &msg, 0)));
	}
}

static void broken(void)
{
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2], fd = 1;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	add(&msg, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd))->cmsg_len = 4000;
	printf("a length that lies: %s\n", word(sendmsg(pair[0], &msg, 0)));
	msg.msg_control = (void *)8;
	printf("no memory: %s\n", word(sendmsg(pair[0], &msg, 0)));
}

static void all(void)
{
	descriptors(1, SOCK_STREAM);
	descriptors(1, SOCK_DGRAM);
	descriptors(1, SOCK_SEQPACKET);
	descriptors(FDS_MAX, SOCK_STREAM);
	descriptors(FDS_MAX + 1, SOCK_STREAM);
	closed_descriptor();
	passed_socket();
	credentials();
	peer();
	packet_information();
	sizes();
	broken();
	fflush(stdout);
}

int main(void)
{
	pid_t child;

	all();
	if (getuid())
		return 0;
	child = fork();
	if (child == 0) { /* as another user, without a change of the program */
		if (setresgid(65534, 65534, 65534) || setresuid(65533, 65533, 65533))
			return 1;
		all();
		return 0;
	}
	waitpid(child, NULL, 0);
	return 0;
}
