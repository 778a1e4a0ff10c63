/* The registrations of an epoll set, found by what an event carries. All of it under the set's lock. */
#ifndef EGRET_READY_INDEX_H
#define EGRET_READY_INDEX_H

#include "ready.h"

struct registration {
	struct registration *next_of_data; /* in the set's bucket */
	struct registration *next_of_fd;   /* the descriptor's other sets */
	struct set *set;
	int fd;
	uint64_t id, batch, quiet; /* as in egret_ready_match */
	int number;    /* a ghost's, before it was closed */
	bool ghost;    /* made by a number that was closed since: the kernel keeps it, epoll_ctl does not reach it by FD */
	_Atomic bool fired; /* one-shot, and not armed; also asked without the lock */
	uint64_t told_room, told_news, told_stirs; /* as in egret_ready_match */
	bool inherited; /* made before a fork: the parent's as well, and not ours to change */
	uint32_t events;
	uint64_t data;
};

struct set {
	struct set *next_all;
	int epfd;
	pthread_mutex_t lock;
	struct registration **buckets; /* by data */
	size_t bucket_count, count;
	bool shares;   /* has had two with the same data at once */
	uint64_t spent_data; /* what was last looked for among the strays (ready_listed.c), */
	unsigned spent;      /* and how many of those had fired */
};

/* Under the stripe of its descriptor: the kernel waits for EVENTS from now on (not for one that fired, or is the parent's too). */
void egret_ready_apply(const struct registration *it, uint32_t events);
/* The same, whoever made it. */
void egret_ready_arm(const struct registration *it, uint32_t events);
/* Has a one-shot registration fired, as the kernel has it? */
bool egret_ready_has_fired(const struct registration *it);
/* Before its socket is replaced, and after: while the old one lives elsewhere, the registration would stay and report it. One that fired cannot
 * be made anew as one that says nothing: it may tell a hang-up, once. */
void egret_ready_leave(const struct registration *it);
void egret_ready_join(const struct registration *it);

/* Every set there is, by next_all. */
struct set *egret_ready_sets(void);
/* Where those with DATA are, among others. The set has buckets (it has or had a registration). */
struct registration **egret_ready_bucket_of(struct set *set, uint64_t data);
/* False: memory is out. */
bool egret_ready_index_add(struct set *set, struct registration *it);
void egret_ready_index_remove(struct set *set, struct registration *it);

#endif
