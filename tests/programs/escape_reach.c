/* Ways out by what others do for a program: processes outside of the tree, services of the machine. escape_reach NAME prints "escaped"
 * when the door opens; `list` names them. $OUTSIDE_PID, $OUTSIDE_AT and $OUTSIDE_SOCKET: see escape_kernel.c. */
#include "escapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void escaped(int yes)
{
	if (yes)
		puts("escaped");
}

static long outside(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 0) : -1;
}

static pid_t process(void) { return (pid_t)outside("OUTSIDE_PID"); }

static void signal_outside_by_thread(void) { escaped(syscall(SYS_tgkill, process(), process(), SIGCONT) == 0); }
static void signal_outside_by_pidfd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, process(), 0);

	escaped(syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0) == 0);
}

static void signal_outside_queued(void)
{
	union sigval value = { .sival_int = 1 };

	escaped(sigqueue(process(), SIGCONT, value) == 0);
}

static void ptrace_outside_stopped(void)
{
	if (ptrace(PTRACE_ATTACH, process(), NULL, NULL))
		return;
	waitpid(process(), NULL, __WALL);
	ptrace(PTRACE_DETACH, process(), NULL, NULL);
	escaped(1);
}

static void read_memory_outside(void)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)outside("OUTSIDE_AT"), 1 };

	escaped(process_vm_readv(process(), &local, 1, &remote, 1, 0) == 1);
}

/* ip(7): what getsockopt(IP_OPTIONS) would take, along with one message. */
static void source_route_in_ancillary_data(void)
{
	static const uint8_t route[] = { 0x83, 7, 4, 203, 0, 113, 9, 0 };
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(route))] = { 0 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9000), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct iovec iov = { (void *)(uintptr_t)token, strlen(token) };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_RETOPTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(route));
	memcpy(CMSG_DATA(cmsg), route, sizeof(route));
	escaped(sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &msg, 0) >= 0 || errno != EPERM);
}

static void pair_of_other_sockets(void)
{
	int pair[2];

	escaped(socketpair(AF_TIPC, SOCK_RDM, 0, pair) == 0);
}

static void service(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, path, strlen(path));
	escaped(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&un, sizeof(un)) == 0);
}

static void docker_service(void) { service("/run/docker.sock"); }
static void docker_service_by_its_old_path(void) { service("/var/run/docker.sock"); }
static void containerd_service(void) { service("/run/containerd/containerd.sock"); }
static void podman_service(void) { service("/run/podman/podman.sock"); }
static void dbus_service(void) { service("/run/dbus/system_bus_socket"); }
static void systemd_service(void) { service("/run/systemd/private"); }
static void resolved_service(void) { service("/run/systemd/resolve/io.systemd.Resolve"); }
static void nscd_service(void) { service("/run/nscd/socket"); }

/* An outside process connects and sends the socket. */
static void socket_sent_from_outside(void)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = getenv("OUTSIDE_SOCKET");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(un.sun_path, path ? path : "", path ? strlen(path) : 0);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) || recvmsg(fd, &msg, 0) <= 0 || !CMSG_FIRSTHDR(&msg))
		return;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	send(fd, token, strlen(token), MSG_NOSIGNAL);
}

static void notify_service(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/notify" };

	escaped(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), token, strlen(token), 0, (struct sockaddr *)&un, sizeof(un)) > 0);
}

static const struct attempt attempts[] = {
	ROW(signal_outside_by_thread), ROW(signal_outside_by_pidfd), ROW(signal_outside_queued), ROW(ptrace_outside_stopped),
	ROW(read_memory_outside), ROW(source_route_in_ancillary_data), ROW(pair_of_other_sockets), ROW(docker_service),
	ROW(docker_service_by_its_old_path), ROW(containerd_service), ROW(podman_service), ROW(dbus_service), ROW(systemd_service),
	ROW(resolved_service), ROW(nscd_service), ROW(notify_service), ROW(socket_sent_from_outside),
};

int main(int argc, char **argv) { return run_attempt(argc, argv, attempts, sizeof(attempts) / sizeof(attempts[0])); }
