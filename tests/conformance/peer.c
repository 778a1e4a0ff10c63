/* peer MODE CERT KEY: the server's side of a conformance run, over TCP or TLS 1.2 or 1.3, the same commands for each.
 *
 * Commands come as lines on descriptor 3; each is answered by one line there. Bytes follow one pattern, so that both sides know what
 * must arrive. `sent` answers carry the bytes put on the wire so far: the driver waits until the client's kernel has them all.
 */
#include "pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL 3
#define BLOCK 65536
#define SESSIONS 4

static SSL_CTX *ctx; /* NULL: plain TCP */

struct session {
	SSL *ssl;
	int listener, fd;
	size_t out_at, in_at, wire; /* positions in the pattern; bytes sent on the wire */
	unsigned char half[4 * BLOCK];
	size_t half_at, half_end;
};
static struct session sessions[SESSIONS], *now = sessions; /* one for each connection of the caller, and the one that is meant */

static void answer(const char *word, size_t number)
{
	dprintf(CONTROL, "%s %zu\n", word, number);
}

#define PROBE_MS 100 /* a sender that finds the window too small for a segment tries again after 200 ms */
#define PROBES_MOST 10 /* of one command */
#define WIDE 200000 /* bytes */

static int probes;

/* What never comes is for conduct.py to find. What comes a probe at a time, since our small window and the sender's segments do not fit, would take
 * minutes: the window is made wide. */
static bool ready(short events)
{
	struct pollfd pfd = { .fd = now->fd, .events = events };
	int wide = WIDE, n = poll(&pfd, 1, PROBE_MS);
	if (n == 0 && (events & POLLIN) && ++probes == PROBES_MOST)
		setsockopt(now->fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
	return (n ? n : poll(&pfd, 1, -1)) == 1;
}

static bool put(const unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = ready(POLLOUT) ? send(now->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
		now->wire += (size_t)n;
	}
	return true;
}

/* What OpenSSL wants to send goes out. */
static bool flush(void)
{
	char *data;
	long size = now->ssl ? BIO_get_mem_data(SSL_get_wbio(now->ssl), &data) : 0;
	bool good = size <= 0 || put((unsigned char *)data, (size_t)size);
	if (size > 0)
		(void)BIO_reset(SSL_get_wbio(now->ssl));
	return good;
}

/* What has come is acknowledged now: a sender with a small buffer does not wait for the kernel's 40 ms. */
static void acknowledge(void)
{
	int on = 1, saved = errno;
	setsockopt(now->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
	errno = saved;
}

/* Feeds OpenSSL with what arrives. -1: the connection broke; 0: the end. */
static ssize_t feed(void)
{
	unsigned char data[BLOCK];
	ssize_t n = ready(POLLIN) ? recv(now->fd, data, sizeof data, 0) : -1;
	acknowledge();
	if (n > 0)
		BIO_write(SSL_get_rbio(now->ssl), data, (int)n);
	return n;
}

#define TCP_DELACK_MAX_US 46 /* of newer kernels, include/uapi/linux/tcp.h, two ticks at least; older ones acknowledge after 40 ms */

static void open_session(void)
{
	now->fd = accept4(now->listener, NULL, NULL, SOCK_CLOEXEC);
	int on = 1, soon_us = 8000;
	setsockopt(now->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(now->fd, IPPROTO_TCP, TCP_DELACK_MAX_US, &soon_us, sizeof soon_us);
	if (!ctx || now->fd < 0)
		return;
	now->ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(now->ssl, in, BIO_new(BIO_s_mem()));
	SSL_set_accept_state(now->ssl);
	int result;
	while ((result = SSL_do_handshake(now->ssl)) != 1 && SSL_get_error(now->ssl, result) == SSL_ERROR_WANT_READ)
		if (!flush() || feed() <= 0)
			break;
	flush();
}

static void close_session(void)
{
	SSL_free(now->ssl);
	now->ssl = NULL;
	if (now->fd >= 0)
		close(now->fd);
	if (now->listener >= 0)
		close(now->listener);
	now->fd = now->listener = -1;
	now->out_at = now->in_at = now->wire = now->half_at = now->half_end = 0;
}

static void do_listen(size_t a, size_t b)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sa;
	int rcvbuf = (int)a;
	(void)b;
	close_session();
	now->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (rcvbuf)
		setsockopt(now->listener, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
	if (bind(now->listener, (struct sockaddr *)&sa, size) != 0 || listen(now->listener, 4) != 0)
		exit(1);
	getsockname(now->listener, (struct sockaddr *)&sa, &size);
	answer("port", ntohs(sa.sin_port));
}

/* Answers at once: the client connects meanwhile. */
static void do_accept(size_t delay_ms, size_t b)
{
	(void)b;
	answer("ok", 0);
	usleep((useconds_t)delay_ms * 1000);
	open_session();
}

static void do_sync(size_t a, size_t b)
{
	(void)a;
	(void)b;
	answer("sent", now->wire);
}

static bool send_pattern(size_t count, size_t record)
{
	static unsigned char data[BLOCK];
	bool good = true;
	for (size_t done = 0; good && done < count;) {
		size_t size = record && record < BLOCK ? record : BLOCK;
		size = size < count - done ? size : count - done;
		pattern_fill(data, now->out_at, size);
		good = now->ssl ? SSL_write(now->ssl, data, (int)size) == (int)size && flush() : put(data, size);
		now->out_at += size;
		done += size;
	}
	return good;
}

static void do_send(size_t count, size_t record)
{
	bool good = send_pattern(count, record);
	answer(good ? "sent" : "failed", now->wire);
}

static void do_bulk(size_t count, size_t record)
{
	answer("ok", 0);
	send_pattern(count, record);
}

static void do_late(size_t ms, size_t count)
{
	answer("ok", 0);
	usleep((useconds_t)ms * 1000);
	send_pattern(count, 0);
}

/* Reads some plaintext. Bytes, 0: the end as the protocol has it, -1: cut, -2: broken. */
static ssize_t take(unsigned char *data, size_t size)
{
	while (now->ssl) {
		int n = SSL_read(now->ssl, data, (int)size);
		if (n > 0)
			return n;
		int error = SSL_get_error(now->ssl, n);
		if (error == SSL_ERROR_ZERO_RETURN)
			return 0;
		if (error != SSL_ERROR_WANT_READ)
			return -2;
		flush();
		ssize_t fed = feed();
		if (fed <= 0)
			return fed == 0 ? -1 : -2;
	}
	ssize_t n = ready(POLLIN) ? recv(now->fd, data, size, 0) : -1;
	acknowledge();
	return n >= 0 ? n : -2;
}

/* COUNT bytes of the pattern; NULL when they came, else what happened. */
static const char *read_pattern(size_t count)
{
	static unsigned char data[BLOCK];
	while (count > 0) {
		ssize_t n = take(data, count < BLOCK ? count : BLOCK);
		if (n <= 0)
			return n == 0 ? "end" : n == -1 ? "cut" : "broken";
		if (!pattern_is(data, now->in_at, (size_t)n))
			return "wrong";
		now->in_at += (size_t)n;
		count -= (size_t)n;
	}
	return NULL;
}

static void do_read(size_t count, size_t b)
{
	(void)b;
	const char *why = read_pattern(count);
	answer(why ? why : "ok", now->in_at);
}

/* Answers twice: at once, and when all has come. */
static void do_slurp(size_t count, size_t b)
{
	answer("ok", 0);
	do_read(count, b);
}

static void do_drain(size_t a, size_t b)
{
	(void)a;
	(void)b;
	const char *why = now->fd >= 0 ? read_pattern(SIZE_MAX) : "closed";
	answer(why, now->in_at);
}

static void do_key_update(size_t request, size_t b)
{
	(void)b;
	if (now->ssl && SSL_version(now->ssl) == TLS1_3_VERSION && SSL_key_update(now->ssl, request ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED)) {
		SSL_do_handshake(now->ssl);
		flush();
	}
	answer("sent", now->wire);
}

static void do_tickets(size_t count, size_t b)
{
	(void)b;
	for (size_t i = 0; now->ssl && SSL_version(now->ssl) == TLS1_3_VERSION && i < count; i++) {
		SSL_new_session_ticket(now->ssl);
		SSL_do_handshake(now->ssl);
	}
	flush();
	answer("sent", now->wire);
}

/* The first part of a record of COUNT bytes; over TCP nothing, since nothing of it could be read. */
static void do_half(size_t count, size_t part)
{
	count = count < BLOCK / 4 ? count : BLOCK / 4;
	unsigned char data[BLOCK];
	pattern_fill(data, now->out_at, count);
	now->out_at += count;
	now->half_at = 0;
	now->half_end = count;
	memcpy(now->half, data, count);
	if (now->ssl) {
		char *text;
		SSL_write(now->ssl, data, (int)count);
		now->half_end = (size_t)BIO_get_mem_data(SSL_get_wbio(now->ssl), &text);
		memcpy(now->half, text, now->half_end);
		(void)BIO_reset(SSL_get_wbio(now->ssl));
		now->half_at = now->half_end * (part % 100) / 100;
		put(now->half, now->half_at);
	}
	answer("sent", now->wire);
}

static void do_rest(size_t a, size_t b)
{
	(void)a;
	(void)b;
	put(now->half + now->half_at, now->half_end - now->half_at);
	now->half_at = now->half_end = 0;
	answer("sent", now->wire);
}

/* ONLY_NOTIFY: close_notify alone, the FIN follows with the end of the session; over TCP there is only the FIN. */
static void do_shut(size_t only_notify, size_t b)
{
	(void)b;
	if (now->ssl)
		SSL_shutdown(now->ssl);
	flush();
	bool fin = !now->ssl || !only_notify;
	if (fin)
		shutdown(now->fd, SHUT_WR);
	answer(fin ? "fin" : "sent", now->wire);
}

static void do_cut(size_t a, size_t b)
{
	(void)a;
	(void)b;
	shutdown(now->fd, SHUT_WR);
	answer("sent", now->wire);
}

static void do_reset(size_t a, size_t b)
{
	struct linger linger = { 1, 0 };
	(void)a;
	(void)b;
	setsockopt(now->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(now->fd);
	now->fd = -1;
	answer("sent", now->wire);
}

/* The caller's next commands mean its connection NUMBER. */
static void do_use(size_t number, size_t b)
{
	(void)b;
	now = &sessions[number % SESSIONS];
	answer("ok", 0);
}

static void do_acknowledge(size_t a, size_t b)
{
	(void)a;
	(void)b;
	acknowledge();
	answer("ok", 0);
}

static void do_end(size_t a, size_t b)
{
	(void)a;
	(void)b;
	for (size_t i = SESSIONS; i-- > 0;) {
		now = &sessions[i];
		close_session();
	}
	answer("ok", 0);
}

static const struct {
	const char *name;
	void (*run)(size_t a, size_t b);
} commands[] = { { "listen", do_listen }, { "accept", do_accept }, { "sync", do_sync }, { "send", do_send }, { "bulk", do_bulk },
		 { "late", do_late }, { "read", do_read }, { "slurp", do_slurp }, { "drain", do_drain }, { "keyupdate", do_key_update },
		 { "tickets", do_tickets }, { "half", do_half }, { "rest", do_rest }, { "shut", do_shut }, { "cut", do_cut },
		 { "reset", do_reset }, { "use", do_use }, { "acknowledge", do_acknowledge }, { "end", do_end } };

static void obey(const char *line)
{
	char word[16] = "";
	size_t a = 0, b = 0;
	sscanf(line, "%15s %zu %zu", word, &a, &b);
	probes = 0;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(word, commands[i].name) == 0) {
			commands[i].run(a, b);
			return;
		}
	answer("unknown", 0);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SESSIONS; i++)
		sessions[i].fd = sessions[i].listener = -1;
	if (strcmp(argv[1], "tcp") != 0) {
		int version = strcmp(argv[1], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_min_proto_version(ctx, version);
		SSL_CTX_set_max_proto_version(ctx, version);
		SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
		if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 || SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1)
			return 1;
	}
	FILE *control = fdopen(dup(CONTROL), "r");
	char line[256];
	while (control && fgets(line, sizeof line, control))
		obey(line);
	return 0;
}
