/* The wire's reader between a hostile server and a hasty program, over real TCP, with an engine whose records are in the clear. The input is a
 * list of steps: the server sends records, pieces of them or noise, or closes; the program reads, peeks, drops, asks. Whatever comes, the
 * program gets the data of the whole records before the first bad one, in order, and poll(2) tells the truth about it. */
// options: -detect_leaks=0 (buf.c keeps a block between inputs: each would look like a leak and be searched for; the end of the run still tells)
// objects: preload/wire.c preload/wire_end.c preload/wire_news.c preload/wire_read.c preload/wire_write.c preload/buf.c preload/renumber.c preload/reach.c
#include "preload/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER 5
#define SENT_MOST 100000 /* bytes: less than loopback takes without anybody reading */
#define STEPS_MOST 100
#define PIECES_MOST 16	 /* of one record; each costs system calls on both sides */
#define SOON 2000	 /* ms within which loopback delivers, however busy the machine is */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLOSE = 21, TICKET = 22, DATA = 23, ASKS = 24 };

struct egret_tls {
	uint8_t opened[65536];
	size_t at, len; /* of opened */
};

/* Bytes of the record at IN with its header; 0: not whole. *BAD: no engine would take it. */
static size_t whole(const uint8_t *in, size_t len, bool *bad)
{
	size_t size = len < HEADER ? 0 : HEADER + ((size_t)in[3] << 8 | in[4]);

	bool too_long = size > EGRET_RECORD_WIRE_MAX;

	if (size > len && !too_long)
		size = 0;
	*bad = size && (in[0] < CLOSE || in[0] > ASKS || too_long);
	return size;
}

static size_t deliver(struct egret_tls *tls, uint8_t *plain, size_t size)
{
	size_t count = tls->len - tls->at < size ? tls->len - tls->at : size;

	if (count)
		memcpy(plain, tls->opened + tls->at, count);
	tls->at += count;
	return count;
}

static enum egret_tls_step decrypt(struct egret_tls *tls, const uint8_t *in, size_t in_len, size_t *consumed, uint8_t *plain, size_t plain_size,
				   size_t *produced, struct egret_buf *out, struct egret_tls_error *error)
{
	*consumed = 0;
	*produced = deliver(tls, plain, plain_size);
	while (tls->at == tls->len && (plain_size == 0 || *produced < plain_size)) {
		bool bad;
		const uint8_t *head = in ? in + *consumed : NULL;
		size_t count = whole(head, in_len - *consumed, &bad);

		if (count == 0)
			return *produced ? EGRET_STEP_DONE : EGRET_STEP_WANT_INPUT;
		if (bad) {
			error->failure = EGRET_TLS_CONNECTION;
			return EGRET_STEP_FAILED;
		}
		*consumed += count;
		if (head[0] == CLOSE)
			return EGRET_STEP_CLOSED;
		if (head[0] == ASKS)
			egret_buf_append(out, head, 3);
		tls->at = 0;
		tls->len = head[0] == DATA ? count - HEADER : 0;
		memcpy(tls->opened, head + HEADER, tls->len);
		*produced += deliver(tls, plain ? plain + *produced : NULL, plain_size - *produced);
	}
	return EGRET_STEP_DONE;
}

static size_t pending(const struct egret_tls *tls)
{
	return tls->len - tls->at;
}

/* One for all inputs, one after another. */
static struct egret_tls only;

static void free_tls(struct egret_tls *tls)
{
	tls->at = tls->len = 0;
}

int egret_tls_errno(enum egret_tls_failure failure)
{
	return failure == EGRET_TLS_CONNECTION ? ECONNRESET : EPROTO;
}

static const struct egret_engine engine = { .decrypt = decrypt, .pending = pending, .free = free_tls };

struct world {
	struct egret_wire wire;
	int server;
	bool ended; /* the server has said its last */
	uint8_t sent[SENT_MOST];
	size_t sent_len;
	uint8_t next_sent, next_read; /* data counts upwards */
	size_t delivered;
};

/* What the program may have of what was sent. *OVER: a record ended the stream. */
static size_t owed(const struct world *world, bool *over)
{
	size_t data = 0, at = 0, count;
	bool bad = false;

	*over = false;
	while (!*over && (count = whole(world->sent + at, world->sent_len - at, &bad)) > 0) {
		*over = bad || world->sent[at] == CLOSE;
		data += !*over && world->sent[at] == DATA ? count - HEADER : 0;
		at += count;
	}
	return data;
}

static void server_ends(struct world *world)
{
	if (!world->ended)
		shutdown(world->server, SHUT_WR);
	world->ended = true;
}

static void send_all(struct world *world, const uint8_t *data, size_t len)
{
	if (world->ended || len > SENT_MOST - world->sent_len)
		return;
	ssize_t count = send(world->server, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (count > 0) {
		memcpy(world->sent + world->sent_len, data, (size_t)count);
		world->sent_len += (size_t)count;
	}
	if (count != (ssize_t)len) /* what is cut off stays cut off */
		server_ends(world);
}

static bool counts_upwards(uint8_t next, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != (uint8_t)(next + i))
			return false;
	return true;
}

static void program_reads(struct world *world, size_t want, int flags)
{
	static uint8_t room[65536];
	bool over;
	struct iovec iov[2] = { { room, want / 3 }, { room + want / 3, want - want / 3 } };
	ssize_t count = egret_wire_read(&world->wire, iov, 2, flags);
	size_t most = owed(world, &over);

	if (count <= 0)
		return;
	if ((size_t)count > want || world->delivered + (size_t)count > most)
		abort();
	if (!(flags & MSG_TRUNC) && !counts_upwards(world->next_read, room, (size_t)count))
		abort();
	if (flags & MSG_PEEK)
		return;
	world->next_read = (uint8_t)(world->next_read + count);
	world->delivered += (size_t)count;
}

/* Where SO_RCVLOWAT is 1 and nothing was held out of the kernel's sight, poll says what a read would find. */
static void poll_tells_the_truth(struct world *world)
{
	struct pollfd set = { .fd = world->wire.fd, .events = POLLIN };
	bool over;
	size_t left = owed(world, &over) - world->delivered;
	short says = egret_wire_readable(&world->wire);

	if (!says && (left || over) && world->wire.least == 1) { /* it may be on its way still */
		poll(&set, 1, SOON);
		says = egret_wire_readable(&world->wire);
		if (!says)
			abort();
	}
	if (world->wire.least > 1)
		return;
	if (says && poll(&set, 1, SOON) != 1)
		abort();
	for (int tries = 0; !says && poll(&set, 1, 0) == 1; tries++) { /* more may have come since */
		says = egret_wire_readable(&world->wire);
		if (tries > 3)
			abort();
	}
}

/* A record of data that counts on, or of another type; where CUT, its last bytes are kept back for good. */
static void server_sends(struct world *world, uint8_t type, size_t len, size_t piece)
{
	static uint8_t record[HEADER + 65535];
	uint8_t next = world->next_sent;
	size_t before = world->sent_len;

	record[0] = type;
	record[1] = record[2] = 3;
	record[3] = (uint8_t)(len >> 8);
	record[4] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		record[HEADER + i] = next++;
	if (world->ended || HEADER + len > SENT_MOST - before)
		return;
	if (piece < (HEADER + len) / PIECES_MOST)
		piece = (HEADER + len) / PIECES_MOST;
	for (size_t at = 0; at < HEADER + len; at += piece) {
		size_t left = HEADER + len - at;

		send_all(world, record + at, left < piece ? left : piece);
		if (piece < 64 || at == 0)
			poll_tells_the_truth(world);
	}
	if (type == DATA && world->sent_len == before + HEADER + len)
		world->next_sent = next;
}

/* On an address of its own: elsewhere a busy machine's closed connections may have used up the ports. */
static void set_up(struct world *world)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f400000 | ((uint32_t)getpid() & 0xffff)) };
	struct linger reset = { 1, 0 }; /* no TIME_WAIT: there are many */
	socklen_t size = sizeof to;
	sigset_t alarm; /* the fuzzer's, which would interrupt a connect */
	int one = 1, wide = 212992, listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	if (bind(listener, (struct sockaddr *)&to, sizeof to) || listen(listener, 1) || getsockname(listener, (struct sockaddr *)&to, &size) ||
	    connect(fd, (struct sockaddr *)&to, sizeof to)) {
		perror("a connection of this machine with itself");
		abort();
	}
	world->server = accept(listener, NULL, NULL);
	close(listener);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	setsockopt(world->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(world->server, SOL_SOCKET, SO_SNDBUF, &wide, sizeof wide);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	egret_wire_init(&world->wire, fd, &engine, &only, false);
	world->wire.handshaken = true;
	world->wire.record_overhead = HEADER;
}

/* As the library's setsockopt does it. */
static void set_least(struct world *world, size_t bytes)
{
	int one = 1;

	setsockopt(world->wire.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	egret_wire_set_least(&world->wire, bytes);
}

/* One step: what to do, and two numbers. */
static void step(struct world *world, uint8_t what, size_t a, size_t b)
{
	static const int flags[] = { 0, 0, MSG_PEEK, MSG_TRUNC, MSG_PEEK | MSG_TRUNC, MSG_PEEK | MSG_WAITALL };
	static const uint8_t types[] = { DATA, DATA, DATA, TICKET, ASKS };

	if (what < 60)
		server_sends(world, types[what % 5], (a << 4 | b) & 0x3fff, b % 16 ? 65536 : b + 1);
	else if (what < 90)
		server_sends(world, types[what % 5], a & 63, b % 8 + 1);
	else if (what < 180)
		program_reads(world, (what & 1 ? a << 8 | b : a), flags[what % 6]);
	else if (what < 200)
		poll_tells_the_truth(world);
	else if (what < 215)
		egret_wire_available(&world->wire);
	else if (what < 225)
		set_least(world, a ? a : 1);
	else if (what < 235)
		server_sends(world, CLOSE, a & 3, 65536);
	else if (what < 245)
		server_sends(world, (uint8_t)a, b << 8, 65536);
	else
		server_ends(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;

	memset(&world, 0, sizeof world);
	set_up(&world);
	for (size_t at = 0; at + 3 <= size && at < 3 * STEPS_MOST; at += 3)
		step(&world, data[at], data[at + 1], data[at + 2]);
	int fd = world.wire.fd;
	egret_wire_free(&world.wire);
	close(fd);
	close(world.server);
	return 0;
}
