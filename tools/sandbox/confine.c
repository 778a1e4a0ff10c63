#include "confine.h"

#include "abi.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* Those that the supervisor does not need come first. */
static const unsigned dropped[] = {
	CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_MKNOD, 38 /* CAP_PERFMON */, 39 /* CAP_BPF */,
	CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH,
};
#define NOT_NEEDED 7

static int drop(size_t count)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	size_t i;

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (i = 0; i < count; i++) {
		struct __user_cap_data_struct *half = &data[dropped[i] / 32];
		unsigned bit = 1u << dropped[i] % 32;

		prctl(PR_CAPBSET_DROP, dropped[i], 0, 0, 0); /* without CAP_SETPCAP no_new_privs does it */
		half->effective &= ~bit;
		half->permitted &= ~bit;
		half->inheritable &= ~bit;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int egret_confine_capabilities(void) { return drop(sizeof(dropped) / sizeof(dropped[0])); }

int egret_confine_supervisor(void) { return drop(NOT_NEEDED); }

/* Every domain ends ptrace and what goes with it. Before there were scopes a ruleset had to handle something of the file system: devices,
 * which the tree cannot make anyway, and renames from directory to directory, which are allowed everywhere. */
static int landlock_domain(int abi)
{
	struct egret_landlock_attr attr = { .scoped = EGRET_LANDLOCK_SCOPES };
	struct landlock_path_beneath_attr everywhere = { .allowed_access = EGRET_LANDLOCK_REFER };
	int fd, error = 0;

	if (abi < EGRET_SANDBOX_LANDLOCK_SIGNALS)
		attr = (struct egret_landlock_attr){ .handled_access_fs = EGRET_LANDLOCK_REFER | LANDLOCK_ACCESS_FS_MAKE_BLOCK };
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return -errno;
	if (abi < EGRET_SANDBOX_LANDLOCK_SIGNALS) {
		everywhere.parent_fd = open("/", O_PATH | O_CLOEXEC);
		if (everywhere.parent_fd < 0 || syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0))
			error = -errno;
		close(everywhere.parent_fd);
	}
	if (!error && syscall(SYS_landlock_restrict_self, fd, 0))
		error = -errno;
	close(fd);
	return error;
}

int egret_confine_process(int landlock)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return landlock < EGRET_SANDBOX_LANDLOCK ? 0 : landlock_domain(landlock);
}

static void read_only(const char *path)
{
	if (mount(path, path, NULL, MS_BIND, NULL) == 0)
		mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

void egret_confine_machine(const char *log)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return;
	if (log)
		read_only(log);
	read_only("/proc/sys"); /* hides what is mounted below, binfmt_misc */
	/* What is mounted below /sys, as cgroups are, stays as it is. */
	syscall(SYS_mount_setattr, AT_FDCWD, "/sys", 0, &attr, sizeof(attr));
}

/* A ring of io_uring works without a system call where a thread of the kernel's looks after it (IORING_SETUP_SQPOLL). */
static bool is_ring(int fd)
{
	char path[32], link[32];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link) - 1);
	link[len < 0 ? 0 : len] = '\0';
	return strcmp(link, "anon_inode:[io_uring]") == 0;
}

void egret_confine_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *item;
	struct stat st;
	int fd;

	if (!dir) { /* without /proc nothing can be looked at: none is kept */
		syscall(SYS_close_range, 3, ~0u, 0);
		return;
	}
	while ((item = readdir(dir))) {
		fd = (int)strtol(item->d_name, NULL, 10);
		if (fd > 2 && fd != dirfd(dir) && fstat(fd, &st) == 0 && (S_ISSOCK(st.st_mode) || is_ring(fd)))
			close(fd);
	}
	closedir(dir);
}
