/* without_call NAME[,NAME...] COMMAND...: runs it where system calls are withheld (EPERM), as container profiles do. `docker` is what
 * Docker's default profile withholds of what egret uses, for a container without capabilities of its own. `killable` and `sync_wake`
 * are what older kernels lack (EINVAL).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMESPACES 0x7e020000 /* CLONE_NEW*, as the profile has them */

static const struct {
	const char *name;
	unsigned number;
	int docker;
} calls[] = {
	{ "pidfd_getfd", SYS_pidfd_getfd, 1 }, { "kcmp", SYS_kcmp, 1 }, { "unshare", SYS_unshare, 1 }, { "setns", SYS_setns, 1 },
	{ "mount", SYS_mount, 1 }, { "mount_setattr", SYS_mount_setattr, 1 }, { "bpf", SYS_bpf, 1 }, { "seccomp", SYS_seccomp, 0 },
	{ "process_vm_readv", SYS_process_vm_readv, 0 }, { "landlock_create_ruleset", SYS_landlock_create_ruleset, 0 },
};

static struct sock_filter code[64];
static unsigned short used;

static void add(unsigned short what, unsigned char yes, unsigned char no, unsigned value)
{
	code[used++] = (struct sock_filter){ what, yes, no, value };
}

static void withhold(unsigned number, unsigned error)
{
	add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
	add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error);
}

/* Where argument INDEX of system call NUMBER fits VALUE. */
static void refuse(unsigned number, unsigned index, unsigned short how, unsigned value, unsigned error)
{
	add(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
	add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) + index * 8);
	add(BPF_JMP | how | BPF_K, 0, 1, value);
	add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error);
	add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
}

int main(int argc, char **argv)
{
	struct sock_fprog program = { 0, code };
	int docker;

	if (argc < 3)
		return 2;
	docker = strstr(argv[1], "docker") != NULL;
	add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((docker && calls[i].docker) || strstr(argv[1], calls[i].name))
			withhold(calls[i].number, EPERM);
	if (docker) {
		withhold(SYS_clone3, ENOSYS);
		refuse(SYS_clone, 0, BPF_JSET, NAMESPACES, EPERM);
	}
	if (strstr(argv[1], "killable"))
		refuse(SYS_seccomp, 1, BPF_JSET, 1 << 5 /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */, EINVAL);
	if (strstr(argv[1], "sync_wake"))
		refuse(SYS_ioctl, 1, BPF_JEQ, SECCOMP_IOW(4, unsigned long long) /* SECCOMP_IOCTL_NOTIF_SET_FLAGS */, EINVAL);
	add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	program.len = used;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 3;
	execvp(argv[2], argv + 2);
	return 4;
}
