/* Who holds a socket: /proc/PID/fd of every process that may be looked at. */
#include "inode.h"
#include "made.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>

static int by_inode(const void *key, const void *row)
{
	unsigned long a = *(const unsigned long *)key, b = ((const struct egret_holder *)row)->inode;

	return (a > b) - (a < b);
}

/* Marks what thread PID holds. How many descriptors it has. */
static size_t look_at(const char *path, pid_t pid, struct egret_holder *holders, size_t count)
{
	DIR *dir = opendir(path);
	const struct dirent *item;
	struct egret_holder *row;
	unsigned long inode;
	size_t seen = 0;
	long got;

	while (dir && (item = readdir(dir))) {
		if (!isdigit((unsigned char)item->d_name[0]))
			continue;
		seen++;
		got = egret_inode_at(dirfd(dir), item->d_name);
		inode = got > 0 ? (unsigned long)got : 0;
		row = inode ? bsearch(&inode, holders, count, sizeof(*holders), by_inode) : NULL;
		if (row && !row->found)
			*row = (struct egret_holder){ inode, pid, (int)strtol(item->d_name, NULL, 10), true };
	}
	if (dir)
		closedir(dir);
	return seen;
}

/* A process whose first thread has ended shows its descriptors by the others only. */
static void look_at_threads(const char *process, struct egret_holder *holders, size_t count)
{
	char path[600];
	const struct dirent *item;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.200s/task", process);
	dir = opendir(path);
	while (dir && (item = readdir(dir))) {
		if (!isdigit((unsigned char)item->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.200s/task/%.200s/fd", process, item->d_name);
		if (look_at(path, (pid_t)strtol(item->d_name, NULL, 10), holders, count))
			break;
	}
	if (dir)
		closedir(dir);
}

static void look_everywhere(struct egret_holder *holders, size_t count)
{
	char path[300];
	const struct dirent *item;
	DIR *dir = opendir("/proc");
	pid_t pid;

	while (dir && (item = readdir(dir))) {
		pid = isdigit((unsigned char)item->d_name[0]) ? (pid_t)strtol(item->d_name, NULL, 10) : 0;
		if (!pid || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.200s/fd", item->d_name);
		if (!look_at(path, pid, holders, count))
			look_at_threads(item->d_name, holders, count);
	}
	if (dir)
		closedir(dir);
}

static bool all_found(const struct egret_holder *holders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!holders[i].found)
			return false;
	return true;
}

void egret_made_look(struct egret_holder *holders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		holders[i].found = egret_inode_of(holders[i].pid, holders[i].number) == (long)holders[i].inode;
	/* Twice: a socket that is handed on while one looks is seen on one side or the other. */
	for (int round = 0; round < 2 && !all_found(holders, count); round++)
		look_everywhere(holders, count);
}
