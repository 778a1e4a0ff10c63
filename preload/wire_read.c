/* Receiving: which bytes are taken from the kernel, which are only looked at, and when those are let go. */
#include "wire_internal.h"

#include "policy/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define HEADER 5               /* bytes of a record's header, RFC 8446 5.1 */
#define HOLD_BATCH 65536       /* bytes of ciphertext kept beside the kernel's copy at most */
#define KEEP_STALE 4096        /* bytes that may stay in the kernel's queue twice before they are dropped early */
#define AVAILABLE_MOST 65536   /* FIONREAD counts so far */
#define PEEK_MOST (256 << 10)  /* bytes that MSG_PEEK shows at most */

/* Where the plaintext goes. */
struct sink {
	const struct iovec *iov;
	int count, at;
	size_t offset; /* within iov[at] */
	size_t left;   /* bytes that all of it still takes */
	size_t done;
	bool keep;     /* it goes to `peeked`: undelivered still */
};

static void sink_advance(struct sink *sink, size_t count)
{
	sink->left -= count;
	sink->done += count;
	sink->offset += count;
}

/* The piece of memory that comes next; its size, 0 when all are full. */
static size_t sink_room(struct sink *sink, uint8_t **data)
{
	while (sink->at < sink->count && sink->offset == sink->iov[sink->at].iov_len) {
		sink->at++;
		sink->offset = 0;
	}
	if (sink->at == sink->count)
		return 0;
	*data = (uint8_t *)sink->iov[sink->at].iov_base + sink->offset;
	size_t room = sink->iov[sink->at].iov_len - sink->offset;
	return room < sink->left ? room : sink->left;
}

/* Bytes of the first record in `in`, 0 while its header is not complete. */
static size_t record_size(const struct egret_wire *wire)
{
	const uint8_t *head = egret_buf_head(&wire->in);
	return egret_buf_len(&wire->in) < HEADER ? 0 : HEADER + ((size_t)head[3] << 8 | head[4]);
}

static bool holds_record(const struct egret_wire *wire)
{
	size_t size = record_size(wire);
	return size && (size <= egret_buf_len(&wire->in) || size > EGRET_RECORD_WIRE_MAX); /* the engine refuses what is too long */
}

/* Lets go of what the kernel holds twice: all of it, or all but one byte while something is undelivered. */
static void settle(struct egret_wire *wire, const struct sink *sink)
{
	bool undelivered = wire->hold || (sink->keep && sink->done) || egret_buf_len(&wire->peeked) || wire->pending || holds_record(wire);
	size_t keep = undelivered ? wire->stale > KEEP_STALE ? 1 : wire->stale : 0;
	if (wire->stale > keep)
		egret_wire_discard(wire, wire->stale - keep);
	wire->stale = keep;
}

/* From now on poll must say "readable", for good, whatever the peer does with its half of TCP. */
static void ended(struct egret_wire *wire)
{
	egret_buf_free(&wire->in);
	if (wire->stale)
		egret_wire_discard(wire, wire->stale);
	wire->stale = 0;
	egret_raw(SYS_shutdown, wire->fd, SHUT_RD, 0, 0);
}

static void broken(struct egret_wire *wire, int error)
{
	wire->error = error;
	wire->write_closed = true;
	ended(wire);
}

static void truncated(struct egret_wire *wire)
{
	wire->kernel_eof = true;
	if (wire->eof_is_close && egret_buf_len(&wire->in) == 0) {
		wire->read_closed = true;
		return;
	}
	wire->failure.failure = EGRET_TLS_CONNECTION;
	snprintf(wire->failure.text, sizeof wire->failure.text,
		 egret_buf_len(&wire->in) ? "the server closed the connection in the middle of a TLS record: the data may be truncated" :
		 "the server closed the connection without close_notify: the data may be truncated; if it never sends one, set tls_truncation = eof");
	wire->error = ECONNRESET;
}

/* One call of the engine. False when more ciphertext is needed or the end was met. */
static bool decrypt(struct egret_wire *wire, struct sink *sink)
{
	uint8_t *plain = NULL;
	size_t used = 0, produced = 0, room = sink_room(sink, &plain), have = egret_buf_len(&wire->in);
	pthread_mutex_lock(&wire->tls_lock);
	enum egret_tls_step step = wire->engine->decrypt(wire->tls, have ? egret_buf_head(&wire->in) : NULL, have, &used, plain, room, &produced,
							 &wire->answers, &wire->failure);
	wire->pending = wire->engine->pending(wire->tls);
	bool answers = egret_buf_len(&wire->answers) > 0;
	pthread_mutex_unlock(&wire->tls_lock);
	if (have)
		egret_buf_consume(&wire->in, used);
	sink_advance(sink, produced);
	if (answers)
		egret_wire_flush(wire);
	switch (step) {
	case EGRET_STEP_DONE:
		return true;
	case EGRET_STEP_WANT_INPUT:
		return false;
	case EGRET_STEP_CLOSED:
		wire->read_closed = true;
		ended(wire);
		return false;
	case EGRET_STEP_FAILED:
		break;
	}
	broken(wire, egret_tls_errno(wire->failure.failure));
	return false;
}

/* Can a plain receive be used: whatever it decrypts to has a place in the program's memory? */
static bool fits(const struct egret_wire *wire, const struct sink *sink)
{
	size_t size = record_size(wire);
	if (sink->keep || sink->left == 0 || wire->hold) /* a held byte would be read as new */
		return false;
	return (size ? size : wire->last_record) <= sink->left + wire->record_overhead;
}

/* Looks at more ciphertext and leaves it in the kernel's queue, behind the byte that may be held there already. */
static ssize_t look(struct egret_wire *wire, const struct sink *sink, size_t size, uint8_t *room)
{
	uint8_t again[KEEP_STALE];
	settle(wire, sink);
	struct iovec iov[2] = { { again, wire->stale }, { room, size } };
	struct msghdr msg = { .msg_iov = wire->stale ? iov : iov + 1, .msg_iovlen = wire->stale ? 2 : 1 };
	long count;
	do
		count = egret_raw(SYS_recvmsg, wire->fd, &msg, MSG_PEEK | MSG_DONTWAIT, 0);
	while (count == -EINTR);
	if (count <= 0)
		return count;
	if ((size_t)count <= wire->stale)
		return -EAGAIN;
	count -= (long)wire->stale;
	wire->stale += (size_t)count;
	return count;
}

/* Gets more ciphertext into `in`. True: there is some (*DRAINED: the kernel had no more than this); false: none now, or the end. */
static bool fetch(struct egret_wire *wire, const struct sink *sink, bool *drained)
{
	bool fit = fits(wire, sink);
	size_t have = egret_buf_len(&wire->in);
	size_t size = fit ? sink->left + wire->record_overhead - have : HOLD_BATCH - have;
	if (size > HOLD_BATCH - have)
		size = HOLD_BATCH - have;
	if (fit)
		settle(wire, sink);
	uint8_t *room = egret_buf_room(&wire->in, size);
	if (!room) {
		broken(wire, ENOMEM);
		return false;
	}
	ssize_t count = fit ? egret_wire_recv(wire, room, size, 0) : look(wire, sink, size, room);
	if (count > 0) {
		egret_buf_added(&wire->in, (size_t)count);
		wire->last_record = record_size(wire) ? record_size(wire) : wire->last_record;
		*drained = (size_t)count < size;
		return true;
	}
	if (count == 0) {
		truncated(wire);
	} else if (count != -EAGAIN) { /* TCP gives an error once, then the end */
		wire->error = (int)-count;
		wire->read_closed = true;
		wire->write_closed = true;
	}
	return false;
}

static bool is_over(const struct egret_wire *wire) { return wire->error || wire->read_closed; }

/* Fills SINK as far as there is something; with an empty one it opens the next record with data. */
static void pull(struct egret_wire *wire, struct sink *sink)
{
	bool drained = false, opening = !sink->iov;
	while (!is_over(wire) && (opening ? wire->pending == 0 : sink->left > 0)) {
		bool progress = (wire->pending || holds_record(wire)) && decrypt(wire, sink);
		if (progress || is_over(wire) || holds_record(wire))
			continue;
		if (drained || !fetch(wire, sink, &drained))
			break;
	}
	settle(wire, sink);
	if (egret_buf_len(&wire->in) == 0 && wire->in.size && !wire->pending)
		egret_buf_free(&wire->in);
}

/* What reading gives when there was nothing to deliver. */
static ssize_t outcome(struct egret_wire *wire)
{
	int error = wire->error;
	if (error) {
		if (wire->read_closed) /* the kernel's error: told once, then the end as TCP gives it */
			wire->error = 0;
		return -error;
	}
	if (wire->read_closed)
		return 0;
	wire->wants = POLLIN;
	return -EAGAIN;
}

static size_t take_peeked(struct egret_wire *wire, struct sink *sink)
{
	uint8_t *data;
	size_t room;
	while (egret_buf_len(&wire->peeked) > 0 && (room = sink_room(sink, &data)) > 0) {
		size_t count = egret_buf_len(&wire->peeked) < room ? egret_buf_len(&wire->peeked) : room;
		memcpy(data, egret_buf_head(&wire->peeked), count);
		egret_buf_consume(&wire->peeked, count);
		sink_advance(sink, count);
	}
	if (egret_buf_len(&wire->peeked) == 0 && wire->peeked.size)
		egret_buf_free(&wire->peeked);
	return sink->done;
}

/* Brings up to SIZE bytes of plaintext into `peeked`. */
static void fill_peeked(struct egret_wire *wire, size_t size)
{
	size_t have = egret_buf_len(&wire->peeked);
	if (size <= have)
		return;
	struct sink opening = { .keep = true };
	if (!wire->pending)
		pull(wire, &opening);
	if (!wire->pending)
		return;
	uint8_t *room = egret_buf_room(&wire->peeked, size - have);
	if (!room)
		return;
	struct iovec iov = { room, size - have };
	struct sink sink = { .iov = &iov, .count = 1, .left = iov.iov_len, .keep = true };
	pull(wire, &sink);
	egret_buf_added(&wire->peeked, sink.done);
	settle(wire, &opening);
}

static ssize_t show(struct egret_wire *wire, struct sink *sink)
{
	uint8_t *data;
	size_t room;
	fill_peeked(wire, sink->left < PEEK_MOST ? sink->left : PEEK_MOST);
	const uint8_t *from = egret_buf_len(&wire->peeked) ? egret_buf_head(&wire->peeked) : NULL;
	for (size_t left = egret_buf_len(&wire->peeked); left > 0 && (room = sink_room(sink, &data)) > 0;) {
		size_t count = left < room ? left : room;
		memcpy(data, from + sink->done, count);
		sink_advance(sink, count);
		left -= count;
	}
	return (ssize_t)sink->done;
}

ssize_t egret_wire_read(struct egret_wire *wire, const struct iovec *iov, int iovcnt, int flags)
{
	struct sink sink = { .iov = iov, .count = iovcnt };
	for (int i = 0; i < iovcnt; i++)
		sink.left += iov[i].iov_len;
	if (sink.left == 0)
		return 0;
	pthread_mutex_lock(&wire->in_lock);
	if (flags & MSG_PEEK) {
		show(wire, &sink);
	} else {
		take_peeked(wire, &sink);
		pull(wire, &sink);
	}
	ssize_t result = sink.done ? (ssize_t)sink.done : outcome(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

bool egret_wire_say(struct egret_wire *wire, const void *data, size_t len)
{
	pthread_mutex_lock(&wire->in_lock);
	bool good = egret_buf_append(&wire->peeked, data, len);
	pthread_mutex_unlock(&wire->in_lock);
	return good;
}

void egret_wire_unhold(struct egret_wire *wire)
{
	struct sink none = { 0 };
	pthread_mutex_lock(&wire->in_lock);
	wire->hold = false;
	settle(wire, &none);
	pthread_mutex_unlock(&wire->in_lock);
}

int egret_wire_readable(struct egret_wire *wire)
{
	struct sink none = { .keep = true };
	pthread_mutex_lock(&wire->in_lock);
	if (egret_buf_len(&wire->peeked) == 0 && wire->pending == 0)
		pull(wire, &none);
	int result = egret_buf_len(&wire->peeked) || wire->pending || is_over(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

size_t egret_wire_available(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	fill_peeked(wire, AVAILABLE_MOST);
	size_t count = egret_buf_len(&wire->peeked) + wire->pending;
	pthread_mutex_unlock(&wire->in_lock);
	return count;
}
