/* Receiving: which bytes are taken from the kernel, which are only looked at, and when those are let go. */
#include "wire_internal.h"
#include "wire_sink.h"

#include "policy/raw.h"
#include "reach.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define HEADER 5               /* bytes of a record's header, RFC 8446 5.1 */
#define HOLD_BATCH 65536       /* bytes of ciphertext kept beside the kernel's copy at most */
#define KEEP_STALE 4096        /* bytes that may stay in the kernel's queue twice before they are dropped early */
#define PEEK_MOST (256 << 10)  /* bytes that MSG_PEEK shows at most */
#define PATIENCE 100            /* looks at a lock that is held for no longer than a call's copying */
#define SMALL_RECORD 4096      /* bytes of plaintext that cost less to copy than a record's buffer to keep */

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

/* Plaintext bytes that are known to be undelivered. */
static size_t undelivered(const struct egret_wire *wire, const struct egret_sink *sink)
{
	return (sink->keep ? sink->done : 0) + egret_wire_undelivered(wire);
}

/* The byte that is kept wakes nobody before another comes, or is a byte that wakes. The kernel looks at once whether that is a change,
 * and takes it for one where it has the end, tcp_set_rcvlowat. */
static void hide(struct egret_wire *wire, bool on)
{
	int least = on ? 2 : 1;
	if (wire->hidden == on)
		return;
	wire->stirs += !on || egret_wire_has_end(wire);
	egret_raw6(SYS_setsockopt, wire->fd, SOL_SOCKET, SO_RCVLOWAT, (long)&least, sizeof least, 0);
	wire->hidden = on;
}

/* Lets go of what the kernel holds twice: all of it, or all but one byte while the program has something to read. What is less than SO_RCVLOWAT
 * is not to be seen, and yet it must be once the program lowers that: its byte is hidden. */
static void settle(struct egret_wire *wire, const struct egret_sink *sink)
{
	size_t count = undelivered(wire, sink);
	bool any = wire->hold || count || holds_record(wire), enough = wire->hold || wire->least <= 1 || count >= wire->least;
	size_t keep = !any ? 0 : wire->stale && (!enough || wire->stale > KEEP_STALE) ? 1 : wire->stale;
	if (wire->stale > keep)
		egret_wire_discard(wire, wire->stale - keep);
	wire->stale = keep;
	if (!egret_wire_is_over(wire)) /* the end is seen whatever is hidden: to show it would be an edge of ours */
		hide(wire, keep && !enough);
}

/* How much of `in` may be decrypted into SINK at once: all; where the program's memory ends behind the first record that one; -1: nothing. */
static ssize_t may_decrypt(const struct egret_wire *wire, struct egret_sink *sink)
{
	size_t have = egret_buf_len(&wire->in), first = record_size(wire);
	if (egret_sink_can_take(sink, wire->pending + have))
		return (ssize_t)have;
	if (wire->pending)
		return egret_sink_can_take(sink, wire->pending) ? 0 : -1;
	return egret_sink_can_take(sink, first - HEADER) ? (ssize_t)(first < have ? first : have) : -1;
}

/* One call of the engine. False when more ciphertext is needed or the end was met. */
static bool decrypt(struct egret_wire *wire, struct egret_sink *sink)
{
	uint8_t *plain = NULL;
	size_t used = 0, produced = 0, room = egret_sink_room(sink, &plain), have = egret_buf_len(&wire->in);
	ssize_t may = room ? may_decrypt(wire, sink) : (ssize_t)have;
	if (may < 0 && wire->pending)
		return false;
	if (may < 0) {
		sink->fault = false; /* it may be one without data: opened, and left where it is */
		room = 0;
	} else {
		have = (size_t)may;
	}
	pthread_mutex_lock(&wire->tls_lock);
	enum egret_tls_step step = wire->engine->decrypt(wire->tls, have ? egret_buf_head(&wire->in) : NULL, have, &used, plain, room, &produced,
							 &wire->answers, &wire->failure);
	wire->pending = wire->engine->pending(wire->tls);
	bool answers = egret_buf_len(&wire->answers) > 0;
	pthread_mutex_unlock(&wire->tls_lock);
	if (have)
		egret_buf_consume(&wire->in, used);
	if (used > 0 && (produced > 0 || wire->pending > 0))
		wire->data_end = wire->copied - egret_buf_len(&wire->in);
	egret_renumber_down(&wire->down, plain, produced);
	egret_sink_advance(sink, produced);
	if (answers)
		egret_wire_flush(wire);
	switch (step) {
	case EGRET_STEP_DONE:
		return true;
	case EGRET_STEP_WANT_INPUT:
		return false;
	case EGRET_STEP_CLOSED:
		wire->read_closed = true;
		egret_wire_ended(wire);
		return false;
	case EGRET_STEP_FAILED:
		break;
	}
	egret_wire_broken(wire, egret_tls_errno(wire->failure.failure));
	return false;
}

/* Can a plain receive be used: whatever it decrypts to has a place in the program's memory? */
static bool fits(const struct egret_wire *wire, const struct egret_sink *sink)
{
	size_t size = record_size(wire);
	if (sink->keep || sink->left == 0 || wire->hold)
		return false;
	if (!egret_can_write_pieces(sink->iov + sink->at, sink->count - sink->at, sink->offset, sink->left))
		return false;
	return (size ? size : wire->last_record) <= sink->left + wire->record_overhead;
}

/* Receives what is behind the bytes that the kernel holds twice (KEEP_STALE at most). FLAGS 0: takes it and them; MSG_PEEK: leaves all. */
static ssize_t receive_behind(struct egret_wire *wire, uint8_t *room, size_t size, int flags)
{
	uint8_t again[KEEP_STALE];
	if (wire->stale == 0 && !flags)
		return egret_wire_recv(wire, room, size, 0);
	struct iovec iov[2] = { { again, wire->stale }, { room, size } };
	struct msghdr msg = { .msg_iov = wire->stale ? iov : iov + 1, .msg_iovlen = wire->stale ? 2 : 1 };
	long count;
	do
		count = egret_raw(SYS_recvmsg, wire->fd, &msg, flags | MSG_DONTWAIT, 0);
	while (count == -EINTR);
	if (count <= 0)
		return count;
	size_t again_count = (size_t)count < wire->stale ? (size_t)count : wire->stale;
	if (!flags)
		wire->stale -= again_count;
	return (size_t)count == again_count ? -EAGAIN : count - (long)again_count;
}

/* Looks at more ciphertext and leaves it in the kernel's queue, behind the byte that may be held there already. */
static ssize_t look(struct egret_wire *wire, const struct egret_sink *sink, size_t size, uint8_t *room)
{
	settle(wire, sink);
	ssize_t count = receive_behind(wire, room, size, MSG_PEEK);
	wire->stale += count > 0 ? (size_t)count : 0;
	return count;
}

/* Takes more ciphertext out of the kernel's queue, with what is there twice. */
static ssize_t take(struct egret_wire *wire, const struct egret_sink *sink, size_t size, uint8_t *room)
{
	if (wire->stale > KEEP_STALE)
		settle(wire, sink);
	return receive_behind(wire, room, size, 0);
}

/* Nothing comes now; of a server that speaks all the same nothing is believed. */
static bool before_tls(struct egret_wire *wire)
{
	int error = wire->parked ? egret_wire_hush(wire) : 0;
	if (error)
		egret_wire_broken(wire, -error);
	return false;
}

/* Gets more ciphertext into `in`. True: there is some (*DRAINED: the kernel had no more than this); false: none now, or the end. */
static bool fetch(struct egret_wire *wire, const struct egret_sink *sink, bool *drained)
{
	if (!wire->handshaken)
		return before_tls(wire);
	bool fit = fits(wire, sink);
	size_t have = egret_buf_len(&wire->in);
	size_t size = fit ? sink->left + wire->record_overhead - have : HOLD_BATCH - have;
	if (size > HOLD_BATCH - have)
		size = HOLD_BATCH - have;
	uint8_t *room = egret_buf_room(&wire->in, size);
	if (!room) {
		egret_wire_broken(wire, ENOMEM);
		return false;
	}
	ssize_t count = fit ? take(wire, sink, size, room) : look(wire, sink, size, room);
	if (count == -EAGAIN && wire->hidden && egret_wire_has_end(wire)) {
		egret_wire_discard(wire, wire->stale);
		wire->stale = 0;
		count = egret_wire_recv(wire, room, size, 0);
	}
	if (count > 0) {
		egret_buf_added(&wire->in, (size_t)count);
		wire->copied += (size_t)count;
		atomic_store_explicit(&wire->heard, true, memory_order_relaxed);
		wire->last_record = record_size(wire) ? record_size(wire) : wire->last_record;
		*drained = (size_t)count < size;
		return true;
	}
	if (count == 0 && wire->error_waits) {
		wire->read_closed = true;
	} else if (count == 0) {
		egret_wire_truncated(wire);
	} else if (count != -EAGAIN) { /* TCP gives an error once, then the end */
		egret_wire_told(wire, (int)-count);
	}
	return false;
}

/* Fills SINK as far as there is something; with an empty one it opens the next record with data. */
static void pull(struct egret_wire *wire, struct egret_sink *sink)
{
	bool drained = false, opening = !sink->iov;
	while (egret_wire_is_ours(wire) && !egret_wire_is_over(wire) && (opening ? wire->pending == 0 : sink->left > 0)) {
		bool progress = (wire->pending || holds_record(wire)) && decrypt(wire, sink);
		if (sink->fault)
			break;
		if (progress || egret_wire_is_over(wire) || holds_record(wire))
			continue;
		if ((drained && sink->done) || !fetch(wire, sink, &drained)) /* the end may stand behind records without data */
			break;
	}
	settle(wire, sink);
	if (egret_buf_len(&wire->in) == 0 && wire->in.size)
		egret_buf_free(&wire->in);
}

/* What reading gives when there was nothing to deliver. */
static ssize_t outcome(struct egret_wire *wire)
{
	int once = egret_wire_take_error(wire), error = once ? once : wire->error;
	if (error)
		return -error;
	if (wire->read_closed || wire->read_shut)
		return 0;
	wire->wants = POLLIN;
	return -EAGAIN;
}

static size_t take_peeked(struct egret_wire *wire, struct egret_sink *sink)
{
	uint8_t *data;
	size_t room;
	while (egret_buf_len(&wire->peeked) > 0 && (room = egret_sink_room(sink, &data)) > 0) {
		size_t count = egret_buf_len(&wire->peeked) < room ? egret_buf_len(&wire->peeked) : room;
		if (!egret_sink_can_take(sink, egret_buf_len(&wire->peeked)))
			break;
		memcpy(data, egret_buf_head(&wire->peeked), count);
		egret_buf_consume(&wire->peeked, count);
		egret_sink_advance(sink, count);
	}
	if (egret_buf_len(&wire->peeked) == 0 && wire->peeked.size)
		egret_buf_free(&wire->peeked);
	return sink->done;
}

/* Takes the plaintext of the opened record into `peeked`. False: there is none, or no memory. */
static bool take_opened(struct egret_wire *wire)
{
	uint8_t *room = wire->pending ? egret_buf_room(&wire->peeked, wire->pending) : NULL;
	if (!room)
		return false;
	struct iovec iov = { room, wire->pending };
	struct egret_sink sink = { .iov = &iov, .count = 1, .left = iov.iov_len, .keep = true };
	decrypt(wire, &sink);
	egret_buf_added(&wire->peeked, sink.done);
	return true;
}

void egret_wire_open(struct egret_wire *wire, size_t size)
{
	struct egret_sink opening = { .keep = true };
	while (egret_buf_len(&wire->peeked) < size) {
		if (!wire->pending)
			pull(wire, &opening);
		if (!take_opened(wire))
			break;
	}
	settle(wire, &opening);
}

static void show(struct egret_wire *wire, struct egret_sink *sink, int flags)
{
	uint8_t *data;
	size_t room, least = wire->least, most = sink->left < PEEK_MOST ? sink->left : PEEK_MOST;
	if (flags & MSG_WAITALL) /* as long as it is not all there, the kernel must not wake the caller with what is */
		wire->least = most;
	egret_wire_open(wire, most);
	wire->least = least;
	const uint8_t *from = egret_buf_len(&wire->peeked) ? egret_buf_head(&wire->peeked) : NULL;
	for (size_t left = egret_buf_len(&wire->peeked); left > 0 && (room = egret_sink_room(sink, &data)) > 0;) {
		size_t count = left < room ? left : room;
		if (!(flags & MSG_TRUNC) && !egret_sink_can_take(sink, left))
			break;
		if (!(flags & MSG_TRUNC))
			memcpy(data, from + sink->done, count);
		egret_sink_advance(sink, count);
		left -= count;
	}
}

/* tcp(7): MSG_TRUNC drops the bytes instead of passing them on. */
static void drop(struct egret_wire *wire, struct egret_sink *sink)
{
	struct egret_sink none = { .keep = true };
	while (sink->left > 0) {
		egret_wire_open(wire, 1);
		size_t have = egret_buf_len(&wire->peeked), count = have < sink->left ? have : sink->left;
		if (count == 0)
			break;
		egret_buf_consume(&wire->peeked, count);
		sink->left -= count;
		sink->done += count;
	}
	settle(wire, &none);
}

/* Opens the next record with data. A small one is copied at once: the engine's buffer is free for the next connection. */
static void open_next(struct egret_wire *wire)
{
	struct egret_sink opening = { .keep = true };
	pull(wire, &opening);
	if (wire->pending <= SMALL_RECORD)
		take_opened(wire);
}

/* Does the kernel say readable although all it has is the byte that is hidden? Where its buffer is full it tells of less than SO_RCVLOWAT,
 * tcp_epollin_ready: nothing more would come. */
static bool is_pressed(const struct egret_wire *wire)
{
	struct pollfd pfd = { .fd = wire->fd, .events = POLLIN };
	struct timespec now = { 0, 0 };
	int queued = 0;
	return wire->hidden && egret_raw(SYS_ioctl, wire->fd, FIONREAD, &queued, 0) == 0 && (size_t)queued == wire->stale &&
	       egret_raw6(SYS_ppoll, (long)&pfd, 1, (long)&now, 0, 8, 0) > 0;
}

static short readable(struct egret_wire *wire)
{
	struct egret_sink none = { .keep = true };
	if (wire->least > 1)
		egret_wire_open(wire, wire->least);
	else if (egret_wire_undelivered(wire) == 0)
		open_next(wire);
	else
		settle(wire, &none); /* who waited for more by MSG_PEEK has given up */
	bool over = egret_wire_is_over(wire) || wire->read_shut;
	if (!over && egret_wire_undelivered(wire) < wire->least && !is_pressed(wire))
		return 0;
	return (short)(POLLIN | POLLRDNORM | (over ? POLLRDHUP : 0) | (wire->error_once ? POLLERR : 0));
}

ssize_t egret_wire_read(struct egret_wire *wire, const struct iovec *iov, int iovcnt, int flags)
{
	struct egret_sink sink = { .iov = iov, .count = iovcnt };
	for (int i = 0; i < iovcnt; i++)
		sink.left += iov[i].iov_len;
	bool nothing = sink.left == 0;
	pthread_mutex_lock(&wire->in_lock);
	if (wire->least > 1)
		egret_wire_take_notice(wire);
	if (nothing) {
		readable(wire);
		nothing = egret_wire_undelivered(wire) > 0;
	} else if (flags & MSG_PEEK) {
		show(wire, &sink, flags);
	} else if (flags & MSG_TRUNC) {
		drop(wire, &sink);
	} else {
		take_peeked(wire, &sink);
		if (!sink.fault)
			pull(wire, &sink);
	}
	if (wire->least > 1 && !(flags & MSG_WAITALL))
		egret_wire_open(wire, wire->least);
	ssize_t result = sink.done || nothing ? (ssize_t)sink.done : sink.fault ? -EFAULT : egret_wire_is_ours(wire) ? outcome(wire) : -EIO;
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

bool egret_wire_say(struct egret_wire *wire, const void *data, size_t len)
{
	pthread_mutex_lock(&wire->in_lock);
	bool good = egret_buf_append(&wire->peeked, data, len);
	wire->news++;
	pthread_mutex_unlock(&wire->in_lock);
	return good;
}

void egret_wire_unhold(struct egret_wire *wire)
{
	struct egret_sink none = { 0 };
	pthread_mutex_lock(&wire->in_lock);
	wire->hold = false;
	settle(wire, &none);
	pthread_mutex_unlock(&wire->in_lock);
}

short egret_wire_readable(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	short result = readable(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return result;
}

/* Is LOCK free within moments? Taken then. */
static bool take_soon(pthread_mutex_t *lock)
{
	for (int i = 0; i < PATIENCE; i++, sched_yield())
		if (pthread_mutex_trylock(lock) == 0)
			return true;
	return false;
}

/* Those that reading takes in between are free for more than a moment, or nobody waits for them. */
static bool is_free(pthread_mutex_t *lock)
{
	bool taken = take_soon(lock);
	if (taken)
		pthread_mutex_unlock(lock);
	return taken;
}

void egret_wire_look_ahead(struct egret_wire *wire)
{
	if (!take_soon(&wire->in_lock))
		return;
	if (is_free(&wire->out_lock) && is_free(&wire->tls_lock))
		readable(wire);
	pthread_mutex_unlock(&wire->in_lock);
}

size_t egret_wire_available(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	egret_wire_open(wire, EGRET_AVAILABLE_MOST);
	size_t count = egret_wire_undelivered(wire);
	pthread_mutex_unlock(&wire->in_lock);
	return count;
}
