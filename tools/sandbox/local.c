/* Unix sockets: the path is pinned by a descriptor, judged by its canonical name, and connected through that descriptor. */
#include "credentials.h"
#include "unix_sockets.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Opens PATH as the caller would: below its root, from its working directory, with its rights. */
static int pin(const struct egret_call *call, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char base[64], full[PATH_MAX], cwd[PATH_MAX];
	ssize_t len;
	int root, fd;

	snprintf(base, sizeof(base), "/proc/%d/root", (int)call->pid);
	root = open(base, O_PATH | O_CLOEXEC | O_DIRECTORY);
	if (root < 0)
		return -errno;
	if (path[0] != '/') {
		snprintf(base, sizeof(base), "/proc/%d/cwd", (int)call->pid);
		len = readlink(base, cwd, sizeof(cwd) - 1);
		if (len < 0)
			len = 0;
		cwd[len] = '\0';
		if (snprintf(full, sizeof(full), "%s/%s", cwd, path) >= (int)sizeof(full))
			full[0] = '\0';
		path = full;
	}
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

/* connect asks for write permission on the socket's file; the supervisor may be mightier than the caller. */
static bool may_write(const struct egret_call *call, int fd)
{
	struct egret_credentials of;
	struct stat st;

	if (!egret_credentials_of(call, &of) || fstat(fd, &st) || !S_ISSOCK(st.st_mode))
		return false;
	if (of.effective_uid == geteuid())
		return true;
	if (of.effective_uid == st.st_uid)
		return st.st_mode & S_IWUSR;
	return of.effective_gid == st.st_gid ? st.st_mode & S_IWGRP : (st.st_mode & S_IWOTH) != 0;
}

static int judged(struct egret_call *call, const char *name, int type, struct egret_where *where)
{
	struct egret_unix_place place = { (const struct sockaddr_un *)&where->ss, where->len, where->pinned, type };

	where->ruling = egret_judge_path(call, name, &place);
	if (where->ruling.route != EGRET_ROUTE_NONE)
		return 0;
	egret_where_done(where);
	return -where->ruling.error;
}

static int abstract_where(struct egret_call *call, const struct sockaddr_un *un, socklen_t len, int type, struct egret_where *where)
{
	char name[sizeof(un->sun_path) + 1];
	size_t size = len - offsetof(struct sockaddr_un, sun_path);

	memcpy(name, un->sun_path, size);
	name[0] = '@';
	name[size] = '\0';
	memcpy(&where->ss, un, len);
	where->len = len;
	/* A NUL inside would let one name be judged and another be reached. */
	if (memchr(un->sun_path + 1, 0, size - 1))
		name[strlen(name)] = '\x01';
	return judged(call, name, type, where);
}

int egret_local_where(struct egret_call *call, const struct sockaddr_un *un, socklen_t len, int type, struct egret_where *where)
{
	struct sockaddr_un *out = (struct sockaddr_un *)&where->ss;
	char path[sizeof(un->sun_path) + 1] = "", real[PATH_MAX];
	ssize_t n;

	if (len <= offsetof(struct sockaddr_un, sun_path) || len > sizeof(*un))
		return -EINVAL;
	if (!un->sun_path[0])
		return abstract_where(call, un, len, type, where);
	memcpy(path, un->sun_path, len - offsetof(struct sockaddr_un, sun_path));
	where->pinned = pin(call, path);
	if (where->pinned < 0)
		return where->pinned;
	if (!may_write(call, where->pinned)) {
		egret_where_done(where);
		return -EACCES;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", where->pinned);
	n = readlink(path, real, sizeof(real) - 1);
	real[n > 0 ? n : 0] = '\0';
	out->sun_family = AF_UNIX;
	snprintf(out->sun_path, sizeof(out->sun_path), "%s", path);
	where->len = sizeof(*out);
	return judged(call, real, type, where);
}
