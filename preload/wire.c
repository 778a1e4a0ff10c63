/* The wire's life: handshake, end, drain. Reading is in wire_read.c, writing in wire_write.c. */
#include "wire_internal.h"

#include <poll.h>
#include <string.h>

#define HANDSHAKE_PEEK (32 * 1024) /* bytes looked at in one go */
#define DRAIN_MAX (4 * 1024 * 1024) /* bytes thrown away at close at most */

void egret_wire_init(struct egret_wire *wire, int fd, const struct egret_engine *engine, struct egret_tls *tls, bool eof_is_close)
{
	memset(wire, 0, sizeof *wire);
	wire->fd = fd;
	wire->engine = engine;
	wire->tls = tls;
	wire->eof_is_close = eof_is_close;
	wire->record_overhead = 21;
	pthread_mutex_init(&wire->in_lock, NULL);
	pthread_mutex_init(&wire->out_lock, NULL);
	pthread_mutex_init(&wire->tls_lock, NULL);
}

void egret_wire_free(struct egret_wire *wire)
{
	if (wire->tls)
		wire->engine->free(wire->tls);
	wire->tls = NULL;
	egret_buf_free(&wire->in);
	egret_buf_free(&wire->out);
	pthread_mutex_destroy(&wire->in_lock);
	pthread_mutex_destroy(&wire->out_lock);
	pthread_mutex_destroy(&wire->tls_lock);
}

int egret_wire_break(struct egret_wire *wire, int error)
{
	if (!wire->error)
		wire->error = error;
	return -wire->error;
}

int egret_wire_send_out(struct egret_wire *wire)
{
	while (egret_buf_len(&wire->out) > 0) {
		long n = egret_wire_send(wire, egret_buf_head(&wire->out), egret_buf_len(&wire->out));
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			wire->wants = POLLOUT;
		if (n < 0)
			return (int)n;
		egret_buf_consume(&wire->out, (size_t)n);
	}
	return 0;
}

int egret_wire_flush(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->out_lock);
	int result = egret_wire_send_out(wire);
	pthread_mutex_unlock(&wire->out_lock);
	return result;
}

static void says(struct egret_wire *wire, const char *text)
{
	snprintf(wire->failure.text, sizeof wire->failure.text, "%s", text);
	wire->failure.failure = EGRET_TLS_CONNECTION;
}

/* One look at what the server sent: fed to the engine, and exactly what the engine took leaves the kernel's queue. */
static int handshake_input(struct egret_wire *wire, enum egret_tls_step *step)
{
	uint8_t data[HANDSHAKE_PEEK];
	size_t consumed = 0;
	long n = egret_wire_recv(wire, data, sizeof data, MSG_PEEK);
	if (n == -EAGAIN || n == -EINTR) {
		wire->wants = POLLIN;
		return -EAGAIN;
	}
	if (n <= 0) {
		says(wire, n == 0 ? "the server closed the connection during the TLS handshake; is this its TLS port? see connect_port"
				  : "the connection was reset during the TLS handshake; is this its TLS port? see connect_port");
		return egret_wire_break(wire, n == 0 || n == -ECONNRESET ? ECONNRESET : (int)-n);
	}
	*step = wire->engine->handshake(wire->tls, data, (size_t)n, &consumed, &wire->out, &wire->failure);
	if (consumed > 0)
		egret_wire_recv(wire, NULL, consumed, MSG_TRUNC);
	return 0;
}

static int handshake_locked(struct egret_wire *wire)
{
	size_t none = 0;
	enum egret_tls_step step = wire->engine->handshake(wire->tls, NULL, 0, &none, &wire->out, &wire->failure);
	while (!wire->error) {
		int sent = egret_wire_send_out(wire); /* an alert goes out too, if it can */
		if (step == EGRET_STEP_FAILED)
			return egret_wire_break(wire, egret_tls_errno(wire->failure.failure));
		if (sent == -EAGAIN)
			return sent;
		if (sent < 0) {
			says(wire, "the connection broke during the TLS handshake");
			return egret_wire_break(wire, ECONNRESET);
		}
		if (step == EGRET_STEP_DONE)
			return 0;
		int got = handshake_input(wire, &step);
		if (got < 0)
			return got;
	}
	return -wire->error;
}

int egret_wire_handshake(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	pthread_mutex_lock(&wire->out_lock);
	pthread_mutex_lock(&wire->tls_lock);
	int result = wire->handshaken ? 0 : handshake_locked(wire);
	if (result == 0 && !wire->handshaken) {
		struct egret_tls_info info;
		wire->engine->info(wire->tls, &info);
		wire->record_overhead = info.record_overhead;
		wire->handshaken = true;
	}
	pthread_mutex_unlock(&wire->tls_lock);
	pthread_mutex_unlock(&wire->out_lock);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

int egret_wire_close_notify(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->out_lock);
	if (!wire->write_closed && wire->handshaken) {
		pthread_mutex_lock(&wire->tls_lock);
		wire->engine->close_notify(wire->tls, &wire->out);
		pthread_mutex_unlock(&wire->tls_lock);
	}
	wire->write_closed = true;
	int result = egret_wire_send_out(wire);
	pthread_mutex_unlock(&wire->out_lock);
	return result;
}

void egret_wire_drain(struct egret_wire *wire)
{
	size_t total = 0;
	long n;
	pthread_mutex_lock(&wire->in_lock);
	while (total < DRAIN_MAX && (n = egret_wire_recv(wire, NULL, 64 * 1024, MSG_TRUNC)) > 0)
		total += (size_t)n;
	wire->stale = 0;
	pthread_mutex_unlock(&wire->in_lock);
}
