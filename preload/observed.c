#include "observed.h"

#include "buf.h"
#include "lock.h"
#include "reach.h"
#include "policy/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIECES 16       /* of the program's memory in one send */
#define LOOKED_AT 65536 /* bytes that are taken from the wire at most while an answer waits its turn */

struct egret_observed {
	struct egret_http *http; /* owned; under `lock` */
	struct egret_wire *wire; /* borrowed */
	pthread_mutex_t write_lock, read_lock, lock;
	bool plain;        /* the kernel carries the bytes */
	bool cut_is_end;
	bool spoken;       /* the program has written something; under `lock` */
	bool over;         /* the server's end was seen; under read_lock */
	struct egret_buf rest; /* what came behind the turn of an answer; under read_lock */
	bool (*tell)(void *data, bool due); /* NULL: nobody waits without asking first */
	void *data;
	bool told, closing;   /* readiness is shown in the program's stead; for good; under `lock` */
	_Atomic bool due;     /* what the program reads is here, not on the wire */
	_Atomic bool answers; /* one waits for its turn */
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
	observed->tell = setup->tell;
	observed->data = setup->data;
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
	egret_buf_free(&observed->rest);
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

/* Under `lock`: is what the program reads next here? Then all who wait are told; where that cannot be, by the connection's end. */
static void look_if_due(struct egret_observed *observed)
{
	bool due = egret_http_due(observed->http) || egret_buf_len(&observed->rest);
	bool was = atomic_exchange(&observed->due, due), end = due && egret_http_ends(observed->http);
	atomic_store_explicit(&observed->answers, egret_http_answers(observed->http), memory_order_relaxed);
	if (observed->closing)
		return;
	if (observed->tell && (due ? !was && !end : observed->told)) {
		observed->told = observed->tell(observed->data, due) && due;
		end = due && !observed->told;
	}
	if (!end)
		return;
	egret_http_end_behind(observed->http);
	observed->closing = true;
	announce(observed);
	if (observed->told)
		observed->tell(observed->data, false);
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
	if (!observed->spoken && observed->wire->tls)
		egret_http_agreed(observed->http, observed->wire->engine->agreed(observed->wire->tls, "h2"));
	observed->spoken = true;
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

void egret_observed_ask_first(struct egret_observed *observed)
{
	if (!observed)
		return;
	observed->tell = NULL;
	egret_http_ask_first(observed->http);
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

bool egret_observed_was_at_rest(struct egret_observed *observed)
{
	if (!observed)
		return true;
	bool writing = egret_lock_was_free(&observed->write_lock), reading = egret_lock_was_free(&observed->read_lock);
	return egret_lock_was_free(&observed->lock) && writing && reading;
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

/* IOV without its first SKIP bytes: the next piece of it. */
static struct iovec piece_at(const struct iovec *iov, int count, size_t skip)
{
	int at = 0;
	while (at < count && skip >= iov[at].iov_len)
		skip -= iov[at++].iov_len;
	return at < count ? (struct iovec){ (char *)iov[at].iov_base + skip, iov[at].iov_len - skip } : (struct iovec){ NULL, 0 };
}

/* Copies LEFT bytes at FROM, as many as INTO has room for. Returns how many; none where INTO cannot be written. */
static size_t copy(struct iovec into, const void *from, size_t left)
{
	if (left > into.iov_len)
		left = into.iov_len;
	if (left == 0 || !egret_can_write(into.iov_base, left))
		return 0;
	memcpy(into.iov_base, from, left);
	return left;
}

/* From the answer that is due into INTO. Returns how many bytes. */
static size_t take_local(struct egret_observed *observed, struct iovec into, bool peek)
{
	size_t left;
	const char *local = egret_http_local(observed->http, &left);
	left = copy(into, local, left);
	if (left && !peek)
		egret_http_local_taken(observed->http, left);
	return left;
}

/* From what came behind an answer that was read meanwhile. */
static size_t take_rest(struct egret_observed *observed, struct iovec into, bool peek)
{
	size_t left = egret_buf_len(&observed->rest);
	ssize_t good;
	if (left)
		left = copy(into, egret_buf_head(&observed->rest), left);
	if (!left || peek)
		return left;
	good = egret_http_response(observed->http, into.iov_base, left);
	if (good < (ssize_t)left && !egret_http_due(observed->http)) {
		observed->error = ECONNRESET;
		announce(observed);
		egret_buf_free(&observed->rest);
		return good > 0 ? (size_t)good : 0;
	}
	egret_buf_consume(&observed->rest, (size_t)good);
	return (size_t)good;
}

/* Under `lock`: bytes that the program reads next, and that are here. */
static size_t left_here(const struct egret_observed *observed)
{
	size_t left = egret_buf_len(&observed->rest);
	if (egret_http_due(observed->http))
		egret_http_local(observed->http, &left);
	return left;
}

/* What is here, in its order, into IOV behind its first DONE bytes. Returns how many bytes IOV has then. -EFAULT: it has none, and what
 * is here has no place. */
static ssize_t read_here(struct egret_observed *observed, const struct iovec *iov, int count, size_t done, bool peek)
{
	struct iovec into;
	size_t n = 1;
	pthread_mutex_lock(&observed->lock);
	while (n && (into = piece_at(iov, count, done)).iov_len) {
		n = egret_http_due(observed->http) ? take_local(observed, into, peek) : take_rest(observed, into, peek);
		done += n;
		if (peek)
			break;
	}
	bool fault = done == 0 && left_here(observed) > 0;
	look_if_due(observed);
	pthread_mutex_unlock(&observed->lock);
	return fault ? -EFAULT : (ssize_t)done;
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

/* Keeps N bytes of IOV behind its first SKIP. False: memory is out. */
static bool keep_rest(struct egret_observed *observed, const struct iovec *iov, int count, size_t skip, size_t n)
{
	for (size_t here; n > 0; skip += here, n -= here) {
		struct iovec piece = piece_at(iov, count, skip);
		here = piece.iov_len < n ? piece.iov_len : n;
		if (!egret_buf_append(&observed->rest, piece.iov_base, here))
			return false;
	}
	return true;
}

/* Shows the observer N bytes that came into IOV. Returns how many are the program's now. Less than N: an answer comes first, or nothing of
 * the server follows. */
static size_t watch(struct egret_observed *observed, const struct iovec *iov, int count, size_t n)
{
	size_t passed = 0;
	pthread_mutex_lock(&observed->lock);
	while (passed < n) {
		struct iovec piece = piece_at(iov, count, passed);
		size_t here = piece.iov_len < n - passed ? piece.iov_len : n - passed;
		ssize_t good = egret_http_response(observed->http, piece.iov_base, here);
		passed += good > 0 ? (size_t)good : 0;
		if (good < (ssize_t)here)
			break;
	}
	bool good = passed == n || (egret_http_due(observed->http) && keep_rest(observed, iov, count, passed, n - passed));
	look_if_due(observed);
	pthread_mutex_unlock(&observed->lock);
	if (!good) {
		observed->error = ECONNRESET;
		announce(observed);
	}
	return passed;
}

/* The wire is asked for no more than can be kept when an answer comes in between. */
static ssize_t read_wire(struct egret_observed *observed, const struct iovec *iov, int count, int flags)
{
	struct iovec first = piece_at(iov, count, 0);
	if (!atomic_load_explicit(&observed->answers, memory_order_relaxed))
		return carry_in(observed, iov, count, flags & (MSG_PEEK | MSG_WAITALL));
	if (first.iov_len > LOOKED_AT)
		first.iov_len = LOOKED_AT;
	return carry_in(observed, &first, 1, flags & MSG_PEEK);
}

static ssize_t read_locked(struct egret_observed *observed, const struct iovec *iov, int count, int flags)
{
	for (;;) {
		ssize_t passed = observed->due ? read_here(observed, iov, count, 0, flags & MSG_PEEK) : 0;
		if (passed)
			return passed;
		if (observed->error)
			return -observed->error;
		if (observed->due)
			return 0; /* the end behind the last answer */
		ssize_t n = read_wire(observed, iov, count, flags);
		if (n == -EAGAIN || n == -EFAULT || n == -EIO || n == -ESTALE) /* ESTALE: a relay has it now, EIO: another process; both see how it ends */
			return n;
		if (n <= 0 && !observed->due)
			return read_end(observed, n);
		if (n <= 0)
			continue; /* it ended because a local answer is due */
		if (flags & MSG_PEEK)
			return n;
		passed = (ssize_t)watch(observed, iov, count, (size_t)n);
		/* Who reads less than there was room for waits for the next edge: what is here comes along. */
		if (observed->due)
			passed = read_here(observed, iov, count, (size_t)passed, false);
		if (passed)
			return passed;
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

bool egret_observed_due(const struct egret_observed *observed) { return atomic_load(&observed->due); }

int egret_observed_readable(struct egret_observed *observed)
{
	if (observed->due || observed->error || observed->plain)
		return 1;
	return egret_wire_readable(observed->wire);
}

size_t egret_observed_available(struct egret_observed *observed)
{
	int kernel = 0;
	if (observed->due) {
		pthread_mutex_lock(&observed->lock);
		size_t left = left_here(observed);
		pthread_mutex_unlock(&observed->lock);
		return left;
	}
	if (!observed->plain)
		return egret_wire_available(observed->wire);
	egret_raw(SYS_ioctl, observed->wire->fd, FIONREAD, &kernel, 0);
	return kernel > 0 ? (size_t)kernel : 0;
}
