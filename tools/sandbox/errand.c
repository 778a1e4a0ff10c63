#include "errand.h"

#include <stdlib.h>
#include <time.h>

#define BUCKETS 1024u
#define LEFT_MS 300000
#define STALE_MS 30000 /* the program went before the relay could accept */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filed;
	struct egret_errand *buckets[BUCKETS];
	struct egret_errand *left;
} board = { .lock = PTHREAD_MUTEX_INITIALIZER, .filed = PTHREAD_COND_INITIALIZER };

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct egret_errand *egret_errand_new(struct egret_policy *policy)
{
	struct egret_errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return NULL;
	errand->references = 1;
	errand->policy = egret_policy_ref(policy);
	pthread_mutex_init(&errand->lock, NULL);
	pthread_cond_init(&errand->changed, NULL);
	return errand;
}

struct egret_errand *egret_errand_ref(struct egret_errand *errand)
{
	errand->references++;
	return errand;
}

void egret_errand_unref(struct egret_errand *errand)
{
	if (!errand || --errand->references)
		return;
	egret_policy_unref(errand->policy);
	pthread_mutex_destroy(&errand->lock);
	pthread_cond_destroy(&errand->changed);
	free(errand);
}

static struct egret_errand **bucket_of(const struct egret_endpoint *from)
{
	return &board.buckets[(from->port ^ from->addr.bytes[3] * 31u ^ from->addr.bytes[15] * 17u) % BUCKETS];
}

static bool same_end(const struct egret_endpoint *a, const struct egret_endpoint *b)
{
	return a->port == b->port && egret_addr_equal(&a->addr, &b->addr);
}

/* Under the lock. What the same address left, and what nobody took, goes. */
static void sweep(struct egret_errand **link, const struct egret_endpoint *from, int64_t now)
{
	struct egret_errand *errand;

	while ((errand = *link)) {
		if (!same_end(&errand->from, from) && now - errand->filed_ms < STALE_MS) {
			link = &errand->next;
			continue;
		}
		*link = errand->next;
		egret_errand_unref(errand);
	}
}

void egret_errand_file(struct egret_errand *errand)
{
	struct egret_errand **bucket = bucket_of(&errand->from);

	errand->filed_ms = now_ms();
	pthread_mutex_lock(&board.lock);
	sweep(bucket, &errand->from, errand->filed_ms);
	errand->next = *bucket;
	*bucket = errand;
	pthread_cond_broadcast(&board.filed);
	pthread_mutex_unlock(&board.lock);
}

static struct timespec in_ms(int wait_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += wait_ms / 1000;
	ts.tv_nsec += wait_ms % 1000 * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000L;
	}
	return ts;
}

static struct egret_errand *unlink_from(struct egret_errand **link, const struct egret_endpoint *from)
{
	struct egret_errand *errand;

	for (; (errand = *link); link = &errand->next)
		if (same_end(&errand->from, from)) {
			*link = errand->next;
			return errand;
		}
	return NULL;
}

struct egret_errand *egret_errand_take(const struct egret_endpoint *from, int wait_ms)
{
	struct egret_errand **bucket = bucket_of(from), *errand;
	struct timespec until = in_ms(wait_ms);

	pthread_mutex_lock(&board.lock);
	while (!(errand = unlink_from(bucket, from)))
		if (pthread_cond_timedwait(&board.filed, &board.lock, &until))
			break;
	pthread_mutex_unlock(&board.lock);
	return errand;
}

void egret_errand_leave(struct egret_errand *errand)
{
	struct egret_errand **link, *old;
	int64_t now = now_ms();

	pthread_mutex_lock(&board.lock);
	for (link = &board.left; (old = *link);) { /* who was killed does not come back */
		if (now - old->filed_ms < LEFT_MS) {
			link = &old->left;
			continue;
		}
		*link = old->left;
		egret_errand_unref(old);
	}
	errand->left = board.left;
	board.left = errand;
	pthread_mutex_unlock(&board.lock);
}

struct egret_errand *egret_errand_resume(uint64_t cookie)
{
	struct egret_errand **link, *errand;

	pthread_mutex_lock(&board.lock);
	for (link = &board.left; (errand = *link) && errand->cookie != cookie; link = &errand->left)
		;
	if (errand)
		*link = errand->left;
	pthread_mutex_unlock(&board.lock);
	return errand;
}

void egret_errand_settle(struct egret_errand *errand, int error)
{
	pthread_mutex_lock(&errand->lock);
	errand->settled = true;
	errand->error = error;
	pthread_cond_broadcast(&errand->changed);
	pthread_mutex_unlock(&errand->lock);
}

bool egret_errand_wait(struct egret_errand *errand, int wait_ms)
{
	struct timespec until = in_ms(wait_ms);
	bool settled;

	pthread_mutex_lock(&errand->lock);
	while (!errand->settled && !pthread_cond_timedwait(&errand->changed, &errand->lock, &until))
		;
	settled = errand->settled;
	pthread_mutex_unlock(&errand->lock);
	return settled;
}
