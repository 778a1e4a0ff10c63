#include "credentials.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <sys/socket.h>

static bool by_pidfd(const struct egret_call *call, struct egret_credentials *of)
{
	struct egret_pidfd_info info = { .mask = EGRET_PIDFD_INFO_PID | EGRET_PIDFD_INFO_CREDS };

	if (call->worker->cached_pid != call->pid || ioctl(call->worker->cached_pidfd, EGRET_PIDFD_GET_INFO, &info) ||
	    !(info.mask & EGRET_PIDFD_INFO_CREDS))
		return false;
	*of = (struct egret_credentials){
		.process = (pid_t)info.tgid,
		.uid = info.ruid, .effective_uid = info.euid, .saved_uid = info.suid,
		.gid = info.rgid, .effective_gid = info.egid, .saved_gid = info.sgid,
	};
	return true;
}

/* Kernels before 6.13. */
static bool by_proc(const struct egret_call *call, struct egret_credentials *of)
{
	char path[64], line[256];
	int tgid = 0, found = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)call->pid);
	status = fopen(path, "re");
	if (!status)
		return false;
	while (found < 3 && fgets(line, sizeof(line), status)) {
		found += sscanf(line, "Tgid: %d", &tgid) == 1;
		found += sscanf(line, "Uid: %u %u %u", &of->uid, &of->effective_uid, &of->saved_uid) == 3;
		found += sscanf(line, "Gid: %u %u %u", &of->gid, &of->effective_gid, &of->saved_gid) == 3;
	}
	fclose(status);
	of->process = tgid;
	return found == 3 && egret_call_valid(call);
}

bool egret_credentials_of(const struct egret_call *call, struct egret_credentials *of)
{
	return by_pidfd(call, of) || by_proc(call, of);
}

/* The system calls themselves: the libc's functions change every thread. The saved ones stay ours, the way back. */
bool egret_act_as(const struct egret_credentials *of)
{
	if (geteuid() || (!of->uid && !of->effective_uid && !of->gid && !of->effective_gid))
		return true;
	if (syscall(SYS_setresgid, of->gid, of->effective_gid, -1) == 0 && syscall(SYS_setresuid, of->uid, of->effective_uid, -1) == 0)
		return true;
	egret_act_as_ourselves();
	return false;
}

void egret_act_as_ourselves(void)
{
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;

	if (syscall(SYS_getresuid, &uid, &effective_uid, &saved_uid) || syscall(SYS_getresgid, &gid, &effective_gid, &saved_gid) || saved_uid)
		return;
	syscall(SYS_setresuid, saved_uid, saved_uid, saved_uid);
	syscall(SYS_setresgid, saved_gid, saved_gid, saved_gid);
}

/* In a namespace of its own the caller has another number. */
static bool is_its_own_number(const struct egret_call *call, const struct egret_credentials *of, pid_t told)
{
	char path[64], line[512];
	const char *last;
	bool own = told == of->process;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)call->pid);
	status = own ? NULL : fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "NStgid:", 7) && (last = strrchr(line, '\t')))
			own = strtol(last, NULL, 10) == told;
	if (status)
		fclose(status);
	return own;
}

bool egret_credentials_may_tell(const struct egret_call *call, const struct egret_credentials *of, const struct ucred *told)
{
	bool user = told->uid == of->uid || told->uid == of->effective_uid || told->uid == of->saved_uid;
	bool group = told->gid == of->gid || told->gid == of->effective_gid || told->gid == of->saved_gid;

	return is_its_own_number(call, of, told->pid) && (!of->effective_uid || (user && group));
}

static bool set_effective(const uint32_t wanted[2], uint32_t saved[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	for (int i = 0; i < 2; i++) {
		saved[i] = data[i].effective;
		data[i].effective = wanted[i];
	}
	return (saved[0] == wanted[0] && saved[1] == wanted[1]) || syscall(SYS_capset, &header, data) == 0;
}

bool egret_credentials_lower(struct egret_capabilities *saved)
{
	static const uint32_t none[2];

	return set_effective(none, saved->effective);
}

void egret_credentials_raise(const struct egret_capabilities *saved)
{
	int error = errno;
	uint32_t none[2];

	set_effective(saved->effective, none);
	errno = error;
}

static bool has_capability(unsigned number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &header, data) == 0 && data[number / 32].effective & 1u << number % 32;
}

/* Tried, not asked: the kernel wants CAP_SYS_ADMIN of the PID namespace's owner, which root of a user namespace may not be. */
static bool can_tell(const struct ucred *told)
{
	char control[CMSG_SPACE(sizeof(*told))] __attribute__((aligned(sizeof(size_t)))) = { 0 };
	struct iovec iov = { control, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	bool can = false;
	int pair[2];

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(*told));
	memcpy(CMSG_DATA(cmsg), told, sizeof(*told));
	if (!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair)) {
		can = sendmsg(pair[0], &msg, MSG_DONTWAIT) == 1;
		close(pair[0]);
		close(pair[1]);
	}
	return can;
}

bool egret_credentials_tell(const struct egret_credentials *of, struct ucred *told)
{
	static _Atomic int can = -1; /* 0: only our own, 1: another user, 2: another process too */

	if (can < 0)
		can = !has_capability(CAP_SETUID) || !has_capability(CAP_SETGID)    ? 0 :
		      can_tell(&(struct ucred){ of->process, geteuid(), getegid() }) ? 2 : 1;
	*told = (struct ucred){ can > 1 ? of->process : getpid(), of->uid, of->gid };
	return can > 0;
}

/* The kernel goes on with it: what another thread exchanges meanwhile asks the same of another socket. */
int64_t egret_call_ask_sender(struct egret_call *call)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	struct egret_credentials of;
	struct ucred ucred;

	call->passes = true;
	if (call->sup->makes_sockets) /* messages pass there, and the kernel knows who sends them */
		return 0;
	if (!egret_credentials_of(call, &of))
		return -EINTR;
	if ((geteuid() || !egret_credentials_tell(&of, &ucred) || ucred.pid != of.process) && !atomic_flag_test_and_set(&told))
		dprintf(STDERR_FILENO, "egret: the sandbox sends its programs' messages, and only root can name their sender: one that asks who sends "
				       "(SO_PASSCRED), as chromium's own sandbox does, is told the supervisor's number and may wait for ever; "
				       "start egret run as root, or that program without its sandbox\n");
	return 0;
}
