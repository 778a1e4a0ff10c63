/* A ring of records: a look-up walks a bucket chosen by the key. */
#include "redirect.h"

#include <pthread.h>
#include <sys/socket.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
#define BUCKETS 4096u
#define WAYS 16u

static struct {
	pthread_mutex_t lock;
	struct egret_redirect rows[BUCKETS][WAYS];
	unsigned char next[BUCKETS];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

uint64_t egret_redirect_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

void egret_redirect_add(const struct egret_redirect *redirect)
{
	unsigned bucket = (unsigned)(redirect->cookie % BUCKETS), way;

	pthread_mutex_lock(&table.lock);
	for (way = 0; way < WAYS && table.rows[bucket][way].cookie != redirect->cookie; way++)
		;
	if (way == WAYS)
		way = table.next[bucket]++ % WAYS;
	table.rows[bucket][way] = *redirect;
	pthread_mutex_unlock(&table.lock);
}

bool egret_redirect_find(uint64_t cookie, struct egret_redirect *redirect)
{
	unsigned bucket = (unsigned)(cookie % BUCKETS), way;

	if (!cookie)
		return false;
	pthread_mutex_lock(&table.lock);
	for (way = 0; way < WAYS && table.rows[bucket][way].cookie != cookie; way++)
		;
	if (way < WAYS)
		*redirect = table.rows[bucket][way];
	pthread_mutex_unlock(&table.lock);
	return way < WAYS;
}
