/* Sending: how much is encrypted, so that no ciphertext is left behind which the program believes sent. */
#include "wire_internal.h"

#include "policy/raw.h"
#include "reach.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>

#define GATHER_MOST (256 * 1024) /* bytes of plaintext in one send */
#define RECORD_MORE 96           /* bytes that a record is longer than its plaintext at most, for the suites in use */

/* The program's bytes that are not encrypted yet. */
struct source {
	const struct iovec *iov;
	int count, at;
	size_t offset, left;
	struct egret_buf scratch; /* where a record is put together from several pieces */
	bool copies;      /* every piece is, so that it can be changed */
};

/* Bytes of ciphertext that COUNT bytes become at most. */
static size_t on_wire(size_t count)
{
	return count + (count + EGRET_RECORD_PLAIN - 1) / EGRET_RECORD_PLAIN * RECORD_MORE;
}

/* What the send buffer surely takes: half of what is free of it, since the kernel also counts its own overhead (sock_diag(7)). */
static void look_up_credit(struct egret_wire *wire)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	uint32_t size = sizeof info;
	wire->credit = 0;
	if (egret_raw6(SYS_getsockopt, wire->fd, SOL_SOCKET, SO_MEMINFO, (long)info, (long)&size, 0) != 0)
		return;
	if (info[SK_MEMINFO_SNDBUF] > info[SK_MEMINFO_WMEM_QUEUED])
		wire->credit = (info[SK_MEMINFO_SNDBUF] - info[SK_MEMINFO_WMEM_QUEUED]) / 2;
}

/* Does the kernel say writable? If not, asking makes it tell edge-triggered waiters later. */
static bool is_writable(const struct egret_wire *wire)
{
	struct pollfd pfd = { .fd = wire->fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };
	return egret_raw6(SYS_ppoll, (long)&pfd, 1, (long)&now, 0, 8, 0) > 0;
}

/* How much of WANTED bytes may be encrypted now; 0: none. */
static size_t allowance(struct egret_wire *wire, size_t wanted)
{
	if (wire->full && !is_writable(wire))
		return 0;
	wire->full = false;
	if (wire->resized && atomic_exchange(&wire->resized, false))
		wire->credit = 0;
	if (on_wire(wanted) <= wire->credit && !wire->careful)
		return wanted;
	look_up_credit(wire);
	if (on_wire(wanted) <= wire->credit && !wire->careful)
		return wanted;
	if (!is_writable(wire))
		return 0;
	size_t surely = wire->credit > EGRET_WIRE_LEAST ? wire->credit : EGRET_WIRE_LEAST;
	if (on_wire(wanted) <= surely)
		return wanted;
	/* Whole records while there is room for some, else one smaller record. */
	size_t records = surely / (EGRET_RECORD_PLAIN + RECORD_MORE);
	return records ? records * EGRET_RECORD_PLAIN : surely - RECORD_MORE;
}

static void source_advance(struct source *source, size_t count)
{
	source->left -= count;
	while (count > 0) {
		size_t here = source->iov[source->at].iov_len - source->offset;
		size_t step = count < here ? count : here;
		source->offset += step;
		count -= step;
		if (source->offset == source->iov[source->at].iov_len) {
			source->at++;
			source->offset = 0;
		}
	}
	while (source->at < source->count && source->iov[source->at].iov_len == 0)
		source->at++;
}

/* The next up to MOST bytes in one piece: where they are when that makes whole records, else put together. NULL: memory is out. */
static const uint8_t *next_piece(struct source *source, size_t most, size_t *count)
{
	const struct iovec *iov = source->iov + source->at;
	size_t here = iov->iov_len - source->offset;
	if (!source->copies && (here >= most || here >= EGRET_RECORD_PLAIN)) {
		*count = here >= most ? most : here - here % EGRET_RECORD_PLAIN;
		return (const uint8_t *)iov->iov_base + source->offset;
	}
	uint8_t *scratch = egret_buf_room(&source->scratch, EGRET_RECORD_PLAIN);
	if (!scratch)
		return NULL;
	size_t offset = source->offset;
	*count = 0;
	if (most > EGRET_RECORD_PLAIN)
		most = EGRET_RECORD_PLAIN;
	for (int i = source->at; *count < most; i++, offset = 0) {
		size_t step = source->iov[i].iov_len - offset;
		step = step < most - *count ? step : most - *count;
		if (step)
			memcpy(scratch + *count, (const uint8_t *)source->iov[i].iov_base + offset, step);
		*count += step;
	}
	return scratch;
}

/* Encrypts COUNT bytes behind the answers. 0; -ENOMEM: what SOURCE still has was not used; -EPIPE: the connection is dead. */
static int encrypt(struct egret_wire *wire, struct source *source, size_t count)
{
	int result = 0;
	pthread_mutex_lock(&wire->tls_lock);
	if (!egret_wire_add_answers(wire) || !egret_buf_room(&wire->out, on_wire(count)))
		result = -ENOMEM;
	while (result == 0 && count > 0) {
		size_t piece = 0;
		struct egret_tls_error failure;
		const uint8_t *plain = next_piece(source, count, &piece);
		if (plain && source->copies)
			egret_renumber_up(&wire->up, source->scratch.data, piece);
		if (!plain) {
			result = -ENOMEM;
		} else if (wire->engine->encrypt(wire->tls, plain, piece, &wire->out, &failure) != EGRET_STEP_DONE) {
			wire->write_closed = true;
			result = -EPIPE;
		} else {
			source_advance(source, piece);
			count -= piece;
		}
	}
	pthread_mutex_unlock(&wire->tls_lock);
	return result;
}

/* What a send would take of the kernel, as tcp_sendmsg: its error if there is one, else OTHERWISE. */
static int kernel_error(const struct egret_wire *wire, int otherwise)
{
	int error = 0;
	uint32_t size = sizeof error;
	egret_raw6(SYS_getsockopt, wire->fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&size, 0);
	return error ? error : otherwise;
}

static ssize_t write_locked(struct egret_wire *wire, struct source *source)
{
	size_t total = source->left;
	if (!egret_wire_is_ours(wire))
		return -EIO;
	int error = egret_wire_take_error(wire);
	if (!error && wire->read_shut && wire->write_closed && wire->error != ESTALE) { /* the kernel's reset of a close_notify, see egret_wire_told */
		kernel_error(wire, 0);
		return -EPIPE;
	}
	if (error || wire->error || wire->write_closed)
		return error ? -error : wire->error == ESTALE ? -ESTALE : -kernel_error(wire, EPIPE);
	if (total == 0) /* TCP's own answer */
		return egret_raw6(SYS_sendto, wire->fd, (long)"", 0, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
	if (!wire->handshaken)
		return -EAGAIN; /* another thread is at it */
	source->copies = wire->up.by != 0;
	int result = egret_wire_take_answers(wire) ? egret_wire_send_out(wire) : -ENOMEM;
	while (result == 0 && source->left > 0) {
		size_t count = allowance(wire, source->left < GATHER_MOST ? source->left : GATHER_MOST);
		if (count == 0) {
			wire->wants = POLLOUT;
			result = -EAGAIN;
		} else if (!egret_can_read_pieces(source->iov + source->at, source->count - source->at, source->offset, count)) {
			result = -EFAULT;
		} else if ((result = encrypt(wire, source, count)) == 0) {
			result = egret_wire_send_out(wire);
		}
	}
	size_t done = total - source->left;
	if (result == -EAGAIN) {
		wire->full = true;
		wire->hunger++;
	}
	bool later = result == -EAGAIN || result == -ENOMEM || result == -EFAULT;
	if (done > 0 && later && egret_buf_len(&wire->out) > 0) {
		result = egret_wire_force_out(wire);
		later = result == -EAGAIN;
	}
	if (done > 0 && (result == 0 || later))
		return (ssize_t)done;
	return result;
}

/* A program that never reads leaves the server's tickets where the kernel makes a reset of them when it closes, as it does for a process that is
 * killed: they are looked for behind 4, 8, 16... writes. Who asks in two writes and then reads pays nothing. */
static void look_for_tickets(struct egret_wire *wire)
{
	unsigned before = atomic_fetch_add_explicit(&wire->unanswered, 1, memory_order_relaxed);
	int queued = 0;
	if (before > 2 && (before & (before - 1)) == 0 && wire->handshaken && egret_raw(SYS_ioctl, wire->fd, FIONREAD, &queued, 0) == 0 && queued > 0)
		egret_wire_look_ahead(wire);
}

ssize_t egret_wire_write(struct egret_wire *wire, const struct iovec *iov, int iovcnt)
{
	struct source source = { .iov = iov, .count = iovcnt };
	for (int i = 0; i < iovcnt; i++)
		source.left += iov[i].iov_len;
	source_advance(&source, 0);
	if (!atomic_load_explicit(&wire->heard, memory_order_relaxed))
		look_for_tickets(wire);
	pthread_mutex_lock(&wire->out_lock);
	ssize_t result = write_locked(wire, &source);
	pthread_mutex_unlock(&wire->out_lock);
	egret_buf_free(&source.scratch);
	return result;
}

static ssize_t write_within_locked(struct egret_wire *wire, struct source *source)
{
	struct egret_tls_error failure;
	size_t piece = 0, count = source->left < EGRET_RECORD_PLAIN ? source->left : EGRET_RECORD_PLAIN;
	bool at_rest = wire->handshaken && !wire->error && !wire->error_once && !wire->write_closed && !wire->up.by;
	if (!at_rest || count == 0 || egret_buf_len(&wire->out) || egret_buf_len(&wire->answers) || (count = allowance(wire, count)) == 0)
		return -EAGAIN;
	if (!egret_can_read_pieces(source->iov + source->at, source->count - source->at, source->offset, count))
		return -EFAULT;
	const uint8_t *plain = next_piece(source, count, &piece);
	enum egret_tls_step step = plain ? wire->engine->encrypt_within(wire->tls, plain, piece, &wire->out, &failure) : EGRET_STEP_WANT_INPUT;
	if (step == EGRET_STEP_WANT_INPUT)
		return -EAGAIN;
	int result = step == EGRET_STEP_DONE ? egret_wire_force_out(wire) : -EPIPE;
	wire->write_closed |= step != EGRET_STEP_DONE;
	return result == 0 || result == -EAGAIN ? (ssize_t)piece : result;
}

ssize_t egret_wire_write_within(struct egret_wire *wire, const struct iovec *iov, int iovcnt)
{
	struct source source = { .iov = iov, .count = iovcnt };
	ssize_t result = -EAGAIN;
	for (int i = 0; i < iovcnt; i++)
		source.left += iov[i].iov_len;
	source_advance(&source, 0);
	if (pthread_mutex_trylock(&wire->out_lock) != 0)
		return -EAGAIN;
	if (pthread_mutex_trylock(&wire->tls_lock) == 0) {
		result = write_within_locked(wire, &source);
		pthread_mutex_unlock(&wire->tls_lock);
	}
	pthread_mutex_unlock(&wire->out_lock);
	egret_buf_free(&source.scratch);
	return result;
}
