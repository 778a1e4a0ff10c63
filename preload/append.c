#include "append.h"

#include "conn.h"

#include "policy/log.h"
#include "policy/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define CLOSE_BY_NS 1000000
#define BUSY 16        /* lines close by each other make a file worth a descriptor */
#define KEPT_FROM 512 /* far from the numbers that programs meet by accident; a process that has no such number keeps none */

static struct kept {
	_Atomic bool busy;   /* some thread uses what is below */
	_Atomic int fd;      /* one more than the number, 0: none; what loses it does not ask whether it is busy */
	_Atomic long pid;    /* in whose table of descriptors it is: a vfork child has this memory and another table */
	dev_t device;
	ino_t inode;
	int64_t looked_ns, last_ns; /* when it was looked at; the newest line */
	unsigned close_by;   /* lines in a row that came close by the one before */
	char path[PATH_MAX];
} all[EGRET_APPEND_FILES];

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static bool is_file(const struct kept *kept, const struct stat *st)
{
	return st->st_dev == kept->device && st->st_ino == kept->inode;
}

static bool is_mine(struct kept *kept)
{
	return atomic_load(&kept->pid) == egret_raw(SYS_getpid, 0, 0, 0, 0);
}

static void give_up(struct kept *kept)
{
	struct stat st;
	int fd = atomic_exchange(&kept->fd, 0) - 1;
	if (fd >= 0 && fstat(fd, &st) == 0 && is_file(kept, &st))
		egret_raw_close(fd);
}

/* Only where this process has governed connections, which is known to be it (conn.h). FD, just opened, gets a copy that stays. */
static void keep(struct kept *kept, const char *path, int fd)
{
	struct stat st;
	size_t length = strlen(path);
	if (!egret_conn_registry_is_mine() || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || length >= sizeof kept->path)
		return;
	long high = egret_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, KEPT_FROM, 0);
	if (high < 0)
		return;
	give_up(kept);
	memcpy(kept->path, path, length + 1);
	kept->device = st.st_dev;
	kept->inode = st.st_ino;
	kept->looked_ns = now_ns();
	atomic_store(&kept->pid, egret_own_pid());
	atomic_store(&kept->fd, (int)high + 1);
}

/* The descriptor that is kept for PATH, -1: none. */
static int kept_for(struct kept *kept, const char *path, int64_t now)
{
	struct stat st;
	int fd = atomic_load(&kept->fd) - 1;
	if (fd < 0 || strcmp(path, kept->path) != 0)
		return -1;
	if (now - kept->looked_ns < CLOSE_BY_NS)
		return fd;
	if (!is_mine(kept))
		return -1;
	bool good = kept->close_by && fstat(fd, &st) == 0 && is_file(kept, &st) && stat(path, &st) == 0 && is_file(kept, &st);
	if (!good)
		give_up(kept);
	kept->looked_ns = now;
	return good ? fd : -1;
}

/* KEPT: where the descriptor stays; NULL: nowhere. */
static int open_and_write(struct kept *kept, const char *path, int flags, const void *line, size_t length)
{
	long fd = egret_log_open(path, flags);
	if (fd < 0)
		return (int)fd;
	int result = egret_log_append((int)fd, line, length);
	if (kept)
		keep(kept, path, (int)fd);
	egret_raw_close((int)fd);
	return result;
}

static int append(struct kept *kept, const char *path, int flags, const void *line, size_t length)
{
	int64_t now = now_ns();
	kept->close_by = now - kept->last_ns < CLOSE_BY_NS ? kept->close_by + 1 : 0;
	int fd = kept_for(kept, path, now), result = fd >= 0 ? egret_log_append(fd, line, length) : -EBADF;
	if (result == -EBADF) {
		if (fd >= 0)
			egret_append_lost(fd, fd);
		result = open_and_write(kept->close_by >= BUSY ? kept : NULL, path, flags, line, length);
	}
	kept->last_ns = now;
	return result;
}

int egret_append(enum egret_append file, const char *path, int flags, const void *line, size_t length)
{
	struct kept *kept = &all[file];
	if (atomic_exchange(&kept->busy, true))
		return open_and_write(NULL, path, flags, line, length);
	int result = append(kept, path, flags, line, length);
	atomic_store(&kept->busy, false);
	return result;
}

void egret_append_lost(int first, int last)
{
	for (int i = 0; i < EGRET_APPEND_FILES; i++) {
		int fd = atomic_load_explicit(&all[i].fd, memory_order_relaxed) - 1;
		if (fd >= 0 && fd >= first && fd <= last && is_mine(&all[i]))
			atomic_store(&all[i].fd, 0);
	}
}

void egret_append_drop(void)
{
	for (int i = 0; i < EGRET_APPEND_FILES; i++)
		if (atomic_load(&all[i].fd) && is_mine(&all[i]))
			give_up(&all[i]);
}

void egret_append_after_fork(void)
{
	for (int i = 0; i < EGRET_APPEND_FILES; i++) {
		give_up(&all[i]);
		atomic_store(&all[i].busy, false);
	}
}
