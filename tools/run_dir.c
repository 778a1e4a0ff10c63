#include "tools/run_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "egret-run."
#define TAIL 6		    /* characters that mkdtemp chooses */
#define DEEPEST 4	    /* a run's directory has two levels */
#define ENVIRONMENT_MOST (4u << 20) /* bytes of a process's environment that are read */
#define TRIES 16

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Is the directory that FD means still at DIR? */
static bool is_at(int fd, const char *dir)
{
	struct stat opened, there;

	return fstat(fd, &opened) == 0 && lstat(dir, &there) == 0 && opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

int egret_run_dir_make(const char *room, char dir[PATH_MAX])
{
	for (int i = 0; i < TRIES; i++) {
		if (snprintf(dir, PATH_MAX, "%s/" PREFIX "XXXXXX", room) >= PATH_MAX || !mkdtemp(dir))
			break;
		int lock = open_dir(AT_FDCWD, dir);

		/* A sweep that came in between has it, or has removed it. A file system without locks: none sweeps there, either. */
		if (lock >= 0 && (flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && is_at(lock, dir))
			return lock;
		if (lock >= 0)
			close(lock);
	}
	dir[0] = '\0';
	return -1;
}

/* Empties the directory that FD means, and closes it. */
static void empty(int fd, int depth)
{
	DIR *list = fdopendir(fd);
	struct dirent *entry;

	if (!list) {
		close(fd);
		return;
	}
	while ((entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || unlinkat(dirfd(list), entry->d_name, 0) == 0)
			continue;
		int below = depth < DEEPEST ? open_dir(dirfd(list), entry->d_name) : -1;

		if (below >= 0)
			empty(below, depth + 1);
		unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
	}
	closedir(list);
}

void egret_run_dir_remove(const char *dir, int lock)
{
	int fd = open_dir(AT_FDCWD, dir);

	if (fd >= 0)
		empty(fd, 0);
	rmdir(dir);
	if (lock >= 0)
		close(lock);
}

/* The whole of /proc/PID/environ, NUL-terminated; NULL: not to be read. The caller frees it. */
static char *environment_of(const char *pid, size_t *length)
{
	char path[64], *text = NULL;
	size_t size = 0;
	ssize_t n = 1;
	int fd = snprintf(path, sizeof(path), "/proc/%.20s/environ", pid) < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	*length = 0;
	while (fd >= 0 && n > 0 && size < ENVIRONMENT_MOST) {
		char *more = realloc(text, (size = size ? 2 * size : 8192) + 1);

		if (!more)
			break;
		text = more;
		while (*length < size && (n = read(fd, text + *length, size - *length)) > 0)
			*length += (size_t)n;
	}
	if (text)
		text[*length] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* Does a process that we may look into live in the run of DIR still? */
static bool is_lived_in(const char *dir)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char variable[PATH_MAX + 16];
	bool found = !processes; /* cannot be known: keep it */
	size_t count = (size_t)snprintf(variable, sizeof(variable), "EGRET_RUN=%s", dir) + 1, length;

	while (!found && (entry = readdir(processes))) {
		char *text = isdigit((unsigned char)entry->d_name[0]) ? environment_of(entry->d_name, &length) : NULL;

		found = text && memmem(text, length, variable, count) != NULL;
		free(text);
	}
	if (processes)
		closedir(processes);
	return found;
}

/* Ours, and nobody else's: 0700, or 0711 when another user of the run had to pass through. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 07766) == 0700;
}

static void sweep_one(const char *room, const char *name)
{
	char dir[PATH_MAX];
	int fd = snprintf(dir, sizeof(dir), "%s/%s", room, name) < (int)sizeof(dir) ? open_dir(AT_FDCWD, dir) : -1;

	if (fd < 0)
		return;
	if (is_ours(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, dir) && !is_lived_in(dir))
		egret_run_dir_remove(dir, fd);
	else
		close(fd);
}

void egret_run_dir_sweep(const char *room)
{
	DIR *list = opendir(room);
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		if (!strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) && strlen(entry->d_name) == sizeof(PREFIX) - 1 + TAIL)
			sweep_one(room, entry->d_name);
	if (list)
		closedir(list);
}
