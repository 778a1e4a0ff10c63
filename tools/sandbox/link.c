/* Bytes both ways, each with a bounded buffer: a side that does not read stops the other. */
#include "link.h"

#include "wait.h"

#include <errno.h>
#include <poll.h>

#define LAST_WORDS_MS 2000

static bool blocked(ssize_t result) { return result == -EAGAIN || result == -EINTR; }

bool egret_link_init(struct egret_link *link, struct egret_supervisor *sup, const struct egret_errand *errand, int client)
{
	*link = (struct egret_link){ .sup = sup, .errand = errand, .client = client, .far = { .fd = -1 }, .began_ms = egret_wait_now_ms() };
	link->up.data = malloc(EGRET_FLOW_BYTES);
	link->down.data = malloc(EGRET_FLOW_BYTES);
	link->sni = egret_sni_new();
	return link->up.data && link->down.data && link->sni;
}

void egret_link_free(struct egret_link *link)
{
	egret_sni_free(link->sni);
	egret_far_close(&link->far);
	free(link->up.data);
	free(link->down.data);
}

static bool is_empty(const struct egret_flow *flow) { return flow->start == flow->end; }

/* While the ClientHello is incomplete its bytes stay, and more are taken behind them. */
static bool wants_more(const struct egret_link *link)
{
	const struct egret_flow *up = &link->up;

	return !up->ended && (is_empty(up) || (link->sni && up->judged == up->end && up->end < EGRET_FLOW_BYTES));
}

static int fill_up(struct egret_link *link)
{
	struct egret_flow *up = &link->up;
	ssize_t n;

	if (!wants_more(link))
		return 0;
	if (is_empty(up))
		up->start = up->end = up->judged = 0;
	n = recv(link->client, up->data + up->end, EGRET_FLOW_BYTES - up->end, MSG_DONTWAIT);
	if (n < 0)
		return blocked(-errno) ? 0 : -1;
	up->ended = n == 0;
	up->end += (size_t)n;
	return 1;
}

/* program → server. 1: progress, 0: none, -1: broken. */
static int move_up(struct egret_link *link)
{
	struct egret_flow *up = &link->up;
	int filled = fill_up(link), result;

	if (filled < 0 || up->finished)
		return filled;
	if (link->sni && (up->judged < up->end || up->ended)) {
		result = egret_link_judge_hello(link);
		if (result <= 0)
			return result < 0 ? -1 : filled;
	}
	result = egret_link_send_up(link);
	if (result)
		return result;
	if (up->ended && is_empty(up)) {
		result = egret_far_finish(&link->far);
		up->finished = result == 0;
		if (result && !blocked(result))
			return -1;
		return up->finished ? 1 : filled;
	}
	return filled;
}

static int give(struct egret_link *link)
{
	struct egret_flow *down = &link->down;
	ssize_t n = send(link->client, down->data + down->start, down->end - down->start, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return blocked(-errno) ? 0 : -1;
	down->start += (size_t)n;
	link->given += n;
	return 1;
}

static int fill_down(struct egret_link *link)
{
	struct egret_flow *down = &link->down;
	ssize_t n;

	down->start = down->end = 0;
	n = egret_far_read(&link->far, down->data, EGRET_FLOW_BYTES);
	if (n < 0)
		return blocked(n) ? 0 : -1;
	down->ended = n == 0;
	down->end = (size_t)n;
	return 1;
}

/* server → program. */
static int move_down(struct egret_link *link)
{
	struct egret_flow *down = &link->down;

	if (down->finished)
		return 0;
	if (!is_empty(down))
		return give(link);
	if (!down->ended)
		return fill_down(link);
	shutdown(link->client, SHUT_WR);
	down->finished = true;
	return 1;
}

/* A side of which nothing is wanted is left out: it would report its hang-up for ever. */
static void wait_for_either(struct egret_link *link)
{
	struct pollfd fds[2] = { { .fd = link->client }, { .fd = link->far.fd } };
	struct egret_flow *up = &link->up, *down = &link->down;
	bool stuck = egret_far_flush(&link->far) == -EAGAIN;

	if (wants_more(link))
		fds[0].events |= POLLIN;
	if (!is_empty(down))
		fds[0].events |= POLLOUT;
	if (is_empty(down) && !down->ended)
		fds[1].events |= POLLIN;
	if (stuck || (!link->sni && !is_empty(up)) || (up->ended && !up->finished))
		fds[1].events |= POLLOUT;
	for (int i = 0; i < 2; i++)
		if (!fds[i].events)
			fds[i].fd = -1;
	poll(fds, 2, -1);
}

/* The program may still be sending what was refused: closing now would reset what it has yet to read. */
static void take_last_words(struct egret_link *link)
{
	struct pollfd pollfd = { .fd = link->client, .events = POLLIN };

	shutdown(link->client, SHUT_WR);
	while (poll(&pollfd, 1, LAST_WORDS_MS) > 0 && recv(link->client, link->up.data, EGRET_FLOW_BYTES, MSG_DONTWAIT) > 0)
		;
}

/* The same line as the library's (conn_log.c), behind those of the requests. */
static void log_closed(struct egret_link *link)
{
	const struct egret_errand *errand = link->errand;
	struct egret_event event;

	egret_observed_free(link->far.observed);
	link->far.observed = NULL;
	egret_event_init(&event, EGRET_EVENT_CLOSE);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.entry = errand->entry->name;
	event.protocol = egret_protocol_name(errand->entry->protocol);
	event.host = errand->host[0] ? errand->host : NULL;
	event.port = errand->port;
	event.address = link->far.address;
	event.bytes_received = link->taken;
	event.bytes_sent = link->given;
	event.duration_ms = (double)(egret_wait_now_ms() - link->began_ms);
	egret_trace(link->sup, &event);
}

/* False: the program is to see a reset. */
static bool move(struct egret_link *link)
{
	int upward, downward;
	bool refused = false;

	while (!(link->up.finished && link->down.finished)) {
		upward = link->up.finished ? 0 : move_up(link);
		if (link->broken)
			return false;
		if (upward < 0) { /* the server may have answered before it hung up, or the observer has an answer */
			egret_far_finish(&link->far);
			shutdown(link->far.fd, SHUT_WR);
			refused = link->far.observed;
			link->up = (struct egret_flow){ .data = link->up.data, .ended = true, .finished = true };
		}
		downward = move_down(link);
		if (downward < 0)
			return false;
		if (!upward && !downward)
			wait_for_either(link);
	}
	if (refused)
		take_last_words(link);
	return true;
}

bool egret_link_run(struct egret_link *link)
{
	bool whole = egret_link_watch(link) && move(link);

	if (!link->broken)
		log_closed(link);
	return whole;
}
