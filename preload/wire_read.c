/* Reading: ciphertext from the kernel's queue to the program's buffer, the kernel's readiness kept truthful.
 *
 * Two ways to receive. *Fit*: the program's buffer holds everything that the bytes of this receive can decrypt to, so they are taken
 * from the queue at once: one system call. *Hold*: it does not; the batch is copied with MSG_PEEK and stays in the queue (`stale`) until
 * all of its plaintext was delivered, so that poll, epoll and every other holder of the descriptor still see it readable.
 */
#include "wire_internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define BATCH (64 * 1024)   /* bytes of one held receive */
#define FIT_MIN 64          /* a smaller buffer is served from a held batch */
#define FIT_MAX (256 * 1024)
#define HEADER 5            /* bytes of a record header */

static size_t record_size(const uint8_t *head) { return HEADER + ((size_t)head[3] << 8 | head[4]); }

/* Is there a whole record in `in`? One that claims to be longer than any may be counts: the engine refuses it. */
static bool whole_record(const struct egret_wire *wire)
{
	size_t len = egret_buf_len(&wire->in);
	if (len < HEADER)
		return false;
	size_t size = record_size(egret_buf_head(&wire->in));
	return size <= len || size > EGRET_RECORD_WIRE_MAX;
}

static bool deliverable(const struct egret_wire *wire)
{
	return wire->error || wire->read_closed || wire->engine->pending(wire->tls) > 0 || whole_record(wire);
}

/* Nothing is left to deliver: what the queue still shows of it goes. */
static void drop_stale(struct egret_wire *wire)
{
	if (wire->stale == 0)
		return;
	egret_wire_recv(wire, NULL, wire->stale, MSG_TRUNC);
	wire->stale = 0;
}

static int at_eof(struct egret_wire *wire)
{
	wire->kernel_eof = true;
	if (wire->eof_is_close) {
		wire->read_closed = true;
		return 0;
	}
	snprintf(wire->failure.text, sizeof wire->failure.text,
		 "the server ended the connection without close_notify, data may be missing; for a server that never sends it: tls_truncation = eof");
	wire->failure.failure = EGRET_TLS_CONNECTION;
	return egret_wire_break(wire, ECONNRESET);
}

/* How many bytes a receive for WANT bytes of plaintext may take for good; 0: it must hold. */
static size_t fit_room(const struct egret_wire *wire, size_t want)
{
	size_t have = egret_buf_len(&wire->in), total = want + wire->record_overhead;
	if (want < FIT_MIN || have >= total)
		return 0;
	if (have >= HEADER && record_size(egret_buf_head(&wire->in)) > total)
		return 0;
	return total - have < FIT_MAX ? total - have : FIT_MAX;
}

/* Receives for WANT bytes of plaintext. 1: something came (*DRAINED: and the queue is empty now); 0: end; -EAGAIN; -errno. */
static int receive(struct egret_wire *wire, size_t want, bool *drained)
{
	drop_stale(wire);
	size_t room = fit_room(wire, want), size = room ? room : BATCH;
	uint8_t *to = egret_buf_room(&wire->in, size);
	if (!to)
		return egret_wire_break(wire, ENOMEM);
	long n;
	do
		n = egret_wire_recv(wire, to, size, room ? 0 : MSG_PEEK);
	while (n == -EINTR);
	if (n == -EAGAIN)
		wire->wants = POLLIN;
	else if (n < 0)
		egret_wire_break(wire, (int)-n);
	if (n <= 0)
		return (int)n;
	egret_buf_added(&wire->in, (size_t)n);
	if (!room)
		wire->stale = (size_t)n;
	*drained = (size_t)n < size;
	return 1;
}

/* Runs the engine over `in`. Produces at most SIZE bytes; PLAIN NULL: opens the next record that carries data. */
static size_t run_engine(struct egret_wire *wire, uint8_t *plain, size_t size)
{
	size_t consumed = 0, produced = 0;
	pthread_mutex_lock(&wire->out_lock);
	pthread_mutex_lock(&wire->tls_lock);
	enum egret_tls_step step = wire->engine->decrypt(wire->tls, egret_buf_head(&wire->in), egret_buf_len(&wire->in), &consumed, plain,
							 size, &produced, &wire->out, &wire->failure);
	pthread_mutex_unlock(&wire->tls_lock);
	if (egret_buf_len(&wire->out) > 0)
		egret_wire_send_out(wire); /* the answer to a KeyUpdate; what does not go now goes with the next write */
	pthread_mutex_unlock(&wire->out_lock);
	if (consumed > 0)
		egret_buf_consume(&wire->in, consumed);
	if (step == EGRET_STEP_FAILED)
		egret_wire_break(wire, egret_tls_errno(wire->failure.failure));
	if (step == EGRET_STEP_CLOSED) {
		wire->read_closed = true;
		egret_raw(SYS_shutdown, wire->fd, SHUT_RD, 0, 0); /* the kernel shows the end to whoever polls */
	}
	return produced;
}

static bool has_ciphertext(const struct egret_wire *wire)
{
	return wire->engine->pending(wire->tls) > 0 || whole_record(wire);
}

/* Fills PLAIN as far as it goes without waiting. Bytes, 0 at the end, -EAGAIN, -errno. */
static ssize_t read_into(struct egret_wire *wire, uint8_t *plain, size_t size, bool *drained)
{
	size_t done = 0;
	while (done < size && !wire->error && !wire->read_closed) {
		if (has_ciphertext(wire)) {
			done += run_engine(wire, plain + done, size - done);
			continue;
		}
		if (done > 0 && *drained)
			break;
		int got = receive(wire, size - done, drained);
		if (got == 0)
			at_eof(wire);
		if (got <= 0)
			break;
	}
	if (done > 0)
		return (ssize_t)done;
	if (wire->error)
		return -wire->error;
	return wire->read_closed ? 0 : -EAGAIN;
}

/* Opens the next record that carries data, swallowing those that do not. True: data, the end or an error is there. */
static bool open_next(struct egret_wire *wire)
{
	bool drained = false;
	while (!wire->error && !wire->read_closed) {
		if (wire->engine->pending(wire->tls) > 0)
			return true;
		if (whole_record(wire)) {
			run_engine(wire, NULL, 0);
			continue;
		}
		int got = receive(wire, 0, &drained);
		if (got == -EAGAIN)
			return false;
		if (got == 0)
			at_eof(wire);
	}
	return true;
}

static ssize_t peek(struct egret_wire *wire, const struct iovec *iov, int iovcnt)
{
	size_t total = 0;
	if (!open_next(wire))
		return -EAGAIN;
	pthread_mutex_lock(&wire->tls_lock);
	/* One record is what a peek shows: the iovecs are filled from its start. */
	uint8_t record[EGRET_RECORD_PLAIN];
	size_t have = wire->engine->peek(wire->tls, record, sizeof record);
	pthread_mutex_unlock(&wire->tls_lock);
	for (int i = 0; i < iovcnt && total < have; i++) {
		size_t count = iov[i].iov_len < have - total ? iov[i].iov_len : have - total;
		memcpy(iov[i].iov_base, record + total, count);
		total += count;
	}
	if (have > 0)
		return (ssize_t)total;
	return wire->error ? -wire->error : 0;
}

ssize_t egret_wire_read(struct egret_wire *wire, const struct iovec *iov, int iovcnt, int flags)
{
	ssize_t total = 0;
	bool drained = false;
	pthread_mutex_lock(&wire->in_lock);
	if (flags & MSG_PEEK) {
		total = peek(wire, iov, iovcnt);
		iovcnt = 0;
	}
	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len == 0)
			continue;
		ssize_t n = read_into(wire, iov[i].iov_base, iov[i].iov_len, &drained);
		if (n <= 0) {
			total = total ? total : n;
			break;
		}
		total += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	if (!deliverable(wire))
		drop_stale(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return total;
}

int egret_wire_readable(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	int result = open_next(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

size_t egret_wire_available(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	size_t count = open_next(wire) ? wire->engine->pending(wire->tls) : 0;
	pthread_mutex_unlock(&wire->in_lock);
	return count;
}
