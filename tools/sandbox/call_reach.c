/* Calls that reach into other processes. Landlock holds them where the kernel has it; that they are seen here gives what it refuses a
 * line, and stands in for it where it is missing. The kernel goes on with what is aimed at the tree: numbers stand in registers. */
#include "supervisor.h"

#include <dirent.h>
#include <errno.h>

#define ANCESTORS_MAX 4096

bool egret_in_tree(pid_t pid)
{
	char path[64], line[512];
	const char *end;
	int parent, steps;
	FILE *stat_file;

	for (steps = 0; pid > 1 && steps < ANCESTORS_MAX; steps++) {
		if (pid == getpid())
			return steps > 0;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		stat_file = fopen(path, "re");
		if (!stat_file)
			return false;
		end = fgets(line, sizeof(line), stat_file) ? strrchr(line, ')') : NULL;
		fclose(stat_file);
		if (!end || sscanf(end, ") %*c %d", &parent) != 1)
			return false;
		pid = parent;
	}
	return false;
}

static bool take_numbers(const char *line, void *data)
{
	int first, second;

	if (strncmp(line, "NSpid:", 6))
		return true;
	*(int *)data = sscanf(line, "NSpid: %d %d", &first, &second);
	return false;
}

/* A program that has a namespace of process numbers of its own names nobody outside of it. */
static bool numbers_are_its_own(const struct egret_call *call)
{
	int found = 0;

	return egret_status_lines(call->pid, take_numbers, &found) && found == 2;
}

/* Whom descriptor FD of the caller's stands for (pidfd_open(2)); 0: nobody. */
static pid_t behind_pidfd(const struct egret_call *call, int fd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)call->pid, fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (info)
		fclose(info);
	return pid;
}

static int64_t aimed_at(struct egret_call *call, pid_t pid, bool by_number, const char *what, int error)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (pid > 0 && !egret_in_tree(pid) && access(path, F_OK) == 0 && !(by_number && numbers_are_its_own(call)))
		return -egret_refuse(call, what, "a process outside of the command's", error);
	call->passes = true;
	return 0;
}

/* Has process group GROUP a member outside of the tree? Where /proc cannot be read: who knows. */
static bool reaches_outside(pid_t group)
{
	DIR *dir = opendir("/proc");
	bool outside = !dir;
	const struct dirent *item;
	pid_t pid;

	while (!outside && (item = readdir(dir))) {
		pid = (pid_t)strtol(item->d_name, NULL, 10);
		outside = pid > 0 && getpgid(pid) == group && !egret_in_tree(pid);
	}
	if (dir)
		closedir(dir);
	return outside;
}

/* kill(2). Landlock leaves out of a group whom it does not scope; where it cannot, the supervisor refuses the group as a whole, but for the
 * one that the caller is in itself (shells signal it when they end). */
static int64_t call_kill(struct egret_call *call, int whom)
{
	if (whom >= 0)
		return aimed_at(call, whom, true, "signal", EPERM);
	if (call->sup->facts.landlock < EGRET_SANDBOX_LANDLOCK_SIGNALS) {
		if (whom == -1)
			return -egret_refuse(call, "signal", "every process of the user", EPERM);
		if (!numbers_are_its_own(call) && getpgid(call->pid) != -whom && reaches_outside(-whom))
			return -egret_refuse(call, "signal", "a group with processes outside of the command's", EPERM);
	}
	call->passes = true;
	return 0;
}

int64_t egret_call_reach(struct egret_call *call)
{
	int first = (int)call->args[0], second = (int)call->args[1];

	switch (call->nr) {
	case SYS_ptrace: return aimed_at(call, second, true, "ptrace", EPERM);
	case SYS_kill: return call_kill(call, first);
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo: return aimed_at(call, first, true, "signal", EPERM);
	case SYS_process_vm_readv:
	case SYS_process_vm_writev: return aimed_at(call, first, true, "memory", EPERM);
	case SYS_pidfd_getfd: return aimed_at(call, behind_pidfd(call, first), false, "pidfd_getfd", EPERM);
	}
	return aimed_at(call, behind_pidfd(call, first), false, "signal", EPERM);
}
