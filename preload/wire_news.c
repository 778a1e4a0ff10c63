/* What is news to a program that waits by edges: over TCP a segment wakes it that leaves as much to read as SO_RCVLOWAT asks for, and a new
 * SO_RCVLOWAT of which there is enough, tcp_data_ready. Records without data, records of which there is too little, and the edges that we make
 * ourselves (wire_read.c, hide) are none. */
#include "wire_internal.h"

#include "policy/raw.h"

#include <stdatomic.h>
#include <sys/ioctl.h>

/* Where the stream of ciphertext ends that has come so far. */
static uint64_t arrived(const struct egret_wire *wire)
{
	int queued = 0;
	egret_raw(SYS_ioctl, wire->fd, FIONREAD, &queued, 0);
	return wire->copied - wire->stale + (uint64_t)queued;
}

/* Opens what has come until there is data that was not noticed, and enough of it. How much there is to read. */
static size_t look_for_data(struct egret_wire *wire)
{
	size_t have;
	if (wire->least > 1 && !egret_wire_is_over(wire))
		egret_wire_open(wire, wire->least);
	do {
		have = egret_wire_undelivered(wire);
		if (!egret_wire_is_over(wire) && wire->data_end <= wire->noticed && have < EGRET_AVAILABLE_MOST)
			egret_wire_open(wire, have + 1);
	} while (egret_wire_undelivered(wire) > have);
	return have;
}

/* Who waits for the first byte may have read it meanwhile; who waits for more has noticed before it read (egret_wire_take_notice). */
static bool has_news(const struct egret_wire *wire, size_t have)
{
	return wire->data_end > wire->noticed && (wire->least <= 1 || have >= wire->least);
}

static void take_notice(struct egret_wire *wire, size_t have)
{
	bool came = wire->data_end > wire->noticed, news = has_news(wire, have);
	wire->news += news;
	wire->stirs += came && !news;
	if (came)
		wire->noticed = wire->data_end;
}

void egret_wire_take_notice(struct egret_wire *wire) { take_notice(wire, look_for_data(wire)); }

bool egret_wire_brought_nothing(struct egret_wire *wire, uint64_t told, bool stirred, bool said_readable)
{
	pthread_mutex_lock(&wire->in_lock);
	size_t have = look_for_data(wire);
	bool news = egret_wire_is_over(wire) || have >= EGRET_AVAILABLE_MOST || has_news(wire, have) || (told && wire->news != told);
	bool none = !news && (said_readable || stirred || arrived(wire) > wire->noticed);
	pthread_mutex_unlock(&wire->in_lock);
	return none;
}

uint64_t egret_wire_news(struct egret_wire *wire, const struct egret_wire_edge *edge, bool *end)
{
	pthread_mutex_lock(&wire->in_lock);
	wire->noticed_before = wire->round == edge->round ? wire->noticed_before : wire->noticed;
	wire->round = edge->round;
	size_t have = look_for_data(wire);
	bool over = egret_wire_is_over(wire), known = over && wire->end_noticed && (edge->stirred || edge->anothers) && arrived(wire) == wire->noticed;
	bool shut = !known && (wire->read_shut || wire->write_closed); /* what brought no bytes tells of a half's end, say that our FIN was acknowledged */
	bool data = !known && (over || has_news(wire, have) || have >= EGRET_AVAILABLE_MOST), still = shut && !data && arrived(wire) == wire->noticed_before;
	wire->end_noticed = over || *end;
	if (data || shut)
		wire->noticed = arrived(wire);
	if (data || (still && !edge->stirred))
		wire->news++;
	*end = known;
	uint64_t news = wire->news;
	pthread_mutex_unlock(&wire->in_lock);
	return news;
}

uint64_t egret_wire_old_news(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	size_t have = egret_wire_undelivered(wire);
	if (!have)
		take_notice(wire, have); /* of what was read */
	uint64_t news = have && have >= wire->least ? 0 : wire->news;
	pthread_mutex_unlock(&wire->in_lock);
	return news;
}

void egret_wire_make_news(struct egret_wire *wire)
{
	pthread_mutex_lock(&wire->in_lock);
	wire->news++;
	pthread_mutex_unlock(&wire->in_lock);
}

bool egret_wire_set_least(struct egret_wire *wire, size_t bytes)
{
	bool enough = false;
	pthread_mutex_lock(&wire->in_lock);
	wire->hidden = false;
	if (wire->handshaken) {
		egret_wire_take_notice(wire);
		wire->least = bytes;
		wire->stirs += wire->stale > 0; /* the kernel had it looked at while its own was 1 */
		egret_wire_open(wire, bytes);
		enough = egret_wire_undelivered(wire) >= bytes;
		wire->news += (egret_wire_is_over(wire) && !wire->error_once) || enough; /* a reset is no FIN */
	}
	wire->least = bytes;
	enough = enough && wire->stale == 0;
	pthread_mutex_unlock(&wire->in_lock);
	return enough;
}
