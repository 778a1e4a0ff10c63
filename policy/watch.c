#include "compiled.h"
#include "draft.h"

#include <string.h>
#include <time.h>

static void describe(struct egret_watched *item, const struct stat *st)
{
	item->dev = st->st_dev;
	item->ino = st->st_ino;
	item->size = st->st_size;
	item->mtime = st->st_mtim;
	item->ctime = st->st_ctim;
	item->exists = true;
}

void egret_watch(struct egret_policy *policy, const char *path, const struct stat *seen)
{
	struct egret_watched item = {0};
	struct stat now;

	for (size_t i = policy->watched_count; i > 0 && i + 8 > policy->watched_count; i--)
		if (strcmp(policy->watched[i - 1].path, path) == 0)
			return;
	item.path = egret_arena_text(&policy->arena, path, strlen(path));
	if (!item.path || !egret_grow(&policy->watched, &policy->watched_room, policy->watched_count, sizeof(item))) {
		policy->arena.failed = true;
		return;
	}
	if (seen || stat(path, &now) == 0)
		describe(&item, seen ? seen : &now);
	policy->watched[policy->watched_count++] = item;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_changed(const struct egret_watched *then)
{
	struct egret_watched now = {0};
	struct stat st;

	if (stat(then->path, &st) == 0)
		describe(&now, &st);
	return now.exists != then->exists || now.dev != then->dev || now.ino != then->ino || now.size != then->size ||
	       !same_time(&now.mtime, &then->mtime) || !same_time(&now.ctime, &then->ctime);
}

bool egret_policy_is_settling(const struct egret_policy *policy, unsigned ms)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < policy->watched_count; i++) {
		int64_t age;

		if (stat(policy->watched[i].path, &st) < 0)
			continue;
		age = (int64_t)(now.tv_sec - st.st_ctim.tv_sec) * 1000 + (now.tv_nsec - st.st_ctim.tv_nsec) / 1000000;
		if (age >= 0 && age < (int64_t)ms)
			return true;
	}
	return false;
}

bool egret_policy_changed(const struct egret_policy *policy)
{
	for (size_t i = 0; i < policy->watched_count; i++)
		if (is_changed(&policy->watched[i]))
			return true;
	return policy->pattern_count > 0 && egret_include_digest(policy->patterns, policy->pattern_count) != policy->included;
}

const char *egret_policy_file(const struct egret_policy *policy, size_t i)
{
	return i < policy->watched_count ? policy->watched[i].path : NULL;
}

const char *egret_policy_pattern(const struct egret_policy *policy, size_t i)
{
	return i < policy->pattern_count ? policy->patterns[i] : NULL;
}
