/* Bytes both ways, each with a bounded buffer: a side that does not read stops the other. Waits only in poll. */
#include "relay.h"

#include <errno.h>
#include <poll.h>

#define BUFFER 65536u

struct side {
	uint8_t data[BUFFER];
	size_t start, end;
	bool ended;    /* its source has ended */
	bool finished; /* and its sink has been told */
};

static bool blocked(ssize_t result) { return result == -EAGAIN || result == -EINTR; }

/* client → server. 1: progress, 0: none, -1: broken. */
static int move_up(struct side *up, int client, struct egret_wire *wire)
{
	struct iovec iov;
	ssize_t n;

	if (up->start == up->end && !up->ended) {
		n = recv(client, up->data, sizeof(up->data), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		up->ended = n == 0;
		up->start = 0;
		up->end = (size_t)n;
	}
	if (up->start < up->end) {
		iov = (struct iovec){ up->data + up->start, up->end - up->start };
		n = egret_wire_write(wire, &iov, 1);
		if (n < 0)
			return blocked(n) ? 0 : -1;
		up->start += (size_t)n;
		return n > 0;
	}
	if (up->ended && !up->finished) {
		n = egret_wire_close_notify(wire);
		if (n < 0)
			return blocked(n) ? 0 : -1;
		shutdown(wire->fd, SHUT_WR);
		up->finished = true;
		return 1;
	}
	return 0;
}

/* server → client. */
static int move_down(struct side *down, int client, struct egret_wire *wire)
{
	struct iovec iov = { down->data, sizeof(down->data) };
	ssize_t n;

	if (down->start == down->end && !down->ended) {
		n = egret_wire_read(wire, &iov, 1, 0);
		if (n < 0)
			return blocked(n) ? 0 : -1;
		down->ended = n == 0;
		down->start = 0;
		down->end = (size_t)n;
	}
	if (down->start < down->end) {
		n = send(client, down->data + down->start, down->end - down->start, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		down->start += (size_t)n;
		return n > 0;
	}
	if (down->ended && !down->finished) {
		shutdown(client, SHUT_WR);
		down->finished = true;
		return 1;
	}
	return 0;
}

static void wait_for_either(const struct side *up, const struct side *down, int client, struct egret_wire *wire)
{
	struct pollfd fds[2] = { { .fd = client }, { .fd = wire->fd } };
	bool stuck = egret_wire_flush(wire) == -EAGAIN;

	if (up->start == up->end && !up->ended)
		fds[0].events |= POLLIN;
	if (down->start < down->end)
		fds[0].events |= POLLOUT;
	if (down->start == down->end && !down->ended)
		fds[1].events |= POLLIN;
	if (stuck || up->start < up->end || (up->ended && !up->finished))
		fds[1].events |= POLLOUT;
	for (int i = 0; i < 2; i++) /* a side of which nothing is wanted would report its hang-up for ever */
		if (!fds[i].events)
			fds[i].fd = -1;
	poll(fds, 2, -1);
}

bool egret_relay_pump(int client, struct egret_wire *wire)
{
	struct side *up = calloc(1, sizeof(*up)), *down = calloc(1, sizeof(*down));
	int upward = 0, downward = 0;

	while (up && down && !(up->finished && down->finished)) {
		upward = move_up(up, client, wire);
		downward = move_down(down, client, wire);
		if (upward < 0 || downward < 0)
			break;
		if (!upward && !downward)
			wait_for_either(up, down, client, wire);
	}
	if (!up || !down)
		upward = -1;
	free(up);
	free(down);
	return upward >= 0 && downward >= 0;
}
