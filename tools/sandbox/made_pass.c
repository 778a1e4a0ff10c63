/* What the kernel may send on a socket that the supervisor does not hold: on streams only, see made.h. What a socket is, the kernel
 * tells (sock_diag(7), proc_pid_net(5)); /proc/net/unix would show what a program put into a path. */
#include "inode.h"
#include "made.h"
#include "unix_sockets.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define INODES (1ull << 32) /* the kernel's numbers of sockets have 32 bits and come again */
#define BITS 8u
#define ENDING_MS 20

/* One bit an inode; pages that nobody touches cost nothing. */
static _Atomic uint8_t *datagrams;

bool egret_made_pass_start(void)
{
	void *map = mmap(NULL, INODES / BITS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	datagrams = map == MAP_FAILED ? NULL : map;
	return datagrams != NULL;
}

void egret_made_never_pass(unsigned long inode) { atomic_fetch_or(&datagrams[inode % INODES / BITS], (uint8_t)(1u << inode % BITS)); }

static bool was_datagram(unsigned long inode) { return atomic_load(&datagrams[inode % INODES / BITS]) >> inode % BITS & 1; }

static bool is_tcp(const struct egret_call *call, const char *table, unsigned long inode)
{
	char path[64], line[256];
	unsigned long listed;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)call->pid, table);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %lu", &listed) == 1 && listed == inode;
	if (file)
		fclose(file);
	return found;
}

static bool is_unix_stream(unsigned long inode)
{
	struct egret_unix_socket socket;

	return egret_unix_socket_of(inode, &socket) && socket.type != SOCK_DGRAM;
}

static bool is_stream(const struct egret_call *call, unsigned long inode)
{
	return !was_datagram(inode) && (is_tcp(call, "tcp", inode) || is_tcp(call, "tcp6", inode) || is_unix_stream(inode));
}

/* A thread that was joined is a thread for a moment more. */
static bool is_alone(struct egret_call *call)
{
	for (int tries = 0; tries < ENDING_MS; tries++) {
		if (egret_call_threads(call) == 1)
			return true;
		egret_pool_hand_over(call->worker);
		usleep(1000);
	}
	return false;
}

bool egret_made_passes(struct egret_call *call)
{
	int flags = (int)call->args[call->nr == SYS_sendmmsg ? 3 : 2];
	long inode;

	if (!call->sup->makes_sockets)
		return false;
	inode = egret_inode_of(call->pid, (int)call->args[0]);
	if (inode <= 0 || egret_made_is_held((unsigned long)inode))
		return false;
	if (call->nr == SYS_getpeername) /* leads nowhere */
		call->passes = true;
	else
		call->passes = !(flags & MSG_FASTOPEN) && is_stream(call, (unsigned long)inode) && is_alone(call);
	return call->passes;
}
