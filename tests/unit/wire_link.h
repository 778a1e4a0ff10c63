/* A wire to an OpenSSL server of the test's own over a real TCP connection: the test carries every byte of the server itself. */
#ifndef EGRET_TESTS_WIRE_LINK_H
#define EGRET_TESTS_WIRE_LINK_H

#include "preload/wire.h"
#include "tls_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct link {
	struct peer peer;
	int fd, peer_fd;
	struct egret_tls_ctx *ctx;
	struct egret_wire wire;
	uint8_t *seen; /* every byte that came from the client */
	size_t seen_len;
};

static struct link it;

static void tcp_pair(int *client, int *server)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sa;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sa, &size);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&sa, size), 0);
	*server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(*server >= 0);
	close(listener);
	int on = 1; /* a second small segment must not wait for the first one's acknowledgement */
	setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* What the client sent goes into the server's BIO and into the record of all that was seen. */
static void hear(void)
{
	uint8_t data[65536];
	ssize_t n;
	while ((n = recv(it.peer_fd, data, sizeof data, MSG_DONTWAIT)) > 0) {
		BIO_write(it.peer.in, data, (int)n);
		it.seen = realloc(it.seen, it.seen_len + (size_t)n);
		assert_non_null(it.seen);
		memcpy(it.seen + it.seen_len, data, (size_t)n);
		it.seen_len += (size_t)n;
	}
}

/* Sends COUNT bytes to the client and waits until its kernel has them all. */
static void deliver(const uint8_t *data, size_t count)
{
	int before = 0, now = 0;
	ioctl(it.fd, FIONREAD, &before);
	assert_int_equal(send(it.peer_fd, data, count, 0), (int)count);
	for (int i = 0; i < 5000 && now < before + (int)count; i++) {
		ioctl(it.fd, FIONREAD, &now);
		usleep(now < before + (int)count ? 200 : 0);
	}
	assert_int_equal(now, before + (int)count);
}

/* Sends what the server's BIO holds. */
static void speak(void)
{
	static uint8_t data[1 << 20];
	int n = BIO_read(it.peer.out, data, sizeof data);
	if (n > 0)
		deliver(data, (size_t)n);
}

static void open_link(int version, bool eof_is_close)
{
	struct egret_tls_settings settings = trusting();
	struct egret_tls_error error;
	memset(&it, 0, sizeof it);
	tcp_pair(&it.fd, &it.peer_fd);
	peer_open(&it.peer, "right", version);
	peer_accept(&it.peer);
	it.ctx = engine->ctx_new(&settings, NULL, &error);
	assert_non_null(it.ctx);
	egret_wire_init(&it.wire, it.fd, engine, engine->open(it.ctx, "good.example", 443, &error), eof_is_close);
	int result = -EAGAIN;
	for (int i = 0; i < 100 && (result || !SSL_is_init_finished(it.peer.ssl)); i++) {
		result = egret_wire_handshake(&it.wire);
		assert_true(result == 0 || result == -EAGAIN);
		usleep(500);
		hear();
		SSL_do_handshake(it.peer.ssl);
		speak();
	}
	assert_int_equal(result, 0);
}

static int close_link(void **state)
{
	(void)state;
	if (!it.ctx)
		return 0;
	egret_wire_free(&it.wire);
	engine->ctx_unref(it.ctx);
	peer_close(&it.peer);
	close(it.fd);
	close(it.peer_fd);
	free(it.seen);
	memset(&it, 0, sizeof it);
	return 0;
}

static ssize_t wire_write(const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	return egret_wire_write(&it.wire, &iov, 1);
}

#endif
