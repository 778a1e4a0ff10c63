#include "record.h"

#include "append.h"
#include "policy/raw.h"
#include "runtime.h"
#include "scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE (EGRET_PATH_MAX + 64)
_Static_assert(PATH_SIZE <= EGRET_SCRATCH, "a path is made in a room of scratch.h");
#define KEPT_FROM 512 /* far from the numbers that programs meet by accident */

/* The record of this process while its root directory is another. A descriptor like any: it may be closed or replaced behind our back. */
static struct {
	_Atomic int fd; /* -1: none */
	dev_t device;
	ino_t inode;
} kept = { .fd = -1 };
static _Atomic bool apart, apart_supervised;
static const char *library; /* as the loader found it */

static bool path_of(char path[PATH_SIZE], const char *file, long uid)
{
	int n = uid < 0 ? snprintf(path, PATH_SIZE, "%s/%s", egret_runtime.run_dir, file) :
			  snprintf(path, PATH_SIZE, "%s/%ld/%s", egret_runtime.run_dir, uid, file);
	return egret_runtime.run_dir[0] && n > 0 && n < PATH_SIZE;
}

long egret_record_open(const char *file, int flags)
{
	char *path = egret_runtime.run_dir[0] ? egret_scratch_take() : NULL;
	long fd = -ENOENT;
	if (path && path_of(path, file, -1))
		fd = egret_raw_open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd == -EACCES && path_of(path, file, (long)geteuid()))
		fd = egret_raw_open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	egret_scratch_give(path);
	return fd;
}

/* The record that is kept, -1: none any more. */
static int kept_fd(void)
{
	struct stat st;
	int fd = atomic_load(&kept.fd);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == kept.device && st.st_ino == kept.inode ? fd : -1;
}

static void keep(void)
{
	struct stat st;
	if (kept_fd() >= 0)
		return;
	long fd = egret_record_open("events", O_WRONLY | O_APPEND), high;
	if (fd < 0)
		return;
	high = egret_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, KEPT_FROM, 0);
	if (high >= 0)
		egret_raw_close((int)fd);
	fd = high >= 0 ? high : fd;
	if (fstat((int)fd, &st) != 0)
		return;
	kept.device = st.st_dev;
	kept.inode = st.st_ino;
	atomic_store(&kept.fd, (int)fd);
}

/* Only root can make the room; whoever else changes its user changes back to one that has it. */
static void make_room(uid_t uid)
{
	char path[PATH_SIZE];
	if (uid == (uid_t)-1 || uid == geteuid() || geteuid() != 0 || !path_of(path, "", uid))
		return;
	struct stat st;
	path[strlen(path) - 1] = '\0';
	if (stat(egret_runtime.run_dir, &st) != 0 || st.st_uid != 0 || mkdir(path, 0700) != 0)
		return; /* it is there, or `egret run` is not root's and UID's own */
	path_of(path, "events", uid);
	long fd = egret_raw_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	bool good = fchown((int)fd, uid, (gid_t)-1) == 0;
	egret_raw_close((int)fd);
	path_of(path, "", uid);
	if (!good || chown(path, uid, (gid_t)-1) != 0)
		return;
	chmod(egret_runtime.run_dir, 0711); /* to be passed through, not read */
}

void egret_record_prepare(uid_t uid)
{
	int saved = errno;
	Dl_info info;
	if (!library && dladdr(&egret_runtime, &info))
		library = info.dli_fname;
	if (egret_record_is_supervised())
		atomic_store(&apart_supervised, true);
	atomic_store(&apart, true);
	if (egret_runtime.run_dir[0]) {
		keep();
		make_room(uid);
	}
	errno = saved;
}

bool egret_record_is_supervised(void)
{
	char *path = apart_supervised ? NULL : egret_scratch_take();
	bool supervised = apart_supervised || (path && path_of(path, "supervised", -1) && access(path, F_OK) == 0);
	egret_scratch_give(path);
	return supervised;
}

/* For the program that execve(2) starts: what capabilities give this process beyond its user, that one may not have. access(2) leaves them out. */
static bool is_open_to_next(const char *path, int mode, int flags)
{
	long fd = access(path, mode) == 0 ? egret_raw_open(path, flags | O_CLOEXEC, 0) : -1;
	if (fd >= 0)
		egret_raw_close((int)fd);
	return fd >= 0;
}

static bool next_has_record(void)
{
	char path[PATH_SIZE];
	const long rooms[] = { -1, (long)geteuid() };
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
		if (path_of(path, "events", rooms[i]) && is_open_to_next(path, W_OK, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK))
			return true;
	return false;
}

void egret_record_out_of_reach(char *why, size_t size)
{
	if (!atomic_load(&apart))
		return;
	if (library && library[0] == '/' && !is_open_to_next(library, R_OK, O_RDONLY))
		snprintf(why, size, "cannot open %s with the user and root directory that it gets", library);
	else if (egret_runtime.run_dir[0] && !next_has_record())
		snprintf(why, size, "cannot record what it does in %s with the user and root directory that it gets", egret_runtime.run_dir);
}

void egret_record_write(const char *line, size_t length)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK;
	int fd = kept_fd();
	char *path = fd < 0 && egret_runtime.run_dir[0] ? egret_scratch_take() : NULL;
	if (fd >= 0)
		(void)egret_raw_write(fd, line, length);
	else if (path && path_of(path, "events", -1) && egret_append(EGRET_APPEND_RECORD, path, flags, line, length) == -EACCES &&
		 path_of(path, "events", (long)geteuid()))
		egret_append(EGRET_APPEND_RECORD, path, flags, line, length);
	egret_scratch_give(path);
}
