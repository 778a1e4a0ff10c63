/* Daemons that give up their root directory or their user: what egret needs of the file system is read before it is out of reach. */
#include "append.h"
#include "hooks.h"
#include "prepare.h"
#include "real.h"
#include "record.h"

#include <sched.h>

static void prepare(uid_t uid)
{
	egret_prepare();
	egret_append_drop();
	egret_record_prepare(uid);
}

int egret_on_chroot(const char *path)
{
	prepare((uid_t)-1);
	return real.chroot(path);
}

int egret_on_pivot_root(const char *root, const char *old)
{
	prepare((uid_t)-1);
	return real.pivot_root(root, old);
}

int egret_on_unshare(int flags)
{
	if (flags & (CLONE_NEWNS | CLONE_NEWUSER))
		prepare((uid_t)-1);
	return real.unshare(flags);
}

int egret_on_setns(int fd, int type)
{
	if (type == 0 || (type & (CLONE_NEWNS | CLONE_NEWUSER)))
		prepare((uid_t)-1);
	return real.setns(fd, type);
}

int egret_on_setuid(uid_t uid)
{
	prepare(uid);
	return real.setuid(uid);
}

int egret_on_seteuid(uid_t uid)
{
	prepare(uid);
	return real.seteuid(uid);
}

int egret_on_setreuid(uid_t real_uid, uid_t uid)
{
	prepare(uid);
	return real.setreuid(real_uid, uid);
}

int egret_on_setresuid(uid_t real_uid, uid_t uid, uid_t saved)
{
	prepare(uid);
	return real.setresuid(real_uid, uid, saved);
}
