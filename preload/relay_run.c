/* The relay's life: bytes both ways, each end of a direction passed on as what it was, until both have ended. */
#include "conn_log.h"
#include "connect.h"
#include "io.h"
#include "observed.h"
#include "policy/raw.h"
#include "proc_lines.h"
#include "real.h"
#include "relay.h"
#include "runtime.h"

#include <linux/close_range.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define CHUNK (64 * 1024)      /* bytes passed on at a time, each way */
#define LINGER_US 60000000     /* how long the server may take to end its side when it has all, as in tcp(7), tcp_fin_timeout */
#define UNREAD_MS 300000u      /* how long it may take nothing at all when the program is gone. Linux gives up a socket that nobody holds and
                                  whose peer's window stays shut when its probes have slowed down to two minutes: after 200 to 330 s */
#define ACKNOWLEDGED_MS 1000   /* no event tells that the server has all: looked at this often */
#define MEMORY_MS 100          /* memory was out: tried again this often */

struct relay {
	struct egret_conn *conn;
	int tcp, end, epoll;
	bool up_ended;     /* the program's bytes: all passed on, the server told */
	bool up_closing;   /* close_notify is on its way */
	bool down_ended;   /* the server's bytes: all passed on, the program told */
	bool program_gone; /* every descriptor of the other end is closed */
	bool starved;      /* memory was out at the last try */
	bool cut;          /* given up with bytes unsent: the server must not take it for the end */
	int64_t linger_us; /* when waiting for the server ends; 0: no limit */
	size_t down_at, down_len;
	struct egret_buf rest; /* what the program had written when its end was closed by us */
	char up[CHUNK], down[CHUNK];
};

/* The program's handlers and its terminal are none of the relay's business. */
static void leave_the_program(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action = { .handler = SIG_DFL };
	uint64_t none = 0;
	for (int number = 1; number < NSIG; number++) {
		action.handler = number == SIGPIPE ? SIG_IGN : SIG_DFL;
		egret_raw(SYS_rt_sigaction, number, &action, NULL, 8);
	}
	egret_raw(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	egret_raw(SYS_setsid, 0, 0, 0, 0);
	egret_raw(SYS_chdir, "/", 0, 0, 0);
	egret_raw(SYS_prctl, PR_SET_NAME, "egret-relay", 0, 0);
}

/* Files, pipes and terminals that the program closes must not stay open here. */
static void close_all_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;
	unsigned ranges[][2] = { { 0, (unsigned)low }, { (unsigned)low + 1, (unsigned)high }, { (unsigned)high + 1, ~0u } };
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (ranges[i][0] >= ranges[i][1] || egret_raw(SYS_close_range, ranges[i][0], ranges[i][1] - (i < 2), 0, 0) != -ENOSYS)
			continue;
		for (long fd = ranges[i][0]; fd < ranges[i][1] && fd < sysconf(_SC_OPEN_MAX); fd++)
			egret_raw_close((int)fd);
	}
}

/* A line of /proc/self/maps, "start-end rwxs ...": a mapping that the program shares with others is let go, so that the relay keeps no
 * file, device or segment alive. */
static void let_go_if_shared(const char *line, void *with)
{
	unsigned long start, end;
	(void)with;
	line = egret_proc_hex(line, &start);
	line = egret_proc_hex(line + (*line == '-'), &end);
	if (strlen(line) > 4 && line[0] == ' ' && line[4] == 's')
		egret_raw(SYS_munmap, start, end - start, 0, 0);
}

static void leave_shared_memory(void)
{
	char text[8192]; /* a path may be 4096 bytes long */
	egret_proc_lines("/proc/self/maps", text, sizeof text, let_go_if_shared, NULL);
}

/* What the server is to get, at relay->up, without the old byte that comes first: bytes, at most CHUNK - 1; 0: nothing now. */
static size_t look(struct relay *relay)
{
	if (relay->end < 0) {
		size_t left = egret_buf_len(&relay->rest) < CHUNK - 1 ? egret_buf_len(&relay->rest) : CHUNK - 1;
		if (left)
			memcpy(relay->up + 1, egret_buf_head(&relay->rest), left);
		return left;
	}
	ssize_t seen = real.recv(relay->end, relay->up, CHUNK, MSG_PEEK | MSG_DONTWAIT);
	return seen > 1 ? (size_t)seen - 1 : 0;
}

/* COUNT bytes of it are done with. */
static void take(struct relay *relay, size_t count)
{
	if (relay->end < 0)
		egret_buf_consume(&relay->rest, count);
	else
		real.recv(relay->end, relay->up, count, MSG_DONTWAIT);
}

/* Must the FIN wait, since the program had shut its reading side? */
static bool holds_fin(struct relay *relay)
{
	struct egret_wire *wire = &relay->conn->wire;
	wire->fin_due = wire->read_shut;
	return egret_wire_owes_fin(wire);
}

/* The server is told that the program has ended its side. */
static bool end_up(struct relay *relay)
{
	relay->up_closing = true;
	int result = egret_io_finish(relay->conn);
	relay->starved = result == -ENOMEM;
	if (result == -EAGAIN || result == -ENOMEM || holds_fin(relay))
		return false;
	real.shutdown(relay->tcp, SHUT_WR);
	relay->up_ended = true;
	return true;
}

/* Nobody has the program's end any more: as for a TCP socket that nobody holds, what the server takes nothing of is kept for a while only. A
 * program may have set less. */
static void orphan(struct relay *relay)
{
	unsigned limit = 0;
	socklen_t size = sizeof limit;
	relay->program_gone = true;
	real.getsockopt(relay->tcp, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &size);
	if (limit != 0 && limit <= UNREAD_MS)
		return;
	limit = UNREAD_MS;
	real.setsockopt(relay->tcp, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

/* Has the program ended its side? */
static bool program_ended(struct relay *relay)
{
	struct pollfd pfd = { .fd = relay->end, .events = POLLRDHUP };
	if (relay->end < 0)
		return true;
	bool ended = real.poll(&pfd, 1, 0) > 0;
	if (ended && (pfd.revents & POLLHUP) && !relay->program_gone)
		orphan(relay);
	return ended;
}

/* From the program to the server. True: something moved on. */
static bool pump_up(struct relay *relay)
{
	bool ended = program_ended(relay); /* before the look: what was written before the end is seen after it */
	if (relay->up_closing)
		return !relay->up_ended && end_up(relay);
	size_t seen = look(relay);
	if (seen == 0)
		return ended && end_up(relay);
	struct iovec iov = { relay->up + 1, seen };
	atomic_fetch_add(&relay->conn->refs, 1); /* the call's */
	ssize_t sent = egret_send_plain(relay->conn, relay->tcp, &iov, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	relay->starved = sent < 0 && errno == ENOMEM;
	if (sent > 0) {
		take(relay, (size_t)sent);
		return true;
	}
	if (errno == EAGAIN || errno == ENOMEM)
		return false;
	real.shutdown(relay->end, SHUT_RD); /* the program's next write is EPIPE */
	relay->up_closing = relay->up_ended = true;
	return true;
}

/* A reset, also where another process has a descriptor of the socket still: tcp_disconnect. */
static void reset(struct relay *relay)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	egret_raw(SYS_connect, relay->tcp, &none, sizeof none, 0);
}

/* Nothing is left to pass on. TCP is shut down first: another process may have a descriptor of it still. What came behind the end is taken
 * out: left unread it would make the kernel send a reset, which overtakes what the server has not acknowledged yet. */
static _Noreturn EGRET_ON_OWN_STACK void finish(struct relay *relay)
{
	if (relay->cut) {
		reset(relay);
	} else {
		egret_wire_drain(&relay->conn->wire);
		real.shutdown(relay->tcp, SHUT_RDWR);
	}
	egret_conn_log_closed(relay->conn);
	for (;;)
		egret_raw(SYS_exit_group, 0, 0, 0, 0);
}

static bool end_down(struct relay *relay)
{
	real.shutdown(relay->end, SHUT_WR);
	return relay->down_ended = true;
}

/* What the program has written and nobody took yet, the old byte in front of it left out; all of it stays unread. False: no memory. */
static bool keep_rest(struct relay *relay)
{
	int count = 0;
	if (egret_raw(SYS_ioctl, relay->end, FIONREAD, &count, 0) != 0 || count <= 1)
		return true;
	uint8_t *room = egret_buf_room(&relay->rest, (size_t)count);
	ssize_t seen = room ? real.recv(relay->end, room, (size_t)count, MSG_PEEK | MSG_DONTWAIT) : -1;
	if (seen > 1) {
		egret_buf_added(&relay->rest, (size_t)seen);
		egret_buf_consume(&relay->rest, 1);
	}
	return room != NULL;
}

/* The server broke off: what is unread makes the close a reset, so that the program takes it for no end. What the program had written before
 * is still sent, as far as TCP stands: reading is over, writing need not be. */
static bool break_off(struct relay *relay)
{
	struct egret_wire *wire = &relay->conn->wire;
	if (relay->end >= 0) {
		relay->cut = !relay->up_ended && !keep_rest(relay);
		relay->up_ended = relay->up_ended || relay->cut;
		egret_raw_close(relay->end);
	}
	if (!wire->write_closed && wire->error) {
		wire->error = 0;
		wire->read_closed = true;
	}
	relay->end = -1;
	relay->down_ended = true;
	orphan(relay);
	return !relay->up_ended;
}

/* Bytes for a program that has closed its end, or shut its reading down, go nowhere; the server's end is still waited for. */
static bool deliver(struct relay *relay)
{
	if (relay->end < 0)
		relay->down_len = 0;
	ssize_t sent = real.send(relay->end, relay->down + relay->down_at, relay->down_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		return false;
	size_t done = sent < 0 ? relay->down_len : (size_t)sent;
	relay->down_at += done;
	relay->down_len -= done;
	return true;
}

/* From the server to the program. True: something moved on. */
static bool pump_down(struct relay *relay)
{
	if (relay->down_ended)
		return false;
	if (relay->down_len)
		return deliver(relay);
	struct iovec iov = { relay->down, CHUNK };
	atomic_fetch_add(&relay->conn->refs, 1); /* the call's */
	ssize_t got = egret_receive_plain(relay->conn, relay->tcp, &iov, 1, MSG_DONTWAIT);
	if (got == 0)
		return end_down(relay);
	if (got < 0 && errno != EAGAIN)
		return break_off(relay);
	relay->down_at = 0;
	relay->down_len = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static void watch(struct relay *relay, int fd)
{
	/* Edge-triggered: the byte that is left in the queue would make the end readable all the time. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };
	real.epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Milliseconds until the next look is due at the latest, -1: only when something comes. */
static int time_left(struct relay *relay)
{
	if (atomic_load(&relay->conn->state) == EGRET_CONN_HANDSHAKING) /* of mysql TLS may begin here */
		return egret_connect_time_left(relay->conn) + 1;
	if (relay->up_ended ? relay->program_gone && !egret_wire_has_arrived(relay->tcp) : relay->up_closing && holds_fin(relay))
		return ACKNOWLEDGED_MS;
	if (!relay->program_gone || !(relay->up_ended || relay->starved))
		return relay->starved ? MEMORY_MS : -1;
	if (!relay->linger_us)
		relay->linger_us = egret_now_us() + LINGER_US;
	int64_t left = relay->linger_us - egret_now_us();
	if (left <= 0)
		relay->cut = relay->cut || !relay->up_ended;
	return left <= 0 ? 0 : relay->starved ? MEMORY_MS : (int)(left / 1000) + 1;
}

static void run(struct relay *relay)
{
	for (;;) {
		struct epoll_event events[2];
		bool moved = pump_up(relay);
		moved = pump_down(relay) || moved;
		if (relay->up_ended && relay->down_ended)
			return;
		int left = moved ? 0 : time_left(relay);
		if (!moved && left == 0)
			return;
		if (!moved)
			real.epoll_wait(relay->epoll, events, 2, left);
	}
}

_Noreturn EGRET_ON_OWN_STACK void egret_relay_run(struct egret_conn *conn, int end)
{
	static struct relay relay; /* of this process alone: its pages are fresh */
	relay.conn = conn;
	relay.tcp = conn->wire.fd;
	relay.end = end;
	leave_the_program();
	egret_observed_ask_first(conn->observed); /* each round of the loop begins with a read */
	relay.up_closing = end < 0;
	if (end < 0)
		orphan(&relay);
	close_all_but(relay.tcp, end < 0 ? relay.tcp : end);
	leave_shared_memory();
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(&relay, relay.tcp);
	watch(&relay, relay.end); /* none, when there is only something to finish */
	run(&relay);
	while (real.recv(relay.end, relay.up, CHUNK, MSG_DONTWAIT) > 0)
		; /* nothing unread: a clean end */
	finish(&relay);
}
