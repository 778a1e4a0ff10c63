/* Daemons that give up their root directory or their user: what egret needs of the file system is read before it is out of reach. */
#include "hooks.h"
#include "prepare.h"
#include "real.h"

#include <sched.h>

int egret_on_chroot(const char *path)
{
	egret_prepare();
	return real.chroot(path);
}

int egret_on_pivot_root(const char *root, const char *old)
{
	egret_prepare();
	return real.pivot_root(root, old);
}

int egret_on_unshare(int flags)
{
	if (flags & (CLONE_NEWNS | CLONE_NEWUSER))
		egret_prepare();
	return real.unshare(flags);
}

int egret_on_setns(int fd, int type)
{
	if (type == 0 || (type & (CLONE_NEWNS | CLONE_NEWUSER)))
		egret_prepare();
	return real.setns(fd, type);
}

int egret_on_setuid(uid_t uid)
{
	egret_prepare();
	return real.setuid(uid);
}

int egret_on_seteuid(uid_t uid)
{
	egret_prepare();
	return real.seteuid(uid);
}

int egret_on_setreuid(uid_t real_uid, uid_t uid)
{
	egret_prepare();
	return real.setreuid(real_uid, uid);
}

int egret_on_setresuid(uid_t real_uid, uid_t uid, uid_t saved)
{
	egret_prepare();
	return real.setresuid(real_uid, uid, saved);
}
