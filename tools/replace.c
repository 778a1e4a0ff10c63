#include "tools/replace.h"

#include "policy/policy.h"
#include "tools/config.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_POLICY (64ul << 20) /* bytes; more is no policy */

static bool complain(const char *path)
{
	egret_say("%s: %s", path, strerror(errno));
	return false;
}

/* Opens and locks the file that PATH names now: whoever waited finds that its file was replaced and takes the new one. -1 with errno. */
static int open_locked(const char *path, bool create, struct stat *st)
{
	for (;;) {
		struct stat now;
		int fd = open(path, O_RDONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0644);

		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX) || fstat(fd, st)) {
			close(fd);
			return -1;
		}
		if (stat(path, &now) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev)
			return fd;
		close(fd);
	}
}

static char *read_all(int fd, size_t size)
{
	char *text = size <= MAX_POLICY ? malloc(size + 1) : NULL;
	size_t got = 0;

	while (text && got < size) {
		ssize_t n = read(fd, text + got, size - got);

		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			free(text);
			return NULL;
		}
		got += (size_t)n;
	}
	if (text)
		text[size] = '\0';
	return text;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* Makes the rename itself last. */
static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Does the file TEMP load as a policy, with the includes that stand beside it? */
static bool loads(const char *temp)
{
	struct egret_err err = { 0 };
	struct egret_policy *policy = egret_policy_load(temp, &err, NULL);

	if (!policy) {
		egret_config_print(&err, "error: ");
		egret_say("the policy would not load: nothing was changed");
	}
	egret_err_free(&err);
	egret_policy_unref(policy);
	return policy != NULL;
}

static bool put_in_place(const char *path, const struct stat *st, const char *text)
{
	char temp[PATH_MAX];
	const char *slash = strrchr(path, '/');
	bool good;
	int fd;

	if (snprintf(temp, sizeof(temp), "%.*s/.egret.XXXXXX", (int)(slash - path), path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return complain(path);
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return complain(temp);
	/* Whoever may write the file need not own it: then it becomes theirs, as with any editor. */
	if (fchown(fd, st->st_uid, st->st_gid) && errno != EPERM)
		good = complain(temp);
	else if (fchmod(fd, st->st_mode & 07777) || !write_all(fd, text, strlen(text)) || fsync(fd))
		good = complain(temp);
	else
		good = loads(temp);
	close(fd);
	if (good && rename(temp, path))
		good = complain(path);
	if (good)
		sync_folder(path);
	else
		unlink(temp);
	return good;
}

bool egret_replace(const char *path, bool create, egret_replace_edit *edit, void *data)
{
	char real_path[PATH_MAX], *text, *changed = NULL;
	struct egret_err err = { 0 };
	bool good = false;
	struct stat st;
	int fd;

	if (!realpath(path, real_path) && !egret_config_absolute(path, real_path))
		return false;
	fd = open_locked(real_path, create, &st);
	/* A link whose target was only made now is to stay a link. */
	if (fd < 0 || !realpath(path, real_path)) {
		complain(path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	text = read_all(fd, (size_t)st.st_size);
	if (!text)
		complain(path);
	else
		changed = edit(path, text, (size_t)st.st_size, data, &err);
	egret_config_print(&err, "");
	if (changed)
		good = !strcmp(text, changed) || put_in_place(real_path, &st, changed);
	egret_err_free(&err);
	free(changed);
	free(text);
	close(fd);
	return good;
}
