/* What this machine offers, tried and not guessed. */
#include "abi.h"
#include "sandbox.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PROBE_DUMMY 23

/* What the child of the probe tells, as bits of one byte. */
enum { NOTIFY = 1, KILLABLE = 2, SYNC_WAKE = 4 };

/* The descriptor of an empty filter's listener. */
static long listen_for(unsigned long flags)
{
	struct sock_filter code[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { 1, code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
}

static uint8_t try_filters(void)
{
	uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
	uint8_t works = 0;
	long fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = listen_for(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (fd >= 0)
		works = KILLABLE;
	else
		fd = listen_for(0);
	if (fd < 0)
		return 0;
	if (ioctl((int)fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) == 0)
		works |= SYNC_WAKE;
	return works | NOTIFY;
}

/* The child waits in a pipe while its descriptor and its memory are taken. */
static void try_reading(struct egret_sandbox_facts *facts, pid_t child, int descriptor)
{
	static const int value = PROBE_DUMMY; /* a copy of the process has it at the same place */
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0), got = -1, copy = 0;
	struct iovec local = { &copy, sizeof(copy) }, remote = { (void *)(uintptr_t)&value, sizeof(value) };

	facts->memory = process_vm_readv(child, &local, 1, &remote, 1, 0) == sizeof(copy) && copy == PROBE_DUMMY;
	if (pidfd >= 0)
		got = (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
	facts->getfd = got >= 0;
	if (got >= 0)
		close(got);
	if (pidfd >= 0)
		close(pidfd);
}

/* All in one child: a process costs more than what it tries. */
static void try_child(struct egret_sandbox_facts *facts)
{
	int gate[2], told[2];
	uint8_t works = 0;
	char byte;
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC))
		return;
	if (pipe2(told, O_CLOEXEC)) {
		close(gate[0]);
		close(gate[1]);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		works = try_filters();
		_exit(write(told[1], &works, 1) == 1 && read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(told[1]);
	if (pid > 0 && read(told[0], &works, 1) == 1)
		try_reading(facts, pid, gate[0]);
	facts->notify = works & NOTIFY;
	facts->killable = works & KILLABLE;
	facts->sync_wake = works & SYNC_WAKE;
	close(told[0]);
	close(gate[1]);
	close(gate[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

bool egret_sandbox_has_namespaces(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int yama(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (file) {
		if (fscanf(file, "%d", &scope) != 1)
			scope = -1;
		fclose(file);
	}
	return scope;
}

void egret_sandbox_probe(struct egret_sandbox_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	try_child(facts);
	facts->landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
	if (facts->landlock < 0)
		facts->landlock = 0;
	facts->ptrace_scope = yama();
}

const char *egret_sandbox_missing(const struct egret_sandbox_facts *facts)
{
	if (!facts->notify)
		return "seccomp user notification is missing (Linux 5.0, and no other supervisor in this tree): nothing governs "
		       "static programs and raw system calls";
	if (!facts->killable)
		return "WAIT_KILLABLE_RECV is missing (Linux 5.19): a signal could make a decided call run twice";
	if (!facts->memory)
		return "process_vm_readv is withheld (by a container's profile, or Yama's ptrace_scope 2 or 3): the supervisor cannot read "
		       "what a program asks for";
	if (facts->landlock < EGRET_SANDBOX_LANDLOCK)
		return "Landlock is missing (Linux 5.19, and not switched off at boot): the tree could trace processes outside";
	return NULL;
}

const char *egret_sandbox_layers(const struct egret_sandbox_facts *facts, char *buf, size_t size)
{
	bool supervisor = facts->notify && facts->killable && facts->memory;

	snprintf(buf, size, "sandbox: %s%s%s", supervisor ? "supervisor" : "none",
		 !supervisor ? "" : facts->getfd ? ", resolver, relay" : " (makes the sockets: no pidfd_getfd), resolver, relay",
		 !supervisor || facts->landlock < EGRET_SANDBOX_LANDLOCK ? "" :
		 facts->landlock < EGRET_SANDBOX_LANDLOCK_SIGNALS ? ", landlock (signals: the supervisor)" : ", landlock");
	return buf;
}
