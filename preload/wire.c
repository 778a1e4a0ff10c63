#include "wire_internal.h"

#include "policy/raw.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define HANDSHAKE_BATCH 16384 /* bytes looked at in one receive */
#define DRAIN_ROUNDS 64
#define DRAIN_BATCH (1 << 20) /* bytes dropped in one call */
#define TICKET 256            /* bytes of a record with a session ticket, about */
#define CLOSE_NOTIFY 512      /* bytes that the record takes at most */
#define SEND_COST 1152        /* bytes of credit that a send costs beside its own: half of what the kernel needs for a segment (sk_buff) of one byte */
#define WIDE 212992           /* bytes: net.core.wmem_max as kernels have it, the most that SO_SNDBUF accepts */

void egret_wire_init(struct egret_wire *wire, int fd, const struct egret_engine *engine, struct egret_tls *tls, bool eof_is_close)
{
	memset(wire, 0, sizeof *wire);
	wire->fd = fd;
	wire->engine = engine;
	wire->tls = tls;
	wire->eof_is_close = eof_is_close;
	wire->least = 1;
	wire->news = 1;
	pthread_mutex_init(&wire->in_lock, NULL);
	pthread_mutex_init(&wire->out_lock, NULL);
	pthread_mutex_init(&wire->tls_lock, NULL);
}

/* The TLS state and every byte that waits go. */
static void drop_state(struct egret_wire *wire)
{
	if (wire->tls)
		wire->engine->free(wire->tls);
	wire->tls = NULL;
	egret_buf_free(&wire->in);
	egret_buf_free(&wire->out);
	egret_buf_free(&wire->peeked);
	egret_buf_free(&wire->answers);
}

void egret_wire_free(struct egret_wire *wire)
{
	drop_state(wire);
	pthread_mutex_destroy(&wire->in_lock);
	pthread_mutex_destroy(&wire->out_lock);
	pthread_mutex_destroy(&wire->tls_lock);
}

void egret_wire_give_up(struct egret_wire *wire)
{
	drop_state(wire);
	wire->stale = wire->pending = 0;
	wire->error = ESTALE;
	wire->read_closed = false;
	wire->write_closed = true;
}

ssize_t egret_wire_recv(const struct egret_wire *wire, void *data, size_t size, int flags)
{
	long result;
	do
		result = egret_raw6(SYS_recvfrom, wire->fd, (long)data, (long)size, flags | MSG_DONTWAIT, 0, 0);
	while (result == -EINTR);
	return result;
}

void egret_wire_discard(const struct egret_wire *wire, size_t count)
{
	while (count > 0) {
		ssize_t result = egret_wire_recv(wire, NULL, count, MSG_TRUNC);
		if (result <= 0)
			return;
		count -= (size_t)result;
	}
}

bool egret_wire_add_answers(struct egret_wire *wire)
{
	size_t count = egret_buf_len(&wire->answers);
	if (count == 0)
		return true;
	if (egret_buf_len(&wire->out) == 0) { /* needs no memory */
		egret_buf_free(&wire->out);
		wire->out = wire->answers;
		wire->answers = (struct egret_buf){ 0 };
		return true;
	}
	if (!egret_buf_append(&wire->out, egret_buf_head(&wire->answers), count))
		return false;
	egret_buf_free(&wire->answers);
	return true;
}

bool egret_wire_take_answers(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->tls_lock);
	bool good = egret_wire_add_answers(wire);
	pthread_mutex_unlock(&wire->tls_lock);
	return good;
}

int egret_wire_send_out(struct egret_wire *wire)
{
	while (egret_buf_len(&wire->out) > 0) {
		long sent = egret_raw6(SYS_sendto, wire->fd, (long)egret_buf_head(&wire->out), (long)egret_buf_len(&wire->out),
				       MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		if (sent == -EINTR)
			continue;
		if (sent == -EAGAIN) {
			wire->credit = 0;
			wire->wants = POLLOUT;
			wire->stuck = true;
			return -EAGAIN;
		}
		if (sent < 0) {
			egret_buf_free(&wire->out);
			wire->write_closed = true;
			wire->stuck = false;
			return (int)sent;
		}
		egret_buf_consume(&wire->out, (size_t)sent);
		size_t cost = (size_t)sent + SEND_COST;
		wire->credit = wire->credit > cost ? wire->credit - cost : 0;
	}
	wire->stuck = false;
	return 0;
}

static int option(const struct egret_wire *wire, int level, int name)
{
	int value = 0;
	uint32_t size = sizeof value;
	return egret_raw6(SYS_getsockopt, wire->fd, level, name, (long)&value, (long)&size, 0) == 0 ? value : -1;
}

static void set_option(const struct egret_wire *wire, int level, int name, int value)
{
	egret_raw6(SYS_setsockopt, wire->fd, level, name, (long)&value, sizeof value, 0);
}

int egret_wire_force_out(struct egret_wire *wire)
{
	int result = egret_wire_send_out(wire);
	int size = result == -EAGAIN ? option(wire, SOL_SOCKET, SO_SNDBUF) : -1;
	int locks = size >= 0 ? option(wire, SOL_SOCKET, SO_BUF_LOCK) : -1;
	if (locks < 0) /* an older kernel could not make its buffer grow by itself again */
		return result;
	int unsent = option(wire, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
	set_option(wire, IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1);
	if (size < 2 * WIDE)
		set_option(wire, SOL_SOCKET, SO_SNDBUF, WIDE);
	result = egret_wire_send_out(wire);
	if (size < 2 * WIDE) { /* the kernel doubles what it is told, socket(7) */
		set_option(wire, SOL_SOCKET, SO_SNDBUF, size / 2);
		set_option(wire, SOL_SOCKET, SO_BUF_LOCK, locks);
	}
	set_option(wire, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent);
	wire->credit = 0;
	return result;
}

int egret_wire_flush(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->out_lock);
	bool shut = wire->write_closed;
	int result = egret_wire_is_ours(wire) ? egret_wire_send_out(wire) : -EIO;
	if (result == 0 && egret_wire_take_answers(wire))
		result = egret_wire_send_out(wire);
	if (result < 0)
		egret_wire_keep_error(wire, -result, shut);
	pthread_mutex_unlock(&wire->out_lock);
	return result;
}

static int handshake_failed(struct egret_wire *wire, int error)
{
	egret_wire_send_out(wire); /* the alert, if it goes */
	wire->error = error;
	wire->write_closed = true;
	return -error;
}

/* The descriptor ended or broke in the middle of the handshake. */
static int handshake_cut(struct egret_wire *wire, int error)
{
	struct egret_tls_error *failure = &wire->failure;
	bool memory = error == ENOMEM;
	failure->failure = memory ? EGRET_TLS_MEMORY : EGRET_TLS_CONNECTION;
	snprintf(failure->text, sizeof failure->text, "%s", memory ? "out of memory" :
		 error == 0 ? "expected the server's part of the TLS handshake, it closed the connection; does it speak TLS on this port?" :
		 "expected the server's part of the TLS handshake, the connection broke; does the server speak TLS on this port?");
	return handshake_failed(wire, error == 0 || error == EPIPE ? ECONNRESET : error);
}

/* Looks at what the kernel has and leaves there what the handshake did not use: data that follows it must stay visible to poll. */
static enum egret_tls_step handshake_step(struct egret_wire *wire, ssize_t have)
{
	size_t used = 0;
	wire->failure.failure = EGRET_TLS_OK;
	pthread_mutex_lock(&wire->tls_lock);
	enum egret_tls_step step = wire->engine->handshake(wire->tls, have > 0 ? wire->in.data : NULL, have > 0 ? (size_t)have : 0, &used,
							   &wire->out, &wire->failure);
	pthread_mutex_unlock(&wire->tls_lock);
	bool hold = step == EGRET_STEP_DONE && used > 0 && (wire->hold || egret_buf_len(&wire->peeked) > 0);
	if (hold)
		wire->stale = 1; /* what the program is to read first must be visible to poll */
	egret_wire_discard(wire, used - hold);
	return step;
}

bool egret_wire_greet(struct egret_wire *wire, const void *data, size_t len, bool hold)
{
	wire->hold = hold;
	return len == 0 || egret_buf_append(&wire->peeked, data, len);
}

bool egret_wire_park(struct egret_wire *wire, const void *data, size_t len)
{
	wire->parked = true;
	wire->stale = 1;
	return egret_buf_append(&wire->peeked, data, len);
}

int egret_wire_hush(struct egret_wire *wire)
{
	uint8_t more[2];
	ssize_t have = egret_wire_recv(wire, more, wire->stale + 1, MSG_PEEK);
	if (have == -EAGAIN || (have > 0 && (size_t)have <= wire->stale))
		return 0;
	wire->failure.failure = have > 0 ? EGRET_TLS_PROTOCOL : EGRET_TLS_CONNECTION;
	snprintf(wire->failure.text, sizeof wire->failure.text,
		 have > 0 ? "the server spoke again before the TLS handshake; somebody on the way may have injected it, so the connection was given up" :
		 "expected the program's first packet and then TLS, the server closed the connection before");
	return have > 0 ? -EPROTO : have == 0 ? -ECONNRESET : (int)have;
}

int egret_wire_unpark(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	int result = egret_wire_hush(wire);
	egret_wire_discard(wire, wire->stale);
	wire->stale = 0;
	wire->parked = false;
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

static void handshake_done(struct egret_wire *wire)
{
	egret_buf_free(&wire->in);
	wire->record_overhead = wire->engine->record_overhead(wire->tls);
	wire->credit = EGRET_WIRE_LEAST;
	wire->last_record = TICKET; /* what a server of TLS 1.3 says first */
	wire->handshaken = true;
}

static int handshake_locked(struct egret_wire *wire)
{
	if (!egret_wire_is_ours(wire))
		return -EAGAIN; /* egret_connect_step says so, at the next step */
	for (ssize_t have = -EAGAIN;;) {
		enum egret_tls_step step = handshake_step(wire, have);
		if (step == EGRET_STEP_FAILED || step == EGRET_STEP_CLOSED)
			return handshake_failed(wire, egret_tls_errno(wire->failure.failure));
		bool spoke = egret_buf_len(&wire->out) > 0;
		int result = egret_wire_send_out(wire);
		if (result == -EAGAIN)
			return -EAGAIN;
		if (result < 0)
			return handshake_cut(wire, -result);
		if (step == EGRET_STEP_DONE) {
			handshake_done(wire);
			return 0;
		}
		if (!egret_buf_room(&wire->in, HANDSHAKE_BATCH))
			return handshake_cut(wire, ENOMEM);
		if (spoke) { /* the answer takes a round trip */
			wire->wants = POLLIN;
			return -EAGAIN;
		}
		have = egret_wire_recv(wire, wire->in.data, HANDSHAKE_BATCH, MSG_PEEK);
		if (have == -EAGAIN) {
			wire->wants = POLLIN;
			return -EAGAIN;
		}
		if (have <= 0)
			return handshake_cut(wire, (int)-have);
	}
}

int egret_wire_handshake(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	pthread_mutex_lock(&wire->out_lock);
	int result = wire->error ? -wire->error : wire->handshaken ? 0 : handshake_locked(wire);
	pthread_mutex_unlock(&wire->out_lock);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

/* Puts the answers and close_notify into `out`, which is empty. False: no memory, nothing was changed. */
static bool say_close(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->tls_lock);
	bool good = egret_wire_add_answers(wire);
	if (good && !wire->write_closed && wire->handshaken && (good = egret_buf_room(&wire->out, CLOSE_NOTIFY) != NULL)) {
		wire->engine->close_notify(wire->tls, &wire->out);
		wire->write_closed = true;
	}
	pthread_mutex_unlock(&wire->tls_lock);
	return good;
}

int egret_wire_close_notify(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->out_lock);
	bool shut = wire->write_closed;
	int result = egret_wire_is_ours(wire) ? egret_wire_force_out(wire) : -EIO;
	if (result == 0)
		result = say_close(wire) ? egret_wire_force_out(wire) : -ENOMEM;
	if (result < 0)
		egret_wire_keep_error(wire, -result, shut);
	pthread_mutex_unlock(&wire->out_lock);
	return result;
}

void egret_wire_set_fd(struct egret_wire *wire, int fd)
{
	pthread_mutex_lock(&wire->in_lock);
	pthread_mutex_lock(&wire->out_lock);
	wire->fd = fd;
	if (fd < 0) {
		wire->read_closed = true;
		wire->write_closed = true;
	}
	pthread_mutex_unlock(&wire->out_lock);
	pthread_mutex_unlock(&wire->in_lock);
}

void egret_wire_drain(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	for (int i = 0; i < DRAIN_ROUNDS && egret_wire_recv(wire, NULL, DRAIN_BATCH, MSG_TRUNC) == DRAIN_BATCH; i++)
		; /* a shorter one has emptied the queue */
	wire->stale = 0;
	pthread_mutex_unlock(&wire->in_lock);
}
