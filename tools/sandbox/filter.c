/* The filter program. Rows of a table become jumps; a row tests the number and at most the low halves of two arguments. */
#include "filter.h"

#include "abi.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#define LOW(i) (offsetof(struct seccomp_data, args[i]))
#define HIGH(i) (offsetof(struct seccomp_data, args[i]) + 4)
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define REFUSE(e) (SECCOMP_RET_ERRNO | (e))
#define PROGRAM_MAX 200

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short len;
	bool overflow;
};

static void emit(struct program *p, unsigned short code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->len >= PROGRAM_MAX) {
		p->overflow = true;
		return;
	}
	p->code[p->len++] = (struct sock_filter){ code, yes, no, k };
}

static void load(struct program *p, size_t offset) { emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
static void give(struct program *p, uint32_t result) { emit(p, BPF_RET | BPF_K, result, 0, 0); }

/* If the accumulator equals VALUE, the program's answer is RESULT. */
static void when(struct program *p, uint32_t value, uint32_t result)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	give(p, result);
}

/* Opens a block for one system call; returns the jump to be closed. The number is in the accumulator. */
static unsigned short open_call(struct program *p, uint32_t number)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
	return (unsigned short)(p->len - 1);
}

static void close_call(struct program *p, unsigned short at, uint32_t otherwise)
{
	give(p, otherwise);
	p->code[at].jf = (uint8_t)(p->len - at - 1);
}

/* Argument NUMBER is no NULL. Any bit of it: a 4 GiB-aligned one has a zero low half. */
static void notify_of_pointer(struct program *p, unsigned number)
{
	load(p, LOW(number));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	give(p, NOTIFY);
	load(p, HIGH(number));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	give(p, NOTIFY);
}

/* sendto with an address or with fast open. */
static void sendto_rule(struct program *p)
{
	unsigned short at = open_call(p, SYS_sendto);

	notify_of_pointer(p, 4);
	load(p, LOW(3));
	emit(p, BPF_JMP | BPF_JSET | BPF_K, MSG_FASTOPEN, 0, 1);
	give(p, NOTIFY);
	close_call(p, at, SECCOMP_RET_ALLOW);
}

/* request_key with a callout: where there is no such key the kernel starts /sbin/request-key, outside, as root, which looks host names up
 * (dns_resolver). Without one it only searches. */
static void request_key_rule(struct program *p)
{
	unsigned short at = open_call(p, SYS_request_key);

	notify_of_pointer(p, 2);
	close_call(p, at, SECCOMP_RET_ALLOW);
}

/* Plain stream and datagram sockets pass; everything else is the supervisor's to refuse, with a line. */
static void socket_rule(struct program *p)
{
	static const uint32_t netlink[] = { NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC };
	static const uint32_t internet[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_MPTCP };
	unsigned short at = open_call(p, SYS_socket);
	size_t i;

	load(p, LOW(0));
	when(p, AF_UNIX, SECCOMP_RET_ALLOW);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 2 + 2 * 3);
	load(p, LOW(2));
	for (i = 0; i < 3; i++)
		when(p, netlink[i], SECCOMP_RET_ALLOW);
	give(p, NOTIFY);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	give(p, NOTIFY);
	load(p, LOW(1));
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0);
	give(p, NOTIFY);
	load(p, LOW(2));
	for (i = 0; i < 4; i++)
		when(p, internet[i], SECCOMP_RET_ALLOW);
	close_call(p, at, NOTIFY);
}

/* Options that send a packet elsewhere than to its address, make a socket of another kind, or ask who sends. */
static void setsockopt_rule(struct program *p)
{
	static const uint32_t rows[][2] = {
		{ IPPROTO_IP, IP_OPTIONS }, { IPPROTO_IP, IP_HDRINCL }, { IPPROTO_IPV6, IPV6_RTHDR }, { IPPROTO_IPV6, IPV6_HOPOPTS },
		{ IPPROTO_IPV6, IPV6_DSTOPTS }, { IPPROTO_IPV6, IPV6_RTHDRDSTOPTS }, { IPPROTO_IPV6, 6 /* IPV6_2292PKTOPTIONS */ },
		{ IPPROTO_TCP, TCP_REPAIR }, { IPPROTO_TCP, TCP_ULP },
		{ SOL_SOCKET, SO_PASSCRED }, { SOL_SOCKET, 76 /* SO_PASSPIDFD */ },
	};
	unsigned short at = open_call(p, SYS_setsockopt);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		load(p, LOW(1));
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, rows[i][0], 0, 3);
		load(p, LOW(2));
		when(p, rows[i][1], NOTIFY);
	}
	close_call(p, at, SECCOMP_RET_ALLOW);
}

/* ioctl's command is 32 bits to the kernel, whatever the high half of the register says. */
static void small_rules(struct program *p)
{
	unsigned short at = open_call(p, SYS_ioctl);

	load(p, LOW(1));
	when(p, TIOCSTI, NOTIFY);
	when(p, 0x541c /* TIOCLINUX */, NOTIFY);
	close_call(p, at, SECCOMP_RET_ALLOW);

	at = open_call(p, SYS_prctl);
	load(p, LOW(0));
	when(p, PR_SET_DUMPABLE, NOTIFY);
	close_call(p, at, SECCOMP_RET_ALLOW);

	at = open_call(p, SYS_socketpair);
	load(p, LOW(0));
	when(p, AF_UNIX, SECCOMP_RET_ALLOW);
	close_call(p, at, NOTIFY);
}

/* Into other processes (call_reach.c). Threads' signals to each other are many: they are looked at where Landlock does not hold them. */
static void reach_rules(struct program *p, bool signals)
{
	static const uint32_t threads[] = { SYS_tgkill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo };
	static const uint32_t numbers[] = { SYS_kill, SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_process_vm_readv, SYS_process_vm_writev };
	unsigned short at = open_call(p, SYS_ptrace);

	load(p, LOW(0));
	when(p, PTRACE_ATTACH, NOTIFY);
	when(p, PTRACE_SEIZE, NOTIFY);
	close_call(p, at, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		when(p, numbers[i], NOTIFY);
	for (size_t i = 0; signals && i < sizeof(threads) / sizeof(threads[0]); i++)
		when(p, threads[i], NOTIFY);
}

/* Where the supervisor makes the sockets. A descriptor table that processes share would let one exchange what another is judged by;
 * clone3's flags cannot be seen here: the C library then takes clone. */
static void makes_sockets_rule(struct program *p)
{
	unsigned short at;

	when(p, SYS_socket, NOTIFY);
	when(p, SYS_listen, NOTIFY);
	when(p, SYS_clone3, REFUSE(ENOSYS));
	at = open_call(p, SYS_clone);
	load(p, LOW(0));
	emit(p, BPF_ALU | BPF_AND | BPF_K, CLONE_FILES | CLONE_THREAD, 0, 0);
	when(p, CLONE_FILES, REFUSE(EPERM));
	close_call(p, at, SECCOMP_RET_ALLOW);
}

static void build(struct program *p, bool makes_sockets, bool signals)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, EGRET_AUDIT_ARCH, 1, 0);
	give(p, NOTIFY);
	load(p, offsetof(struct seccomp_data, nr));
	if (EGRET_X32_BIT) {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, EGRET_X32_BIT, 0, 1);
		give(p, NOTIFY);
	}
	when(p, SYS_connect, NOTIFY);
	when(p, SYS_sendmsg, NOTIFY);
	when(p, SYS_sendmmsg, NOTIFY);
	when(p, SYS_bind, NOTIFY);
	when(p, SYS_getpeername, NOTIFY);
	when(p, SYS_io_uring_setup, NOTIFY);
	when(p, SYS_io_uring_enter, REFUSE(ENOSYS));
	when(p, SYS_io_uring_register, REFUSE(ENOSYS));
	when(p, SYS_bpf, NOTIFY);
	if (makes_sockets)
		makes_sockets_rule(p);
	sendto_rule(p);
	request_key_rule(p);
	socket_rule(p);
	setsockopt_rule(p);
	small_rules(p);
	reach_rules(p, signals);
	give(p, SECCOMP_RET_ALLOW);
}

int egret_filter_install(const struct egret_sandbox_facts *facts)
{
	struct program program = { .len = 0 };
	struct sock_fprog fprog;
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	build(&program, !facts->getfd, facts->landlock < EGRET_SANDBOX_LANDLOCK_SIGNALS);
	if (program.overflow)
		return -E2BIG;
	fprog.len = program.len;
	fprog.filter = program.code;
	if (facts->killable)
		flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
	return fd < 0 ? -errno : (int)fd;
}
