#include "tools/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool egret_doctor_notification(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int egret_doctor_landlock(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool egret_doctor_pidfd(void)
{
	int pidfd, fd = -1, error = 0;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (pid < 0)
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0);
	error = errno;
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = error;
	return fd >= 0;
}

bool egret_doctor_user_namespace(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool egret_doctor_has_certificates(const char *place)
{
	struct dirent *item;
	bool found = false;
	struct stat st;
	DIR *dir;

	if (stat(place, &st))
		return false;
	if (S_ISREG(st.st_mode))
		return st.st_size > 0;
	dir = opendir(place);
	while (dir && !found && (item = readdir(dir)))
		found = strlen(item->d_name) == 10 && item->d_name[8] == '.'; /* 8 hexadecimal digits, a dot, a number */
	if (dir)
		closedir(dir);
	return found;
}
