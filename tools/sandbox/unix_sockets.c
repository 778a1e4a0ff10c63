#include "unix_sockets.h"

#include "inode.h"
#include "unix_diag.h"

#include "policy/hash.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FEW 1024 /* sockets that are remembered before one looks which of them are gone */
#define MINOR_BITS 20 /* of a device's number as the kernel has it; the C library's form is another */
#define GONE 2        /* looks in a row that did not find a socket: one may miss a socket that is being bound */

struct owned {
	uint64_t cookie;
	int missed; /* looks in a row that did not find it */
	UT_hash_handle hh;
};

static struct {
	pthread_mutex_t lock;
	struct owned *sockets;
	size_t most; /* with more than that one looks which are gone */
	bool looking;
} tree = { .lock = PTHREAD_MUTEX_INITIALIZER, .most = FEW };

static struct owned *find(uint64_t cookie)
{
	struct owned *owned;

	HASH_FIND(hh, tree.sockets, &cookie, sizeof(cookie), owned);
	return owned;
}

static bool is_trees(uint64_t cookie)
{
	bool found;

	pthread_mutex_lock(&tree.lock);
	found = find(cookie) != NULL;
	pthread_mutex_unlock(&tree.lock);
	return found;
}

static void still_there(const struct unix_diag_msg *item, uint32_t size, void *data)
{
	struct owned *owned;

	(void)size, (void)data;
	pthread_mutex_lock(&tree.lock);
	owned = find(egret_unix_cookie(item));
	if (owned)
		owned->missed = 0;
	pthread_mutex_unlock(&tree.lock);
}

static void forget_the_gone(void)
{
	struct owned *owned, *next;

	pthread_mutex_lock(&tree.lock);
	HASH_ITER(hh, tree.sockets, owned, next)
		if (owned->missed >= GONE) {
			HASH_DELETE(hh, tree.sockets, owned);
			free(owned);
		}
	tree.most = 2 * HASH_COUNT(tree.sockets) + FEW;
	tree.looking = false;
	pthread_mutex_unlock(&tree.lock);
}

static void look_which_are_gone(void)
{
	struct owned *owned, *next;

	pthread_mutex_lock(&tree.lock);
	HASH_ITER(hh, tree.sockets, owned, next)
		owned->missed++;
	pthread_mutex_unlock(&tree.lock);
	if (!egret_unix_each(~0u, 0, still_there, NULL)) {
		pthread_mutex_lock(&tree.lock);
		HASH_ITER(hh, tree.sockets, owned, next)
			owned->missed = 0;
		pthread_mutex_unlock(&tree.lock);
	}
	forget_the_gone();
}

/* Without memory it is not remembered: an entry must allow what leads there. */
static void remember(uint64_t cookie)
{
	struct owned *owned = calloc(1, sizeof(*owned));
	unsigned before;
	bool look;

	if (!owned)
		return;
	owned->cookie = cookie;
	pthread_mutex_lock(&tree.lock);
	before = HASH_COUNT(tree.sockets);
	if (!find(cookie))
		HASH_ADD(hh, tree.sockets, cookie, sizeof(owned->cookie), owned);
	if (HASH_COUNT(tree.sockets) == before)
		free(owned);
	look = HASH_COUNT(tree.sockets) > tree.most && !tree.looking;
	tree.looking |= look;
	pthread_mutex_unlock(&tree.lock);
	if (look)
		look_which_are_gone();
}

static void describe(const struct unix_diag_msg *item, uint32_t size, void *data)
{
	struct egret_unix_socket *socket = data;

	(void)size;
	socket->cookie = egret_unix_cookie(item);
	socket->type = item->udiag_type;
}

bool egret_unix_socket_of(unsigned long inode, struct egret_unix_socket *socket)
{
	return inode <= UINT32_MAX && egret_unix_one((uint32_t)inode, describe, socket);
}

void egret_unix_bound(const struct egret_call *call)
{
	struct egret_unix_socket socket;
	sa_family_t family;
	long inode;

	if (!egret_call_read(call, call->args[1], &family, sizeof(family)) || family != AF_UNIX)
		return;
	inode = egret_inode_of(call->pid, (int)call->args[0]);
	if (inode > 0 && egret_unix_socket_of((unsigned long)inode, &socket))
		remember(socket.cookie);
}

/* What is looked for in the kernel's list, and what was found. */
struct search {
	const struct egret_unix_place *place;
	struct stat file; /* of a path */
	bool found, outside;
};

static bool is_file(const struct unix_diag_vfs *at, const struct stat *file)
{
	return at->udiag_vfs_ino == file->st_ino && at->udiag_vfs_dev >> MINOR_BITS == major(file->st_dev) &&
	       (at->udiag_vfs_dev & ((1u << MINOR_BITS) - 1)) == minor(file->st_dev);
}

static bool is_at(const struct unix_diag_msg *item, uint32_t size, const struct search *search)
{
	const struct egret_unix_place *place = search->place;
	const struct rtattr *attribute = (const struct rtattr *)(item + 1);
	size_t name_len = place->len - offsetof(struct sockaddr_un, sun_path);
	uint32_t left = size - (uint32_t)sizeof(*item);

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (place->pinned < 0 && attribute->rta_type == UNIX_DIAG_NAME)
			return RTA_PAYLOAD(attribute) == name_len && !memcmp(RTA_DATA(attribute), place->address->sun_path, name_len);
		if (place->pinned >= 0 && attribute->rta_type == UNIX_DIAG_VFS)
			return RTA_PAYLOAD(attribute) >= sizeof(struct unix_diag_vfs) && is_file(RTA_DATA(attribute), &search->file);
	}
	return false;
}

/* Two at one place are not to be, but the kernel cuts the file's number: then both must be the tree's. */
static void look_at(const struct unix_diag_msg *item, uint32_t size, void *data)
{
	struct search *search = data;

	if (item->udiag_type != search->place->type || !is_at(item, size, search))
		return;
	search->found = true;
	search->outside |= !is_trees(egret_unix_cookie(item));
}

/* Datagrams are taken by a socket that is bound, whether connected or not; the other kinds are accepted by one that listens. */
static bool search_list(struct search *search)
{
	const struct egret_unix_place *place = search->place;
	uint32_t states = place->type == SOCK_DGRAM ? 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE : 1u << TCP_LISTEN;

	if (place->pinned >= 0 && fstat(place->pinned, &search->file))
		return false;
	return egret_unix_each(states, place->pinned >= 0 ? UDIAG_SHOW_VFS : UDIAG_SHOW_NAME, look_at, search) && search->found;
}

/* Asked by a connection of our own that sends nothing. Datagrams tell of nobody: theirs is then outside. */
static enum egret_unix_owner ask_there(const struct egret_unix_place *place)
{
	int fd = socket(AF_UNIX, place->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum egret_unix_owner owner = EGRET_UNIX_OUTSIDE;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return owner;
	if (connect(fd, (const struct sockaddr *)place->address, place->len))
		owner = errno == ECONNREFUSED ? EGRET_UNIX_NOBODY : owner;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0 && egret_in_tree(peer.pid))
		owner = EGRET_UNIX_TREE;
	close(fd);
	return owner;
}

enum egret_unix_owner egret_unix_owner_of(const struct egret_unix_place *place)
{
	struct search search = { .place = place };

	if (!search_list(&search))
		return ask_there(place);
	return search.outside ? EGRET_UNIX_OUTSIDE : EGRET_UNIX_TREE;
}
