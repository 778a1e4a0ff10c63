/* The relay's life at its edges: the connection behind it is TCP in the clear, and what is out of memory, broken or late is so on order. */
#include "preload/conn_log.h"
#include "preload/connect.h"
#include "preload/io.h"
#include "preload/real.h"
#include "preload/relay.h"
#include "preload/runtime.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define END "the end of TLS"
#define CLOSE_NOTIFY '!' /* of the server */
#define GRANTED_MS 300000 /* UNREAD_MS of the relay */

struct egret_real real;

/* ---- what the relay stands on ---- */

static int starved_for;   /* calls that find no memory still */
static bool truncates;    /* the server's FIN is no end of TLS */
static int64_t clock_step_us, clock_us;

int egret_io_finish(struct egret_conn *conn)
{
	if (starved_for-- > 0)
		return -ENOMEM;
	if (!conn->wire.write_closed && send(conn->wire.fd, END, sizeof END, MSG_NOSIGNAL) < 0)
		return -errno;
	conn->wire.write_closed = true;
	return 0;
}

ssize_t egret_send_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	(void)count;
	errno = EPIPE;
	return conn->wire.error ? -1 : send(fd, iov->iov_base, iov->iov_len, flags);
}

ssize_t egret_receive_plain(struct egret_conn *conn, int fd, const struct iovec *iov, int count, int flags)
{
	char first = 0;
	(void)count;
	if (recv(fd, &first, 1, flags | MSG_PEEK) == 1 && first == CLOSE_NOTIFY)
		return recv(fd, &first, 1, flags) - 1;
	ssize_t got = recv(fd, iov->iov_base, iov->iov_len, flags);
	if (got == 0 && truncates) {
		errno = conn->wire.error = ECONNRESET;
		return -1;
	}
	return got;
}

void egret_conn_log_closed(struct egret_conn *conn) { (void)conn; }
int egret_connect_time_left(const struct egret_conn *conn) { (void)conn; return -1; }
int64_t egret_now_us(void) { return clock_us += clock_step_us; }

static int fill_real(void **state)
{
	(void)state;
	real.recv = recv;
	real.send = send;
	real.shutdown = shutdown;
	real.poll = poll;
	real.epoll_ctl = epoll_ctl;
	real.epoll_wait = epoll_wait;
	real.getsockopt = getsockopt;
	real.setsockopt = setsockopt;
	return 0;
}

/* ---- the two sides of it ---- */

static struct {
	int program, server, tcp; /* the program's end, the server's, and the relay's own socket */
	pid_t relay;
} it;

static void tcp_pair(int *client, int *server)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sa;
	int small = 4608, listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &size);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(*client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	connect(*client, (struct sockaddr *)&sa, size);
	*server = accept(listener, NULL, NULL);
	assert_true(*server >= 0);
	close(listener);
}

static void start(void)
{
	static struct egret_conn conn;
	int pair[2];
	tcp_pair(&it.tcp, &it.server);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[0], "", 1, 0), 1); /* the old byte, relay.c */
	it.program = pair[0];
	it.relay = fork();
	assert_true(it.relay >= 0);
	if (it.relay == 0) {
		egret_wire_init(&conn.wire, it.tcp, NULL, NULL, false);
		atomic_store(&conn.state, EGRET_CONN_OPEN);
		egret_relay_run(&conn, pair[1]);
	}
	close(pair[1]);
}

static int stop(void **state)
{
	(void)state;
	kill(it.relay, SIGKILL);
	waitpid(it.relay, NULL, 0);
	close(it.program);
	close(it.server);
	close(it.tcp);
	starved_for = 0;
	truncates = false;
	clock_step_us = 0;
	return 0;
}

/* More than both TCP buffers take: what is left waits for the relay. */
static size_t say_much(void)
{
	static char much[100000];
	ssize_t sent = send(it.program, much, sizeof much, MSG_NOSIGNAL);
	assert_int_equal(sent, sizeof much);
	return (size_t)sent;
}

/* Everything until the end; the end of TLS was there, behind COUNT bytes. */
static void hear_all(size_t count)
{
	static char got[200000];
	size_t have = 0;
	ssize_t n;
	while ((n = recv(it.server, got + have, sizeof got - have, 0)) > 0)
		have += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(have, count + sizeof END);
	assert_string_equal(got + count, END);
}

static unsigned user_timeout(void)
{
	unsigned limit = 0;
	socklen_t size = sizeof limit;
	getsockopt(it.tcp, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &size);
	return limit;
}

static bool relay_runs(void) { return waitpid(it.relay, NULL, WNOHANG) == 0; }

/* ---- the promises ---- */

static void memory_that_is_out_is_not_taken_for_the_end_of_the_data(void **state)
{
	(void)state;
	starved_for = 3;
	start();
	size_t count = say_much();
	shutdown(it.program, SHUT_WR);
	hear_all(count);
}

static void a_server_that_takes_nothing_is_given_up_like_tcp_gives_up_an_orphan(void **state)
{
	(void)state;
	start();
	say_much();
	usleep(50000);
	assert_int_equal(user_timeout(), 0); /* as long as the program has it, it waits */
	close(it.program);
	for (int i = 0; i < 1000 && user_timeout() == 0; i++)
		usleep(10000);
	assert_int_equal(user_timeout(), GRANTED_MS);
}

static void a_relay_ends_when_tcp_gives_its_server_up(void **state)
{
	unsigned limit = 300; /* the program's own, less than what is granted */
	(void)state;
	start();
	setsockopt(it.tcp, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
	say_much();
	close(it.program);
	assert_int_equal(waitpid(it.relay, NULL, 0), it.relay);
	assert_int_equal(user_timeout(), limit);
}

static void what_was_written_before_the_server_broke_off_is_still_sent(void **state)
{
	char byte;
	(void)state;
	truncates = true;
	start();
	size_t count = say_much();
	shutdown(it.server, SHUT_WR);
	assert_int_equal(recv(it.program, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	hear_all(count);
}

/* All that the program wrote is in the send buffer, and the program gone. */
static size_t leave_all_to_tcp(void)
{
	int large = 200000, waiting = 0;
	setsockopt(it.tcp, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
	size_t count = say_much();
	close(it.program);
	for (int i = 0; i < 1000 && waiting < 80000; i++) {
		usleep(10000);
		ioctl(it.tcp, SIOCOUTQ, &waiting);
	}
	assert_true(waiting >= 80000);
	return count;
}

/* Nothing is lost to a reset, however late the server speaks and reads; then the relay lingers no longer than TCP does. */
static void a_server_that_reads_late_gets_everything(void **state)
{
	(void)state;
	clock_step_us = 3600 * INT64_C(1000000);
	start();
	size_t count = leave_all_to_tcp();
	for (int i = 0; i < 5; i++) {
		usleep(300000);
		send(it.server, "ticket", 6, MSG_NOSIGNAL);
	}
	assert_true(relay_runs());
	hear_all(count);
	assert_int_equal(waitpid(it.relay, NULL, 0), it.relay);
}

static void what_comes_behind_the_servers_end_is_no_reset(void **state)
{
	(void)state;
	start();
	size_t count = leave_all_to_tcp();
	close(it.tcp); /* the relay's close is the last one */
	assert_int_equal(send(it.server, "!junk", 5, 0), 5);
	assert_int_equal(waitpid(it.relay, NULL, 0), it.relay);
	hear_all(count);
}

#define with_a_relay(test) cmocka_unit_test_teardown(test, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_relay(memory_that_is_out_is_not_taken_for_the_end_of_the_data),
		with_a_relay(a_server_that_takes_nothing_is_given_up_like_tcp_gives_up_an_orphan),
		with_a_relay(a_relay_ends_when_tcp_gives_its_server_up),
		with_a_relay(what_was_written_before_the_server_broke_off_is_still_sent),
		with_a_relay(a_server_that_reads_late_gets_everything),
		with_a_relay(what_comes_behind_the_servers_end_is_no_reset),
	};
	return cmocka_run_group_tests(tests, fill_real, NULL);
}
