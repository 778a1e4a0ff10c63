/* Numbers that were closed behind the hooks' back, and mean something else by now. */
#include "conn.h"

#include "copies.h"
#include "ready.h"

#include <sys/stat.h>

uint64_t egret_conn_inode(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

void egret_conn_fresh(int fd)
{
	egret_copies_unsure(fd);
	if (!egret_conn_has(fd) || !egret_conn_registry_is_ours())
		return;
	egret_ready_forget(fd, -1);
	egret_conn_put(egret_conn_take(fd));
}

bool egret_conn_is_stale(const struct egret_conn *conn, int fd)
{
	return egret_conn_inode(fd) != atomic_load(&conn->inode);
}

bool egret_conn_drop_stale(const struct egret_conn *conn, int fd)
{
	if (!egret_conn_is_stale(conn, fd) || !egret_conn_registry_is_ours())
		return false;
	egret_conn_fresh(fd);
	return true;
}
