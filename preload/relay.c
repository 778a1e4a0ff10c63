/* The program's side of a move: the pair, the start of the relay, every descriptor replaced.
 *
 * The relay must begin with the TLS state of this moment, so it is a copy of this process, made while no other thread is inside the
 * library or the engine. It must not be a child: a program that waits for its children, or counts SIGCHLD, would meet it. So a helper
 * that shares our memory (CLONE_VM | CLONE_VFORK, no exit signal) makes the copy and ends at once. No handler of pthread_atfork runs, no
 * signal handler either; the copy leaves the program's malloc alone (memory.h).
 */
#include "relay.h"

#include "connect.h"
#include "engine_load.h"
#include "guard.h"
#include "io.h"
#include "linger.h"
#include "memory.h"
#include "moved.h"
#include "observed.h"
#include "passthrough.h"
#include "policy/raw.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"
#include "say.h"
#include "tickets.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK (512 * 1024) /* bytes; the relay's for its life */
#define MEMORY_MOST ((size_t)1 << 30) /* bytes of address space for all else that it needs; a page costs nothing until it is used */
#define MEMORY_LEAST ((size_t)1 << 22)
#define BUFFER (208 * 1024) /* bytes; what SO_SNDBUF doubles. See leave_a_byte */

struct start {
	struct egret_conn *conn;
	int end;  /* the relay's end of the pair; -1: there is none */
	int own_end; /* the program's */
	bool alone;  /* with the connection: no other process holds it */
	char *stack; /* STACK bytes, the relay's memory behind them */
	size_t memory; /* bytes */
	long pid; /* of the relay, or a negative errno */
};

/* Conn locks come before the library's (step_lock is held while a step logs), in the order of conn.h and wire.h. */
static void hold_conn(struct egret_conn *conn)
{
	egret_observed_hold(conn->observed);
	pthread_mutex_lock(&conn->step_lock);
	pthread_mutex_lock(&conn->wire.in_lock);
	pthread_mutex_lock(&conn->wire.out_lock);
	pthread_mutex_lock(&conn->wire.tls_lock);
}

static void release_conn(struct egret_conn *conn)
{
	pthread_mutex_unlock(&conn->wire.tls_lock);
	pthread_mutex_unlock(&conn->wire.out_lock);
	pthread_mutex_unlock(&conn->wire.in_lock);
	pthread_mutex_unlock(&conn->step_lock);
	egret_observed_release(conn->observed);
}

static _Noreturn EGRET_ON_OWN_STACK void begin_relay(struct start *start)
{
	egret_locks_release(true);
	release_conn(start->conn);
	egret_relay_memory_is(start->stack + STACK, start->memory);
	egret_memory_use(&egret_relay_memory);
	egret_buf_use(&egret_relay_memory);
	start->conn->wire.engine->use_memory(&egret_relay_memory);
	egret_conn_claim(start->conn);
	egret_relay_run(start->conn, start->end);
}

static EGRET_ON_OWN_STACK int helper(void *arg)
{
	struct start *start = arg;
	start->pid = egret_raw6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (start->pid == 0)
		begin_relay(start);
	if (start->pid > 0 && start->end >= 0)
		egret_ready_move_ghosts(start->conn, start->own_end, start->alone);
	egret_raw(SYS_exit, 0, 0, 0, 0);
	return 0;
}

/* With all signals blocked: a handler of the program must not run in the copy. */
static void start_helper(struct start *start)
{
	uint64_t all = ~UINT64_C(0), before;
	int status;
	start->pid = -EAGAIN;
	egret_raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
	hold_conn(start->conn);
	egret_locks_take();
	bool ours = egret_conn_own(start->conn); /* until now another thread may have forked */
	/* Not `clone`: ThreadSanitizer has one that marks its caller's state as a forked child's, here in our own memory. */
	int pid = ours ? real.__clone(helper, start->stack + STACK, CLONE_VM | CLONE_VFORK, start) : -1;
	if (!ours)
		start->pid = -EIO;
	else if (pid < 0)
		start->pid = -errno;
	else
		while (egret_raw(SYS_wait4, pid, &status, __WALL, 0) == -EINTR)
			;
	egret_locks_release(false);
	if (start->pid > 0)
		egret_wire_give_up(&start->conn->wire);
	release_conn(start->conn);
	egret_raw(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
}

/* What the relay will need is had before anything changes: a relay without memory could only lose what it was left. */
static bool reserve(struct start *start)
{
	for (start->memory = MEMORY_MOST; start->memory >= MEMORY_LEAST; start->memory /= 2) {
		long at = egret_raw6(SYS_mmap, 0, (long)(STACK + start->memory), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		start->stack = (char *)at;
		if (at >= 0 || at < -4095)
			return true;
	}
	return false;
}

/* 0: the relay runs. Else a positive errno. */
static int start_relay(struct egret_conn *conn, int own_end, int end)
{
	struct start start = { .conn = conn, .own_end = own_end, .end = end, .alone = egret_lines_alone(&conn->lines) };
	if (!reserve(&start))
		return ENOMEM;
	start_helper(&start);
	egret_raw(SYS_munmap, start.stack, STACK + start.memory, 0, 0);
	return start.pid > 0 ? 0 : (int)-start.pid;
}

/* The program's end behaves like the socket it stands for. */
static void take_after(int end, const struct egret_conn *conn)
{
	static const int options[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	int size = BUFFER, lowat = atomic_load(&conn->lowat), flags = real.fcntl(conn->wire.fd, F_GETFL);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct timeval time;
		socklen_t length = sizeof time;
		if (real.getsockopt(conn->wire.fd, SOL_SOCKET, options[i], &time, &length) == 0)
			real.setsockopt(end, SOL_SOCKET, options[i], &time, length);
	}
	real.setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	real.setsockopt(end, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof lowat);
	if (conn->wire.write_closed) /* the program has ended its side, or was told that the peer has: it writes no more */
		real.shutdown(end, SHUT_WR);
	real.fcntl(end, F_SETFL, O_RDWR | (flags & (O_NONBLOCK | O_APPEND)));
}

static void name_ends(const int pair[2], const struct egret_conn *conn)
{
	struct sockaddr_storage ss;
	socklen_t length = sizeof ss;
	struct egret_addr own;
	uint16_t port;
	egret_moved_name(pair[1], &conn->asked, conn->asked_port, conn->domain);
	if (real.getsockname(conn->wire.fd, (struct sockaddr *)&ss, &length) == 0 &&
	    egret_addr_from_sockaddr((struct sockaddr *)&ss, length, &own, &port))
		egret_moved_name(pair[0], &own, port, conn->domain);
}

/* A UNIX socket reads ECONNRESET, and not a clean end, when its peer closed with something unread. TCP's reset and a truncated stream must
 * read like that, so the relay's queue always keeps one byte that it is done with: this one first, then the newest that it passed on.
 * Such a byte may keep the memory of a whole write charged to the program's end, hence the large SO_SNDBUF: poll says writable while
 * less than a quarter is in use. */
static bool leave_a_byte(int end)
{
	return real.send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool make_pair(const struct egret_conn *conn, int pair[2])
{
	if (real.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		pair[i] = egret_fd_aside(pair[i]);
	if (pair[0] < 0 || pair[1] < 0 || !leave_a_byte(pair[0])) {
		real.close(pair[0]);
		real.close(pair[1]);
		errno = EMFILE;
		return false;
	}
	take_after(pair[0], conn);
	name_ends(pair, conn);
	return true;
}

static void replace_all(struct egret_conn *conn, int end)
{
	bool alone = egret_lines_alone(&conn->lines);
	for (int fd = egret_conn_other_fd(conn); fd >= 0; fd = egret_conn_other_fd(conn)) {
		/* First the descriptor, then the slot: between them a hook still meets the conn, which gives nothing to the wire any more. */
		if (!egret_conn_is_stale(conn, fd))
			egret_ready_replace(fd, end, egret_conn_cloexec(fd) ? O_CLOEXEC : 0, alone);
		egret_conn_put(egret_conn_take(fd));
	}
}

/* Waits for the end of a handshake, also where the program would not: what is moved must be what was verified. 0, or a positive errno. */
static int await(struct egret_conn *conn)
{
	int result;
	while ((result = egret_connect_step(conn)) == -EAGAIN) {
		struct pollfd pfd = { .fd = conn->wire.fd, .events = conn->wire.wants };
		real.poll(&pfd, 1, egret_connect_time_left(conn));
	}
	return -result;
}

int egret_relay_move(struct egret_conn *conn)
{
	int pair[2];
	if (!conn->wrapped)
		return EPERM; /* an observed connection in the clear: no relay judges its requests yet */
	if (!egret_conn_own(conn))
		return EIO;
	int cancels = egret_guard_enter_whole();
	int error = await(conn);
	if (atomic_load(&conn->state) == EGRET_CONN_FAILED) {
		egret_guard_leave_whole(cancels);
		return 0;
	}
	if (!error && !make_pair(conn, pair)) {
		error = errno;
	} else if (!error) {
		error = start_relay(conn, pair[0], pair[1]);
		real.close(pair[1]);
		if (!error) {
			egret_lines_leave(&conn->lines, pair[0]);
			replace_all(conn, pair[0]);
			atomic_store(conn->owner, EGRET_OWNER_RELAY);
		}
		real.close(pair[0]);
	}
	egret_guard_leave_whole(cancels);
	return error;
}

static bool has_unsent(const struct egret_conn *conn)
{
	int unsent = 0;
	return egret_raw(SYS_ioctl, conn->wire.fd, SIOCOUTQNSD, &unsent, 0) == 0 && unsent > 0;
}

/* Does the kernel hold bytes that it cannot send yet? What it only holds to send more at once, tcp(7), goes out. */
static bool is_held_up(const struct egret_conn *conn)
{
	int on = 1, before = 1, fd = conn->wire.fd;
	socklen_t size = sizeof before;
	bool held_up = has_unsent(conn);
	if (!held_up || real.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &before, &size) != 0)
		return held_up; /* set again it pushes, too, also what TCP_CORK holds */
	real.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	held_up = has_unsent(conn);
	real.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &before, sizeof before);
	return held_up;
}

bool egret_relay_is_needed(const struct egret_conn *conn, bool stuck)
{
	return (stuck || is_held_up(conn)) && !egret_linger_resets(conn);
}

int egret_relay_finish(struct egret_conn *conn)
{
	egret_lines_close(&conn->lines); /* the relay holds the connection for none of the program's processes */
	int error = start_relay(conn, -1, -1);
	if (!error)
		atomic_store(conn->owner, EGRET_OWNER_RELAY);
	return error;
}

bool egret_relay_follow(struct egret_conn *conn)
{
	int cancels = egret_guard_enter_whole();
	int saved = errno, end = egret_conn_registry_is_ours() ? egret_lines_find(&conn->lines) : -1;
	if (end >= 0) {
		egret_lines_leave(&conn->lines, end); /* for those that this process forked itself */
		replace_all(conn, end);
		real.close(end);
	}
	errno = saved;
	egret_guard_leave_whole(cancels);
	return end >= 0;
}

static void withhold(const struct egret_conn *conn, int fd, struct egret_withheld *withheld)
{
	int flags = real.fcntl(fd, F_GETFD);
	if (flags < 0 || flags & FD_CLOEXEC)
		return;
	real.fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (withheld->count < (int)(sizeof withheld->fds / sizeof withheld->fds[0]))
		withheld->fds[withheld->count++] = fd;
	egret_say("egret: entry [%s]: the connection to %s is not inherited by the next program: its ClientHello was not seen yet", conn->entry->name,
		  conn->host);
}

void egret_relay_bequeath(struct egret_conn *conn, int fd, struct egret_withheld *withheld)
{
	if (egret_conn_drop_stale(conn, fd) || egret_conn_is_stale(conn, fd))
		return;
	if (egret_passthrough_is_unjudged(conn))
		withhold(conn, fd, withheld);
	else if ((conn->wrapped || conn->observed) && egret_conn_registry_is_ours()) /* else it runs in its parent's memory: nothing to move */
		egret_relay_move(conn);
}

void egret_relay_hand_over(struct egret_withheld *withheld)
{
	withheld->count = 0;
	if (atomic_load(&egret_conn_live) == 0)
		return;
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = egret_conn_get(fd);
		if (conn && egret_conn_cloexec(fd))
			egret_tickets_read(conn, fd); /* the exec closes it */
		else if (conn)
			egret_relay_bequeath(conn, fd, withheld);
		egret_conn_put(conn);
	}
}

void egret_relay_take_back(const struct egret_withheld *withheld)
{
	int saved = errno;
	for (int i = 0; i < withheld->count; i++)
		real.fcntl(withheld->fds[i], F_SETFD, 0);
	errno = saved;
}
