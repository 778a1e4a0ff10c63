/* System calls that no policy can allow: each with its line, so that the report tells of them. */
#include "supervisor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>

struct named { int number; const char *name; };

static const char *name_of(const struct named *rows, size_t count, int number, const char *otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].number == number)
			return rows[i].name;
	return otherwise;
}

static int64_t refuse_socket(struct egret_call *call)
{
	static const struct named families[] = {
		{ AF_PACKET, "AF_PACKET" }, { AF_VSOCK, "AF_VSOCK" }, { AF_TIPC, "AF_TIPC" }, { 43, "AF_SMC" }, { 44, "AF_XDP" },
		{ AF_NETLINK, "AF_NETLINK" }, { AF_ALG, "AF_ALG" }, { AF_BLUETOOTH, "AF_BLUETOOTH" }, { AF_CAN, "AF_CAN" },
		{ AF_RDS, "AF_RDS" }, { AF_X25, "AF_X25" }, { AF_KEY, "AF_KEY" }, { 41, "AF_KCM" }, { 45, "AF_MCTP" },
	};
	static const struct named protocols[] = {
		{ IPPROTO_SCTP, "SCTP" }, { IPPROTO_DCCP, "DCCP" }, { IPPROTO_UDPLITE, "UDP-Lite" }, { IPPROTO_ICMP, "ICMP" },
		{ IPPROTO_ICMPV6, "ICMPv6" }, { 256, "SMC" }, { 115, "L2TP" },
	};
	int family = (int)call->args[0], type = (int)call->args[1] & 0xf, protocol = (int)call->args[2];
	char detail[96];

	if (family != AF_INET && family != AF_INET6) {
		snprintf(detail, sizeof(detail), "a socket of family %s",
			 name_of(families, sizeof(families) / sizeof(families[0]), family, "that is not internet or unix"));
		return -egret_refuse(call, "socket", detail, family == AF_PACKET ? EPERM : EAFNOSUPPORT);
	}
	if (type == SOCK_RAW)
		return -egret_refuse(call, "socket", "a raw socket", EPERM);
	snprintf(detail, sizeof(detail), "a socket of protocol %s",
		 name_of(protocols, sizeof(protocols) / sizeof(protocols[0]), protocol, "that is not TCP or UDP"));
	return -egret_refuse(call, "socket", detail, EACCES);
}

static int64_t refuse_option(struct egret_call *call)
{
	int level = (int)call->args[1], option = (int)call->args[2];

	if (level == IPPROTO_TCP && option == TCP_ULP)
		return -ENOENT; /* as a kernel without the module: programs do without */
	if (level == IPPROTO_TCP)
		return -egret_refuse(call, "setsockopt", "TCP_REPAIR", EPERM);
	return -egret_refuse(call, "setsockopt", level == IPPROTO_IP ? "IP options" : "IPv6 extension headers", EPERM);
}

/* The supervisor reads the memory of what it judges for: a program that hides its own would lose the network. */
static int64_t answer_dumpable(struct egret_call *call) { return call->args[1] <= 1 ? 0 : -EINVAL; }

static int64_t refuse_foreign(struct egret_call *call)
{
	if (call->arch == EGRET_AUDIT_ARCH)
		return -egret_refuse(call, "x32", "a system call of the x32 interface", ENOSYS);
	egret_refuse(call, "foreign", "a system call of another architecture", ENOSYS);
	/* i386: exit and exit_group; refused, they would be tried for ever. */
	if (call->nr == 1 || call->nr == 252)
		kill(call->pid, SIGKILL);
	return -ENOSYS;
}

int64_t egret_call_refused(struct egret_call *call)
{
	if (call->arch != EGRET_AUDIT_ARCH || (EGRET_X32_BIT && (unsigned)call->nr >= EGRET_X32_BIT))
		return refuse_foreign(call);
	switch (call->nr) {
	case SYS_socket: return refuse_socket(call);
	case SYS_setsockopt: return refuse_option(call);
	case SYS_prctl: return answer_dumpable(call);
	case SYS_io_uring_setup: return -egret_refuse(call, "io_uring", "io_uring_setup", ENOSYS);
	case SYS_socketpair: return -egret_refuse(call, "socket", "a pair of sockets that are not unix", EOPNOTSUPP);
	case SYS_request_key: return -egret_refuse(call, "request_key", "a key that a program outside would look up", EPERM);
	case SYS_bpf: return -egret_refuse(call, "bpf", "a program or map of the kernel's", EPERM);
	case SYS_ioctl: return -egret_refuse(call, "ioctl", "TIOCSTI or TIOCLINUX: input put into a terminal", EPERM);
	}
	return -egret_refuse(call, "call", "a system call that the filter should not have sent", EPERM);
}
