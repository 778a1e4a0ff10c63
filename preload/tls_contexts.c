#include "tls_contexts.h"

#include "runtime.h"

#include <pthread.h>
#include <stdlib.h>

struct cached {
	struct egret_policy *policy; /* referenced: the settings' address stays theirs */
	const struct egret_tls_settings *settings;
	struct egret_tls_ctx *ctx;
	struct cached *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cached *contexts;

void egret_tls_contexts_before_fork(void) { pthread_mutex_lock(&lock); }
void egret_tls_contexts_after_fork(void) { pthread_mutex_unlock(&lock); }

/* Under the lock: contexts of a policy that was replaced go; connections that use one hold their own reference. */
static void drop_stale(const struct egret_engine *engine, const struct egret_policy *policy)
{
	struct cached **link = &contexts;
	while (*link) {
		struct cached *it = *link;
		if (it->policy == policy) {
			link = &it->next;
			continue;
		}
		*link = it->next;
		engine->ctx_unref(it->ctx);
		egret_policy_unref(it->policy);
		free(it);
	}
}

static struct cached *find_or_make(const struct egret_engine *engine, struct egret_policy *policy,
				   const struct egret_tls_settings *settings, const char *bundle, struct egret_tls_error *error)
{
	for (struct cached *it = contexts; it; it = it->next)
		if (it->policy == policy && it->settings == settings)
			return it;
	drop_stale(engine, policy);
	struct cached *fresh = calloc(1, sizeof *fresh);
	if (!fresh) {
		error->failure = EGRET_TLS_MEMORY;
		return NULL;
	}
	struct egret_tls_settings with = *settings;
	if (!with.ca_file && !with.ca_path)
		with.ca_file = bundle;
	fresh->ctx = engine->ctx_new(&with, egret_runtime.run_dir[0] ? egret_runtime.run_dir : NULL, error);
	if (!fresh->ctx) {
		free(fresh);
		return NULL;
	}
	fresh->policy = egret_policy_ref(policy);
	fresh->settings = settings;
	fresh->next = contexts;
	contexts = fresh;
	return fresh;
}

struct egret_tls *egret_tls_contexts_open(const struct egret_engine *engine, struct egret_policy *policy, const struct egret_tls_settings *settings,
					  const char *host, uint16_t port, struct egret_tls_error *error)
{
	pthread_mutex_lock(&lock);
	struct cached *cached = find_or_make(engine, policy, settings, NULL, error);
	struct egret_tls *tls = cached ? engine->open(cached->ctx, host, port, error) : NULL;
	pthread_mutex_unlock(&lock);
	return tls;
}

void egret_tls_contexts_prepare(const struct egret_engine *engine, struct egret_policy *policy, const struct egret_tls_settings *settings,
				const char *bundle)
{
	struct egret_tls_error error = { 0 };
	pthread_mutex_lock(&lock);
	find_or_make(engine, policy, settings, bundle, &error);
	pthread_mutex_unlock(&lock);
}
