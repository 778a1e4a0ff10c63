/* Writing: all records of one program write leave in one send.
 *
 * A record cannot be taken back once it was encrypted, and the program owns what was not accepted. So the kernel is asked how much its
 * buffer takes before more is encrypted than surely fits, and when that is not certain the program's last byte is left out: a tail that is
 * stuck in `out` then always goes with a short count, and the program comes back for the rest.
 */
#include "wire_internal.h"

#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256 * 1024) /* bytes of plaintext in one send at most */
#define SMALL 1024         /* bytes: a send buffer that takes anything at all takes this much */

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

/* Bytes that the kernel's send buffer takes now, halved for its own overhead; 0: full. */
static size_t ask_credit(struct egret_wire *wire)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof info;
	long result = egret_raw6(SYS_getsockopt, wire->fd, SOL_SOCKET, SO_MEMINFO, (long)info, (long)&size, 0);
	if (result < 0)
		return SMALL; /* an old kernel: small steps, each with its last byte held */
	if (info[SK_MEMINFO_WMEM_QUEUED] >= info[SK_MEMINFO_SNDBUF])
		return 0;
	size_t free_bytes = info[SK_MEMINFO_SNDBUF] - info[SK_MEMINFO_WMEM_QUEUED];
	return free_bytes / 2 > SMALL ? free_bytes / 2 : SMALL;
}

static size_t wire_size(size_t plain) { return plain + (plain / EGRET_RECORD_PLAIN + 1) * 64; }

/* How much of LEFT bytes to encrypt now. 0: nothing fits. */
static size_t choose(struct egret_wire *wire, size_t left)
{
	size_t count = left < CHUNK ? left : CHUNK;
	if (wire_size(count) <= wire->credit)
		return count;
	wire->credit = ask_credit(wire);
	if (wire->credit == 0)
		return 0;
	if (wire_size(count) <= wire->credit)
		return count;
	size_t fits = wire->credit > 2 * SMALL ? wire->credit - wire->credit / 16 - 64 : SMALL;
	if (fits < count)
		return fits;
	return count > 1 ? count - 1 : count;
}

/* COUNT bytes from OFFSET of the iovecs, contiguous: in place where one iovec has them all, else gathered into *OWNED. */
static const uint8_t *gather(const struct iovec *iov, int iovcnt, size_t offset, size_t count, uint8_t **owned)
{
	int i = 0;
	for (; i < iovcnt && offset >= iov[i].iov_len; i++)
		offset -= iov[i].iov_len;
	if (i < iovcnt && iov[i].iov_len - offset >= count)
		return (const uint8_t *)iov[i].iov_base + offset;
	*owned = malloc(count);
	for (size_t done = 0; *owned && done < count; i++, offset = 0) {
		size_t part = iov[i].iov_len - offset < count - done ? iov[i].iov_len - offset : count - done;
		memcpy(*owned + done, (const uint8_t *)iov[i].iov_base + offset, part);
		done += part;
	}
	return *owned;
}

static int encrypt_and_send(struct egret_wire *wire, const struct iovec *iov, int iovcnt, size_t offset, size_t count)
{
	uint8_t *owned = NULL;
	const uint8_t *plain = gather(iov, iovcnt, offset, count, &owned);
	if (!plain)
		return -ENOMEM;
	pthread_mutex_lock(&wire->tls_lock);
	enum egret_tls_step step = wire->engine->encrypt(wire->tls, plain, count, &wire->out, &wire->failure);
	pthread_mutex_unlock(&wire->tls_lock);
	free(owned);
	if (step != EGRET_STEP_DONE)
		return egret_wire_break(wire, egret_tls_errno(wire->failure.failure));
	size_t size = egret_buf_len(&wire->out);
	int result = egret_wire_send_out(wire);
	wire->credit = result == 0 && wire->credit > size ? wire->credit - size : 0;
	return result;
}

/* Under out_lock. */
static ssize_t write_locked(struct egret_wire *wire, const struct iovec *iov, int iovcnt, size_t total)
{
	size_t done = 0;
	int result = egret_wire_send_out(wire);
	while (result == 0 && done < total) {
		size_t count = choose(wire, total - done);
		if (count == 0) {
			wire->wants = POLLOUT;
			result = -EAGAIN;
			break;
		}
		result = encrypt_and_send(wire, iov, iovcnt, done, count);
		if (result == 0 || result == -EAGAIN)
			done += count;
	}
	if (done > 0 && (result == 0 || result == -EAGAIN))
		return (ssize_t)done;
	return result;
}

ssize_t egret_wire_write(struct egret_wire *wire, const struct iovec *iov, int iovcnt)
{
	size_t total = 0;
	for (int i = 0; i < iovcnt; i++)
		total += iov[i].iov_len;
	pthread_mutex_lock(&wire->out_lock);
	ssize_t result;
	if (wire->write_closed || (wire->error && wire->failure.failure != EGRET_TLS_OK))
		result = -EPIPE;
	else
		result = total ? write_locked(wire, iov, iovcnt, total) : 0;
	pthread_mutex_unlock(&wire->out_lock);
	return result;
}
