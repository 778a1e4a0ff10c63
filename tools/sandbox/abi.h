/* What the kernel offers that older system headers do not name: seccomp(2), landlock(7), pidfd_open(2). */
#ifndef EGRET_SANDBOX_ABI_H
#define EGRET_SANDBOX_ABI_H

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* struct pidfd_info as of Linux 6.13 (pidfd's ioctl). */
struct egret_pidfd_info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define EGRET_PIDFD_INFO_PID 1u
#define EGRET_PIDFD_INFO_CREDS 2u
#define EGRET_PIDFD_GET_INFO _IOWR(0xff, 11, struct egret_pidfd_info)

/* struct landlock_ruleset_attr as of ABI 6; older headers end before `scoped`. */
struct egret_landlock_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};
#define EGRET_LANDLOCK_SCOPES 3u /* abstract unix sockets and signals */
#define EGRET_LANDLOCK_REFER (1u << 13) /* LANDLOCK_ACCESS_FS_REFER */

#if defined(__x86_64__)
#define EGRET_AUDIT_ARCH AUDIT_ARCH_X86_64
#define EGRET_X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define EGRET_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define EGRET_X32_BIT 0u
#else
#error "egret: name this architecture for the sandbox's filter"
#endif

/* The kernel's own errno for "run this system call again after the signal"; never seen by a program. */
#define EGRET_ERESTARTSYS 512

#endif
