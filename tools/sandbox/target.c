/* Reading another process: its memory, its descriptors, its pending signals. */
#include "made.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

int egret_listener(const struct egret_supervisor *sup, unsigned long request, void *argument)
{
	int result;

	do
		result = ioctl(sup->listener, request, argument);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

bool egret_call_valid(const struct egret_call *call)
{
	uint64_t id = call->id;

	return egret_listener(call->sup, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool egret_call_read(const struct egret_call *call, uint64_t address, void *buf, size_t size)
{
	struct iovec local = { buf, size }, remote = { (void *)(uintptr_t)address, size };

	return !size || process_vm_readv(call->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool egret_call_write(const struct egret_call *call, uint64_t address, const void *buf, size_t size)
{
	struct iovec local = { (void *)(uintptr_t)buf, size }, remote = { (void *)(uintptr_t)address, size };

	return egret_call_valid(call) && process_vm_writev(call->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool egret_status_lines(pid_t pid, bool (*take)(const char *line, void *data), void *data)
{
	char path[64], line[512];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status))
		if (!take(line, data))
			break;
	fclose(status);
	return true;
}

static bool take_process(const char *line, void *data) { return sscanf(line, "Tgid: %d", (int *)data) != 1; }

pid_t egret_process_of(pid_t thread)
{
	int process = 0;

	return egret_status_lines(thread, take_process, &process) && process ? process : thread;
}

/* A thread may have a descriptor table of its own: PIDFD_THREAD names it; kernels before 6.9 only know the process. */
static int open_pidfd(pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);

	if (fd >= 0)
		return fd;
	fd = (int)syscall(SYS_pidfd_open, tid, 0);
	if (fd >= 0)
		return fd;
	fd = (int)syscall(SYS_pidfd_open, egret_process_of(tid), 0);
	return fd < 0 ? -errno : fd;
}

/* The caller's pidfd, which stays the worker's. A reused pid shows as ESRCH. */
static int caller_pidfd(const struct egret_call *call)
{
	struct egret_worker *worker = call->worker;

	if (worker->cached_pid == call->pid && worker->cached_pidfd >= 0)
		return worker->cached_pidfd;
	if (worker->cached_pidfd >= 0)
		close(worker->cached_pidfd);
	worker->cached_pidfd = open_pidfd(call->pid);
	worker->cached_pid = call->pid;
	if (worker->cached_pidfd >= 0 && !egret_call_valid(call)) { /* the number may be another's by now */
		close(worker->cached_pidfd);
		worker->cached_pidfd = -1;
		return -EINTR;
	}
	return worker->cached_pidfd;
}

int egret_call_dup(const struct egret_call *call, int fd)
{
	struct egret_worker *worker = call->worker;
	int got, tries;

	if (call->sup->makes_sockets)
		return egret_made_dup(call, fd);
	for (tries = 0; tries < 2; tries++) {
		got = caller_pidfd(call);
		if (got < 0)
			return got;
		got = (int)syscall(SYS_pidfd_getfd, worker->cached_pidfd, fd, 0);
		if (got >= 0 || errno != ESRCH)
			return got < 0 ? -errno : got;
		close(worker->cached_pidfd);
		worker->cached_pidfd = -1;
	}
	return -ESRCH;
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 : value;
}

/* One question for the usual ones, since it is on every connect's way: no other family that the filter lets a program open has these
 * protocols. */
static bool is_internet(struct egret_target *target)
{
	switch (target->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP:
		target->type = SOCK_STREAM;
		target->transport = EGRET_STREAM;
		return true;
	case IPPROTO_UDP:
		target->type = SOCK_DGRAM;
		target->transport = EGRET_DATAGRAM;
		return true;
	}
	return false;
}

int egret_target_domain(struct egret_target *target)
{
	if (!target->domain)
		target->domain = socket_option(target->fd, SO_DOMAIN);
	return target->domain;
}

bool egret_target_nonblock(const struct egret_target *target)
{
	int flags = fcntl(target->fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK);
}

int egret_target_open(const struct egret_call *call, int fd, struct egret_target *target)
{
	memset(target, 0, sizeof(*target));
	target->fd = egret_call_dup(call, fd);
	if (target->fd == -ENOENT)
		return -egret_refuse(call, "socket", "one that the supervisor did not make (pidfd_getfd is withheld here)", EACCES);
	if (target->fd < 0)
		return target->fd == -EPERM ? -EACCES : target->fd;
	target->protocol = socket_option(target->fd, SO_PROTOCOL);
	if (is_internet(target))
		return 0;
	if (egret_target_domain(target) < 0) {
		egret_target_close(target);
		return -ENOTSOCK;
	}
	target->type = socket_option(target->fd, SO_TYPE);
	target->transport = target->domain == AF_UNIX ? EGRET_LOCAL : 0;
	return 0;
}

bool egret_target_v6only(struct egret_target *target)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return egret_target_domain(target) == AF_INET6 && getsockopt(target->fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &len) == 0 && value;
}

void egret_target_close(struct egret_target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
}

struct signals {
	unsigned long long pending, blocked, ignored;
};

static bool take_signals(const char *line, void *data)
{
	struct signals *signals = data;
	unsigned long long set;

	if (sscanf(line, "SigPnd: %llx", &set) == 1 || sscanf(line, "ShdPnd: %llx", &set) == 1)
		signals->pending |= set;
	else if (sscanf(line, "SigBlk: %llx", &set) == 1)
		signals->blocked = set;
	else if (sscanf(line, "SigIgn: %llx", &set) == 1)
		signals->ignored = set;
	return true;
}

bool egret_call_interrupted(const struct egret_call *call)
{
	struct signals signals = { 0 };

	if (!egret_call_valid(call) || !egret_status_lines(call->pid, take_signals, &signals))
		return true;
	return (signals.pending & ~signals.blocked & ~signals.ignored) != 0;
}

int egret_call_interruption(const struct egret_target *target)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);

	getsockopt(target->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
	return timeout.tv_sec || timeout.tv_usec ? EINTR : EGRET_ERESTARTSYS;
}

void egret_call_raise(const struct egret_call *call, int signal)
{
	int pidfd = caller_pidfd(call);

	if (pidfd >= 0)
		syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static bool take_threads(const char *line, void *data)
{
	return sscanf(line, "Threads: %d", (int *)data) != 1;
}

int egret_call_threads(const struct egret_call *call)
{
	int threads = 0;

	return egret_status_lines(call->pid, take_threads, &threads) ? threads : 0;
}

const char *egret_call_exe(const struct egret_call *call, char *buf, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)call->pid);
	len = readlink(path, buf, size - 1);
	buf[len > 0 ? len : 0] = '\0';
	return buf;
}
