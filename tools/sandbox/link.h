/* One relayed connection: what the program says is read before it goes on, by the observers that the preload layer uses too.
 *
 * Owner: the thread that serves it. Nothing here blocks but egret_link_run, which waits in poll alone.
 */
#ifndef EGRET_SANDBOX_LINK_H
#define EGRET_SANDBOX_LINK_H

#include "far.h"

#include "preload/sni.h"

#define EGRET_FLOW_BYTES (EGRET_SNI_MAX + 4096u) /* a whole ClientHello stays in it until it is judged */

/* Bytes on their way in one direction. */
struct egret_flow {
	uint8_t *data;        /* EGRET_FLOW_BYTES, owned */
	size_t start, end;    /* what is there */
	size_t judged;        /* of a ClientHello: offset up to which it was read */
	bool ended, finished; /* its source has ended; its sink has been told */
};

struct egret_link {
	struct egret_supervisor *sup;
	const struct egret_errand *errand;
	int client;               /* borrowed, does not block */
	struct egret_far far;
	struct egret_flow up, down;
	struct egret_sni *sni;    /* while the first bytes are read; NULL: done */
	bool broken;              /* a rule ended it */
	int64_t began_ms;
	int64_t taken, given;     /* bytes of the program that went on, and to it */
};

/* Prepares the observers. False: memory is out. */
bool egret_link_init(struct egret_link *link, struct egret_supervisor *sup, const struct egret_errand *errand, int client);
void egret_link_free(struct egret_link *link);
/* Moves bytes until both directions have ended, and logs the end. False: the program is to see a reset. */
bool egret_link_run(struct egret_link *link);

/* ---- link_watch.c ---- */

/* Starts the HTTP observer where the entry wants one. Call when `far` is open. False: memory is out. */
bool egret_link_watch(struct egret_link *link);
/* Judges what is new in `up`. 1: something changed, 0: more is needed, -1: the connection breaks. */
int egret_link_judge_hello(struct egret_link *link);
/* Sends what may go. As above; 0: the far side takes nothing now. */
int egret_link_send_up(struct egret_link *link);
#endif
