#include "tools/doctor.h"

#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
