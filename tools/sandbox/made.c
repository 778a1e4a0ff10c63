#include "made.h"

#include "inode.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define BUCKETS 4096u
#define SHARE 20 /* looking takes at most one part in so many of a CPU */
#define LONGEST_US 500000

/* A socket that was made; under the lock. */
struct made {
	struct made *next;
	unsigned long inode;
	int fd;     /* owned */
	pid_t pid;  /* who held it last, 0: not given yet */
	int number;
	bool stream;
};

static struct {
	pthread_mutex_t lock, looking;
	pthread_cond_t some;
	struct made *buckets[BUCKETS];
	size_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .looking = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };

/* Where the pointer to INODE's row is. */
static struct made **slot_of(unsigned long inode)
{
	struct made **at = &table.buckets[inode % BUCKETS];

	while (*at && (*at)->inode != inode)
		at = &(*at)->next;
	return at;
}

/* Takes FD. */
static int keep(int fd, bool stream, unsigned long *inode)
{
	struct made *made = malloc(sizeof(*made)), **slot;
	struct stat st;

	if (!made || fstat(fd, &st)) {
		free(made);
		close(fd);
		return -ENOMEM;
	}
	*inode = st.st_ino;
	*made = (struct made){ .inode = st.st_ino, .fd = fd, .stream = stream };
	pthread_mutex_lock(&table.lock);
	slot = &table.buckets[made->inode % BUCKETS];
	made->next = *slot;
	*slot = made;
	table.count++;
	pthread_cond_signal(&table.some);
	pthread_mutex_unlock(&table.lock);
	return 0;
}

static void forget(unsigned long inode)
{
	struct made **slot, *made;

	pthread_mutex_lock(&table.lock);
	slot = slot_of(inode);
	made = *slot;
	if (made) {
		*slot = made->next;
		table.count--;
	}
	pthread_mutex_unlock(&table.lock);
	if (made && !made->stream)
		egret_made_never_pass(made->inode);
	if (made)
		close(made->fd);
	free(made);
}

static void held_by(unsigned long inode, pid_t pid, int number)
{
	struct made *made;

	pthread_mutex_lock(&table.lock);
	made = *slot_of(inode);
	if (made) {
		made->pid = pid;
		made->number = number;
	}
	pthread_mutex_unlock(&table.lock);
}

bool egret_made_is_held(unsigned long inode)
{
	bool held;

	pthread_mutex_lock(&table.lock);
	held = *slot_of(inode) != NULL;
	pthread_mutex_unlock(&table.lock);
	return held;
}

int egret_made_dup(const struct egret_call *call, int number)
{
	long inode = egret_inode_of(call->pid, number);
	const struct made *made;
	int fd = -ENOENT;

	if (inode <= 0)
		return inode ? (int)inode : -ENOTSOCK;
	pthread_mutex_lock(&table.lock);
	made = *slot_of((unsigned long)inode);
	if (made) {
		fd = fcntl(made->fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			fd = -errno;
	}
	pthread_mutex_unlock(&table.lock);
	return fd;
}

/* What the filter lets pass by itself elsewhere. */
static bool is_plain(int domain, int type, int protocol)
{
	type &= 0xf;
	if (domain == AF_UNIX)
		return true;
	if (domain == AF_NETLINK)
		return protocol == NETLINK_ROUTE || protocol == NETLINK_KOBJECT_UEVENT || protocol == NETLINK_GENERIC;
	return (domain == AF_INET || domain == AF_INET6) && (type == SOCK_STREAM || type == SOCK_DGRAM) &&
	       (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_MPTCP);
}

/* The supervisor's sockets belong to its own network. */
static bool is_of_our_network(const struct egret_call *call)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)call->pid);
	return !stat("/proc/self/ns/net", &ours) && !stat(path, &theirs) && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

int64_t egret_made_socket(struct egret_call *call)
{
	int domain = (int)call->args[0], type = (int)call->args[1], protocol = (int)call->args[2], fd, number;
	struct seccomp_notif_addfd add = {
		.id = call->id, .newfd_flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0,
	};
	unsigned long inode;

	if (!is_plain(domain, type, protocol))
		return egret_call_refused(call);
	if (!is_of_our_network(call))
		return -egret_refuse(call, "network", "a socket in a network namespace of the program's own", EACCES);
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	if (keep(fd, (domain != AF_NETLINK && (type & 0xf) != SOCK_DGRAM), &inode))
		return -ENOMEM;
	add.srcfd = (uint32_t)fd;
	number = egret_listener(call->sup, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	if (number < 0)
		forget(inode);
	else
		held_by(inode, call->pid, number);
	return number;
}

int64_t egret_made_listen(struct egret_call *call)
{
	long inode = egret_inode_of(call->pid, (int)call->args[0]);

	if (inode > 0)
		forget((unsigned long)inode);
	call->passes = true;
	return 0;
}

static int holder_order(const void *a, const void *b)
{
	const struct egret_holder *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* What is held and was given; the caller frees. */
static struct egret_holder *list_held(size_t *count)
{
	struct egret_holder *holders;
	size_t n = 0;

	pthread_mutex_lock(&table.lock);
	holders = malloc((table.count + 1) * sizeof(*holders));
	for (size_t i = 0; holders && i < BUCKETS; i++)
		for (const struct made *made = table.buckets[i]; made; made = made->next)
			if (made->pid)
				holders[n++] = (struct egret_holder){ made->inode, made->pid, made->number, false };
	pthread_mutex_unlock(&table.lock);
	*count = n;
	return holders;
}

static void close_what_nobody_holds(void)
{
	struct egret_holder *holders;
	size_t count;

	pthread_mutex_lock(&table.looking);
	holders = list_held(&count);
	if (holders) {
		qsort(holders, count, sizeof(*holders), holder_order);
		egret_made_look(holders, count);
	}
	for (size_t i = 0; holders && i < count; i++) {
		if (holders[i].found)
			held_by(holders[i].inode, holders[i].pid, holders[i].number);
		else
			forget(holders[i].inode);
	}
	pthread_mutex_unlock(&table.looking);
	free(holders);
}

void egret_made_free_ports(struct egret_call *call)
{
	egret_pool_hand_over(call->worker);
	close_what_nobody_holds();
}

/* Of this thread's CPU time: on a machine that has none to spare, looking is late enough as it is. */
static int64_t spent_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void *look_for_ever(void *data)
{
	int64_t took;

	for (;;) {
		pthread_mutex_lock(&table.lock);
		while (!table.count)
			pthread_cond_wait(&table.some, &table.lock);
		pthread_mutex_unlock(&table.lock);
		took = spent_us();
		close_what_nobody_holds();
		took = (spent_us() - took) * SHARE;
		if (took < EGRET_MADE_LOOK_MS * 1000)
			took = EGRET_MADE_LOOK_MS * 1000;
		usleep(took < LONGEST_US ? (useconds_t)took : LONGEST_US);
	}
	return data;
}

bool egret_made_start(void) { return egret_start_thread(look_for_ever, NULL); }
