/* How a connection ends, and who is told: an end with or without close_notify, a broken record, the kernel's error. */
#include "wire_internal.h"

#include "policy/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>

bool egret_wire_has_end(const struct egret_wire *wire)
{
	struct pollfd pfd = { .fd = wire->fd, .events = POLLRDHUP };
	struct timespec now = { 0, 0 };
	return egret_raw6(SYS_ppoll, (long)&pfd, 1, (long)&now, 0, 8, 0) > 0;
}

void egret_wire_ended(struct egret_wire *wire)
{
	uint8_t byte;
	egret_buf_free(&wire->in);
	if (wire->stale)
		egret_wire_discard(wire, wire->stale);
	wire->stale = 0;
	wire->made_eof = egret_wire_recv(wire, &byte, 1, MSG_PEEK) != 0; /* its FIN is not here yet */
	if (wire->made_eof)
		egret_raw(SYS_shutdown, wire->fd, SHUT_RD, 0, 0);
}

void egret_wire_broken(struct egret_wire *wire, int error)
{
	wire->error = error;
	wire->write_closed = true;
	egret_wire_ended(wire);
}

void egret_wire_truncated(struct egret_wire *wire)
{
	wire->kernel_eof = true;
	if (wire->read_shut)
		return;
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

void egret_wire_told(struct egret_wire *wire, int error)
{
	bool both_shut = wire->read_shut && wire->write_closed;
	wire->read_closed = true;
	wire->write_closed = true;
	if (both_shut)
		return;
	wire->error = error;
	wire->error_once = true;
}

void egret_wire_keep_error(struct egret_wire *wire, int error, bool shut)
{
	if (error == EAGAIN || error == ENOMEM || error == EPIPE || error == EIO || (shut && wire->read_shut))
		return;
	wire->error_waits = true;
	wire->error = error;
	wire->error_once = true;
}

int egret_wire_take_error(struct egret_wire *wire)
{
	if (!wire->error_once || !atomic_exchange(&wire->error_once, false))
		return 0;
	return atomic_exchange(&wire->error, 0);
}

void egret_wire_note_error(struct egret_wire *wire, int error)
{
	pthread_mutex_lock(&wire->in_lock);
	egret_wire_told(wire, error);
	pthread_mutex_unlock(&wire->in_lock);
}

void egret_wire_give_back_error(struct egret_wire *wire, int error)
{
	pthread_mutex_lock(&wire->in_lock);
	if (!wire->error && error != EFAULT) { /* told already: whatever is shut since, it is no answer to that */
		wire->error = error;
		wire->error_once = true;
	}
	pthread_mutex_unlock(&wire->in_lock);
}

bool egret_wire_hides_reset(struct egret_wire *wire)
{
	int error = 0;
	uint32_t size = sizeof error;
	if (!wire->read_shut || !wire->write_closed || wire->error_once)
		return false;
	egret_raw6(SYS_getsockopt, wire->fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&size, 0);
	return true;
}

bool egret_wire_hid_reset(const struct egret_wire *wire)
{
	struct tcp_info info;
	uint32_t size = sizeof info;
	return wire->read_shut && wire->write_closed && !wire->error_once &&
	       egret_raw6(SYS_getsockopt, wire->fd, IPPROTO_TCP, TCP_INFO, (long)&info, (long)&size, 0) == 0 && info.tcpi_state == TCP_CLOSE;
}

bool egret_wire_has_arrived(int fd)
{
	int left = 0;
	return egret_raw(SYS_ioctl, fd, SIOCOUTQ, &left, 0) != 0 || left == 0;
}

bool egret_wire_owes_fin(struct egret_wire *wire)
{
	struct pollfd pfd = { .fd = wire->fd };
	struct timespec now = { 0, 0 };
	if (!atomic_load_explicit(&wire->fin_due, memory_order_relaxed))
		return false;
	bool arrived = egret_wire_has_arrived(wire->fd);
	bool broken = egret_raw6(SYS_ppoll, (long)&pfd, 1, (long)&now, 0, 8, 0) > 0;
	if ((arrived || broken) && atomic_exchange(&wire->fin_due, false))
		egret_raw(SYS_shutdown, wire->fd, SHUT_WR, 0, 0);
	return wire->fin_due;
}

short egret_wire_shut_events(struct egret_wire *wire)
{
	bool both = wire->read_shut && wire->write_closed;
	egret_wire_owes_fin(wire);
	return both ? POLLOUT | POLLWRNORM | POLLHUP : 0;
}
