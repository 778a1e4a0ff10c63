#include "copies.h"

#include "policy/raw.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#define ENTRIES_SIZE 1024

static egret_fd_bits alone; /* what was made here and not copied since has no other number */
static _Atomic bool memory_is_shared;

void egret_copies_memory_is_shared(void) { atomic_store_explicit(&memory_is_shared, true, memory_order_relaxed); }

void egret_copies_made_alone(int fd)
{
	if (!atomic_load_explicit(&memory_is_shared, memory_order_relaxed) || egret_conn_registry_is_ours())
		egret_fd_bit_put(alone, fd, true);
}

void egret_copies_unsure(int fd) { egret_fd_bit_put(alone, fd, false); }

static int set_if_same(int other, int fd, uint64_t inode, struct egret_conn *conn)
{
	if (other == fd || egret_conn_inode(other) != inode)
		return 0;
	int result = egret_conn_set(other, conn);
	if (result == 0)
		egret_conn_drop_stale(conn, other); /* another thread may have closed it meanwhile */
	return result;
}

/* Without /proc every number that the process may have is looked at. */
static int look_at_all(int fd, uint64_t inode, struct egret_conn *conn)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	int result = 0;
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int other = 0; other < EGRET_DESCRIPTORS && (rlim_t)other < limit.rlim_cur && result == 0; other++)
		result = set_if_same(other, fd, inode, conn);
	return result;
}

static int look_at_entries(const char *entries, long size, int fd, uint64_t inode, struct egret_conn *conn)
{
	int result = 0;
	for (long at = 0; at < size && result == 0;) {
		const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
		if (entry->d_name[0] != '.')
			result = set_if_same((int)strtoul(entry->d_name, NULL, 10), fd, inode, conn);
		at += entry->d_reclen;
	}
	return result;
}

int egret_copies_set(int fd, struct egret_conn *conn)
{
	_Alignas(struct dirent64) char entries[ENTRIES_SIZE];
	int result = egret_conn_set(fd, conn);
	uint64_t inode = atomic_load(&conn->inode);
	if (result != 0 || egret_fd_bit(alone, fd) || !inode)
		return result;
	long size = 0, dir = egret_raw_open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	while (dir >= 0 && result == 0 && (size = egret_raw(SYS_getdents64, dir, entries, sizeof entries, 0)) > 0)
		result = look_at_entries(entries, size, fd, inode, conn);
	if (dir >= 0)
		egret_raw_close((int)dir);
	return dir < 0 || size < 0 ? look_at_all(fd, inode, conn) : result;
}
