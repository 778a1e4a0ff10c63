/* The bench's server: does what a connection's first 16 bytes order, in the clear on one port and over TLS on another.
 *
 *   server PORT_FILE CERT KEY [SUITE]   writes "PLAIN TLS" there
 *
 * A thread a connection. TLS output is gathered (a batching server) and bulk input skipped, so that the client is what limits.
 */
#include "common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define ROOM (256 << 10)

static SSL_CTX *ctx;

struct peer {
	int fd;
	SSL *ssl;
	char room[ROOM];
};

static ssize_t peer_read(struct peer *peer, size_t size)
{
	size_t done = 0;
	if (!peer->ssl)
		return recv(peer->fd, peer->room, size, 0);
	return SSL_read_ex(peer->ssl, peer->room, size, &done) == 1 ? (ssize_t)done : -1;
}

static bool peer_write(struct peer *peer, size_t size)
{
	size_t done = 0;
	if (peer->ssl)
		return SSL_write_ex(peer->ssl, peer->room, size, &done) == 1 && done == size;
	for (; done < size;) {
		ssize_t n = send(peer->fd, peer->room + done, size - done, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool peer_flush(struct peer *peer) { return !peer->ssl || BIO_flush(SSL_get_wbio(peer->ssl)) == 1; }

#define TAG 17 /* bytes that a record of TLS 1.3 is longer than its plaintext: type and tag */

/* Reads past the records of TOTAL bytes without opening them: a receiver that decrypts them on the other CPU takes longer than a good sender,
 * and would be what is measured. Nothing can be read from PEER afterwards. */
static bool skip_records(struct peer *peer, uint64_t total)
{
	uint8_t head[5];
	size_t have = 0, left = 0, opened = (size_t)SSL_pending(peer->ssl); /* came with the order: proxies join what they are given */
	if (opened > 0 && peer_read(peer, opened) != (ssize_t)opened)
		return false;
	total -= opened;
	while (total > 0 || left > 0) {
		ssize_t n = recv(peer->fd, peer->room, ROOM, 0);
		if (n <= 0)
			return false;
		for (ssize_t at = 0; at < n;) {
			if (left > 0) {
				size_t step = left < (size_t)(n - at) ? left : (size_t)(n - at);
				at += (ssize_t)step;
				left -= step;
				continue;
			}
			head[have++] = (uint8_t)peer->room[at++];
			if (have < sizeof head)
				continue;
			have = 0;
			left = (size_t)head[3] << 8 | head[4];
			total -= total < left - TAG ? total : left - TAG;
		}
	}
	return true;
}

static bool take(struct peer *peer, uint64_t total)
{
	while (total > 0) {
		ssize_t n = peer_read(peer, total < ROOM ? (size_t)total : ROOM);
		if (n <= 0)
			return false;
		total -= (uint64_t)n;
	}
	return true;
}

static void sink(struct peer *peer, uint64_t total)
{
	if ((peer->ssl ? skip_records(peer, total) : take(peer, total)) && peer_write(peer, 1))
		peer_flush(peer);
}

static void source(struct peer *peer, uint64_t total, size_t chunk)
{
	memset(peer->room, 'y', ROOM);
	for (; total > 0; total -= chunk) {
		chunk = chunk < total ? chunk : (size_t)total;
		if (!peer_write(peer, chunk))
			return;
	}
	peer_flush(peer);
}

static void echo(struct peer *peer)
{
	ssize_t n;
	while ((n = peer_read(peer, ROOM)) > 0 && peer_write(peer, (size_t)n) && peer_flush(peer))
		;
}

static void obey(struct peer *peer)
{
	struct bench_order order;
	for (size_t got = 0; got < sizeof order;) {
		ssize_t n = peer_read(peer, sizeof order - got);
		if (n <= 0)
			return;
		memcpy((char *)&order + got, peer->room, (size_t)n);
		got += (size_t)n;
	}
	if (order.job == 's')
		sink(peer, order.total);
	else if (order.job == 'r')
		source(peer, order.total, order.chunk);
	echo(peer); /* until the client leaves */
}

/* Everything that is written gathers in one buffer before the socket. */
static bool accept_tls(struct peer *peer)
{
	peer->ssl = SSL_new(ctx);
	BIO *gather = BIO_new(BIO_f_buffer());
	SSL_set_fd(peer->ssl, peer->fd);
	if (SSL_accept(peer->ssl) != 1)
		return false;
	BIO_set_write_buffer_size(gather, ROOM);
	BIO *socket_bio = SSL_get_wbio(peer->ssl);
	BIO_up_ref(socket_bio);
	SSL_set0_wbio(peer->ssl, BIO_push(gather, socket_bio));
	return true;
}

struct visit {
	int fd;
	bool tls;
};

static void *serve(void *arg)
{
	struct visit visit = *(struct visit *)arg;
	struct peer *peer = malloc(sizeof *peer);
	int on = 1;
	free(arg);
	if (!peer)
		return NULL;
	peer->fd = visit.fd;
	peer->ssl = NULL;
	setsockopt(visit.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!visit.tls || accept_tls(peer))
		obey(peer);
	if (peer->ssl) {
		SSL_shutdown(peer->ssl);
		peer_flush(peer);
		SSL_free(peer->ssl);
	}
	close(visit.fd);
	free(peer);
	return NULL;
}

struct listener {
	int fd;
	bool tls;
};

static void *accept_all(void *arg)
{
	struct listener *listener = arg;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&small, 256 << 10);
	for (;;) {
		struct visit *visit = malloc(sizeof *visit);
		pthread_t thread;
		visit->tls = listener->tls;
		visit->fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		if (visit->fd < 0 || pthread_create(&thread, &small, serve, visit) != 0)
			die("accept");
	}
	return NULL;
}

static uint16_t listen_on(struct listener *listener)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener->fd, 4096) != 0 ||
	    getsockname(listener->fd, (struct sockaddr *)&at, &len) != 0)
		die("listen");
	return ntohs(at.sin_port);
}

int main(int argc, char **argv)
{
	struct listener plain = { 0 }, tls = { .tls = true };
	pthread_t thread;
	if (argc < 4) {
		fputs("usage: server PORT_FILE CERT KEY [SUITE]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 || SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    (argc > 4 && SSL_CTX_set_ciphersuites(ctx, argv[4]) != 1))
		die("certificate");
	uint16_t plain_port = listen_on(&plain), tls_port = listen_on(&tls);
	pthread_create(&thread, NULL, accept_all, &plain);
	FILE *file = fopen(argv[1], "we");
	if (!file || fprintf(file, "%u %u\n", plain_port, tls_port) < 0 || fclose(file) != 0)
		die(argv[1]);
	accept_all(&tls);
	return 0;
}
