/* What the relay is to do for one redirected connection, and how it went.
 *
 * The supervisor makes an errand when it has connected the program's socket to the relay, and files it under that socket's own
 * address; the relay takes it, once, by the address it accepted from. Who connected by himself finds none. Counted: the supervisor
 * may wait for the outcome, so that a blocking connect returns what became of the server. Thread-safe.
 */
#ifndef EGRET_SANDBOX_ERRAND_H
#define EGRET_SANDBOX_ERRAND_H

#include "policy/policy.h"

#include <pthread.h>
#include <sys/types.h>

struct egret_errand {
	struct egret_errand *next;    /* filed */
	struct egret_errand *left;    /* interrupted */
	struct egret_endpoint from;   /* the program's end */
	uint64_t cookie;              /* of the program's socket */
	int64_t filed_ms;
	_Atomic int references;
	/* what was asked and judged; constant */
	struct egret_policy *policy;  /* referenced */
	const struct egret_entry *entry;
	struct egret_addr asked;
	uint16_t port;
	bool by_host;                 /* the entry was matched by HOST */
	bool audit;                   /* denials are only written down */
	char host[EGRET_NAME_MAX];    /* "" when only the address is known */
	char exe[256];
	pid_t pid;
	/* how it went */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool settled;
	int error;                    /* negative errno of the program's connect, 0: open */
};

/* One reference, the policy referenced. NULL when memory is out. */
struct egret_errand *egret_errand_new(struct egret_policy *policy);
struct egret_errand *egret_errand_ref(struct egret_errand *errand);
void egret_errand_unref(struct egret_errand *errand);

/* The relay may take it from now on, with the reference. */
void egret_errand_file(struct egret_errand *errand);
/* The errand of the connection from FROM; waits up to WAIT_MS for it to be filed. NULL: there is none. */
struct egret_errand *egret_errand_take(const struct egret_endpoint *from, int wait_ms);

/* A connect that waited was interrupted and will be made again: keeps the reference until egret_errand_resume asks for it. */
void egret_errand_leave(struct egret_errand *errand);
struct egret_errand *egret_errand_resume(uint64_t cookie); /* NULL: none */

void egret_errand_settle(struct egret_errand *errand, int error);
/* Waits up to WAIT_MS. True: settled, see error. */
bool egret_errand_wait(struct egret_errand *errand, int wait_ms);

#endif
