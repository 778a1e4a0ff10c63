#include "observed.h"

#include "policy/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIECES 16 /* of the program's memory in one send */

struct egret_observed {
	struct egret_http *http; /* owned; under `lock` */
	struct egret_wire *wire; /* borrowed */
	pthread_mutex_t write_lock, read_lock, lock;
	bool plain;        /* the kernel carries the bytes */
	bool cut_is_end;
	bool over;         /* the server's end was seen; under read_lock */
	_Atomic bool due;  /* the program reads what is answered here; for good */
	_Atomic int error; /* errno of every later read; 0: none */
};

struct egret_observed *egret_observed_new(const struct egret_http_setup *setup, struct egret_wire *wire, bool cut_is_end)
{
	struct egret_observed *observed = calloc(1, sizeof *observed);
	struct egret_http *http = observed ? egret_http_new(setup) : NULL;
	if (!http) {
		free(observed);
		return NULL;
	}
	observed->http = http;
	observed->wire = wire;
	observed->plain = !wire->tls; /* said once: a wire that was moved to a relay has none either, and must not become plain */
	observed->cut_is_end = cut_is_end;
	pthread_mutex_init(&observed->write_lock, NULL);
	pthread_mutex_init(&observed->read_lock, NULL);
	pthread_mutex_init(&observed->lock, NULL);
	return observed;
}

void egret_observed_free(struct egret_observed *observed)
{
	if (!observed)
		return;
	egret_http_free(observed->http);
	pthread_mutex_destroy(&observed->write_lock);
	pthread_mutex_destroy(&observed->read_lock);
	pthread_mutex_destroy(&observed->lock);
	free(observed);
}

void egret_observed_abandon(struct egret_observed *observed)
{
	if (pthread_mutex_trylock(&observed->lock) != 0)
		return; /* a thread that still uses it: its line is lost with the process */
	egret_http_abandon(observed->http);
	pthread_mutex_unlock(&observed->lock);
}

/* ---- what carries the bytes ---- */

static ssize_t transfer(struct egret_wire *wire, long call, const struct iovec *iov, int count, int flags, short wants)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
	long n;
	do
		n = egret_raw(call, wire->fd, &message, flags | MSG_DONTWAIT, 0);
	while (n == -EINTR);
	if (n == -EAGAIN)
		wire->wants = wants;
	return n;
}

static ssize_t carry_out(struct egret_observed *observed, const struct iovec *iov, int count)
{
	if (observed->plain)
		return transfer(observed->wire, SYS_sendmsg, iov, count, MSG_NOSIGNAL, POLLOUT);
	return egret_wire_write(observed->wire, iov, count);
}

static ssize_t carry_in(struct egret_observed *observed, const struct iovec *iov, int count, int flags)
{
	if (observed->plain)
		return transfer(observed->wire, SYS_recvmsg, iov, count, flags, POLLIN);
	return egret_wire_read(observed->wire, iov, count, flags);
}

/* From now on every poller is told "readable", for good. */
static void announce(struct egret_observed *observed)
{
	egret_raw(SYS_shutdown, observed->wire->fd, SHUT_RD, 0, 0);
}

/* Under `lock`: has the turn of a local answer come? */
static void look_if_due(struct egret_observed *observed)
{
	if (egret_http_due(observed->http) && !atomic_exchange(&observed->due, true))
		announce(observed);
}

/* ---- the program writes ---- */

struct outgoing {
	const struct iovec *iov;
	int count, at;
	size_t offset; /* within iov[at] */
};

static bool next_piece(const struct outgoing *from, int ahead, struct iovec *piece)
{
	int at = from->at + ahead;
	size_t offset = ahead ? 0 : from->offset;
	if (at >= from->count)
		return false;
	*piece = (struct iovec){ (char *)from->iov[at].iov_base + offset, from->iov[at].iov_len - offset };
	return true;
}

static void skip(struct outgoing *from, size_t count)
{
	from->offset += count;
	while (from->at < from->count && from->offset >= from->iov[from->at].iov_len) {
		from->offset -= from->iov[from->at].iov_len;
		from->at++;
	}
}

/* What goes out in one send: judged bytes of earlier writes, then pieces of the program's memory. */
struct batch {
	struct iovec iov[PIECES + 1];
	int count, own; /* own: 1 when iov[0] is the observer's */
};

/* Judges the program's next bytes. PASS: they are in BATCH; HELD: *USED bytes are done with. */
static enum egret_http_fate judge(struct egret_observed *observed, const struct outgoing *from, struct batch *batch, size_t *used)
{
	struct iovec piece;
	size_t before, part;
	next_piece(from, 0, &piece);
	pthread_mutex_lock(&observed->lock);
	enum egret_http_fate fate = egret_http_request(observed->http, piece.iov_base, piece.iov_len, used);
	look_if_due(observed);
	if (fate == EGRET_HTTP_PASS) {
		const void *held = egret_http_before(observed->http, &before);
		batch->own = held != NULL;
		batch->iov[0] = (struct iovec){ (void *)(uintptr_t)held, before };
		batch->count = batch->own;
		batch->iov[batch->count++] = (struct iovec){ piece.iov_base, *used };
		bool whole = *used == piece.iov_len;
		for (int i = 1; whole && batch->count < PIECES && next_piece(from, i, &piece); i++) {
			part = piece.iov_len ? egret_http_more(observed->http, piece.iov_base, piece.iov_len) : 0;
			whole = part == piece.iov_len;
			if (part)
				batch->iov[batch->count++] = (struct iovec){ piece.iov_base, part };
		}
	}
	pthread_mutex_unlock(&observed->lock);
	return fate;
}

/* TAKEN bytes of BATCH are on their way. Returns how many of the program's those are. */
static size_t commit(struct egret_observed *observed, const struct batch *batch, size_t taken)
{
	size_t accepted = 0, before = batch->own ? batch->iov[0].iov_len : 0;
	pthread_mutex_lock(&observed->lock);
	for (int i = batch->own; i < batch->count; i++, before = 0) {
		size_t whole = before + batch->iov[i].iov_len, here = taken < whole ? taken : whole;
		accepted += egret_http_sent(observed->http, batch->iov[i].iov_base, here);
		taken -= here;
		if (here < whole)
			break;
	}
	pthread_mutex_unlock(&observed->lock);
	return accepted;
}

/* Moves FROM on by what could be done at once: 1 all of it, 0 less; or a negative errno, when some or none of it was. */
static int write_some(struct egret_observed *observed, struct outgoing *from, size_t *done)
{
	struct batch batch;
	size_t used, wanted = 0, accepted;
	switch (judge(observed, from, &batch, &used)) {
	case EGRET_HTTP_BREAK:
		return -EPIPE;
	case EGRET_HTTP_HELD:
		skip(from, used);
		*done += used;
		return 1;
	case EGRET_HTTP_PASS:
		break;
	}
	for (int i = 0; i < batch.count; i++)
		wanted += batch.iov[i].iov_len;
	ssize_t taken = carry_out(observed, batch.iov, batch.count);
	accepted = commit(observed, &batch, taken > 0 ? (size_t)taken : 0);
	skip(from, accepted);
	*done += accepted;
	if (taken < 0)
		return (int)taken;
	observed->wire->wants = POLLOUT;
	return (size_t)taken == wanted ? 1 : -EAGAIN;
}

ssize_t egret_observed_write(struct egret_observed *observed, const struct iovec *iov, int count)
{
	struct outgoing from = { .iov = iov, .count = count };
	size_t done = 0;
	int result = 1;
	skip(&from, 0);
	pthread_mutex_lock(&observed->write_lock);
	while (from.at < from.count && result == 1)
		result = write_some(observed, &from, &done);
	pthread_mutex_unlock(&observed->write_lock);
	return done || result == 1 ? (ssize_t)done : result;
}

void egret_observed_hold(struct egret_observed *observed)
{
	if (!observed)
		return;
	pthread_mutex_lock(&observed->write_lock);
	pthread_mutex_lock(&observed->read_lock);
	pthread_mutex_lock(&observed->lock);
}

void egret_observed_release(struct egret_observed *observed)
{
	if (!observed)
		return;
	pthread_mutex_unlock(&observed->lock);
	pthread_mutex_unlock(&observed->read_lock);
	pthread_mutex_unlock(&observed->write_lock);
}

void egret_observed_finish_writing(struct egret_observed *observed)
{
	pthread_mutex_lock(&observed->write_lock);
	pthread_mutex_lock(&observed->lock);
	egret_http_finish_requests(observed->http);
	pthread_mutex_unlock(&observed->lock);
	pthread_mutex_unlock(&observed->write_lock);
}

/* ---- the program reads ---- */

static ssize_t read_local(struct egret_observed *observed, const struct iovec *iov, int count, bool peek)
{
	size_t done = 0, left;
	pthread_mutex_lock(&observed->lock);
	const char *local = egret_http_local(observed->http, &left);
	for (int i = 0; i < count && left > 0; i++) {
		size_t here = iov[i].iov_len < left ? iov[i].iov_len : left;
		memcpy(iov[i].iov_base, local + done, here);
		done += here;
		left -= here;
	}
	if (done && !peek)
		egret_http_local_taken(observed->http, done);
	pthread_mutex_unlock(&observed->lock);
	return (ssize_t)done;
}

/* The server's side has ended: N as the wire gave it. */
static ssize_t read_end(struct egret_observed *observed, ssize_t n)
{
	const struct egret_wire *wire = observed->wire;
	enum egret_http_end end = n < 0 ? EGRET_HTTP_BROKEN : wire->kernel_eof && !observed->cut_is_end ? EGRET_HTTP_CUT : EGRET_HTTP_CLOSED;
	if (observed->over)
		return n;
	observed->over = true;
	pthread_mutex_lock(&observed->lock);
	bool whole = egret_http_end(observed->http, end);
	pthread_mutex_unlock(&observed->lock);
	if (whole || end != EGRET_HTTP_CUT)
		return n;
	observed->error = ECONNRESET;
	return -ECONNRESET;
}

/* Shows the observer N bytes that came into IOV. Returns how many are the program's; less than N: nothing of the server follows. */
static size_t watch(struct egret_observed *observed, const struct iovec *iov, size_t n)
{
	size_t passed = 0;
	pthread_mutex_lock(&observed->lock);
	for (; n > 0; iov++) {
		size_t here = iov->iov_len < n ? iov->iov_len : n;
		ssize_t good = here ? egret_http_response(observed->http, iov->iov_base, here) : 0;
		passed += good > 0 ? (size_t)good : 0;
		n -= here;
		if (good < (ssize_t)here)
			break;
	}
	look_if_due(observed);
	pthread_mutex_unlock(&observed->lock);
	return passed;
}

static ssize_t read_locked(struct egret_observed *observed, const struct iovec *iov, int count, int flags)
{
	for (;;) {
		if (observed->due)
			return read_local(observed, iov, count, flags & MSG_PEEK);
		if (observed->error)
			return -observed->error;
		ssize_t n = carry_in(observed, iov, count, flags & MSG_PEEK);
		if (n == -EAGAIN || n == -ESTALE) /* ESTALE: a relay has it now, and sees how it ends */
			return n;
		if (n <= 0 && !observed->due)
			return read_end(observed, n);
		if (n <= 0)
			continue; /* it ended because a local answer is due */
		if (flags & MSG_PEEK)
			return n;
		size_t passed = watch(observed, iov, (size_t)n);
		if (passed < (size_t)n && !observed->due) {
			observed->error = ECONNRESET;
			announce(observed);
		}
		if (passed)
			return (ssize_t)passed;
	}
}

ssize_t egret_observed_read(struct egret_observed *observed, const struct iovec *iov, int count, int flags)
{
	size_t room = 0;
	for (int i = 0; i < count; i++)
		room += iov[i].iov_len;
	if (room == 0)
		return 0;
	pthread_mutex_lock(&observed->read_lock);
	ssize_t result = read_locked(observed, iov, count, flags);
	pthread_mutex_unlock(&observed->read_lock);
	return result;
}

int egret_observed_readable(struct egret_observed *observed)
{
	if (observed->due || observed->error || observed->plain)
		return 1;
	return egret_wire_readable(observed->wire);
}

size_t egret_observed_available(struct egret_observed *observed)
{
	size_t left = 0;
	int kernel = 0;
	if (!observed->due) {
		if (!observed->plain)
			return egret_wire_available(observed->wire);
		egret_raw(SYS_ioctl, observed->wire->fd, FIONREAD, &kernel, 0);
		return kernel > 0 ? (size_t)kernel : 0;
	}
	pthread_mutex_lock(&observed->lock);
	egret_http_local(observed->http, &left);
	pthread_mutex_unlock(&observed->lock);
	return left;
}
