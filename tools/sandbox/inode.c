#include "inode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

long egret_inode_at(int dir, const char *path)
{
	char link[64];
	ssize_t len = readlinkat(dir, path, link, sizeof(link) - 1);
	unsigned long inode;

	if (len < 0)
		return -errno;
	link[len] = '\0';
	return sscanf(link, "socket:[%lu]", &inode) == 1 ? (long)inode : 0;
}

long egret_inode_of(pid_t pid, int number)
{
	char path[64];
	long inode;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
	inode = egret_inode_at(AT_FDCWD, path);
	return inode == -ENOENT ? -EBADF : inode;
}
