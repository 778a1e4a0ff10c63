#include "tls_contexts.h"

#include "conn.h"
#include "guard.h"
#include "pool.h"
#include "runtime.h"
#include "say.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US 500000 /* a changed CA, certificate or key must be seen within 1 s */

struct cached {
	struct egret_policy *policy; /* referenced: the settings' address stays theirs */
	const struct egret_tls_settings *settings;
	struct egret_tls_ctx *ctx; /* owned */
	int64_t looked_us;
	struct cached *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cached *contexts;

void egret_tls_contexts_before_fork(void) { pthread_mutex_lock(&lock); }
void egret_tls_contexts_after_fork(void) { pthread_mutex_unlock(&lock); }

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Do A and B ask for the same, in two policies? */
static bool same_settings(const struct egret_tls_settings *a, const struct egret_tls_settings *b)
{
	if (a == b)
		return true;
	return a->verify == b->verify && a->min_version == b->min_version && a->max_version == b->max_version && a->starttls == b->starttls &&
	       a->session_cache == b->session_cache && a->pin_count == b->pin_count &&
	       (a->pin_count == 0 || memcmp(a->pins, b->pins, a->pin_count * sizeof *a->pins) == 0) &&
	       same_text(a->server_name, b->server_name) && same_text(a->ca_file, b->ca_file) && same_text(a->ca_path, b->ca_path) &&
	       same_text(a->crl_file, b->crl_file) && same_text(a->client_cert, b->client_cert) && same_text(a->client_key, b->client_key) &&
	       same_text(a->ciphers, b->ciphers) && same_text(a->ciphersuites, b->ciphersuites) && same_text(a->groups, b->groups) &&
	       same_text(a->alpn, b->alpn);
}

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

static struct egret_tls_ctx *make(const struct egret_engine *engine, const struct egret_tls_settings *settings, struct egret_tls_error *error)
{
	static bool served; /* under the lock */
	if (!served)
		egret_pool_serve(engine);
	served = true;
	engine->use_pid(egret_known_pid);
	return engine->ctx_new(settings, egret_runtime.run_dir[0] ? egret_runtime.run_dir : NULL, error);
}

/* A rotation is not one step: between the new certificate and its new key nothing new can be made, and the old goes on. */
static void renew(const struct egret_engine *engine, struct cached *it)
{
	struct egret_tls_error error = { 0 };
	int64_t now = egret_now_us();
	if (now - it->looked_us < LOOK_US)
		return;
	it->looked_us = now;
	if (!engine->ctx_changed(it->ctx))
		return;
	struct egret_tls_ctx *fresh = make(engine, it->settings, &error);
	if (fresh) {
		engine->ctx_unref(it->ctx);
		it->ctx = fresh;
	} else {
		egret_say_once(4, "egret: a changed file of TLS cannot be used, what was read before stays in force: %s", error.text);
	}
}

static struct cached *find(const struct egret_policy *policy, const struct egret_tls_settings *settings)
{
	for (struct cached *it = contexts; it; it = it->next)
		if (policy ? it->policy == policy && it->settings == settings : same_settings(it->settings, settings))
			return it;
	return NULL;
}

static struct cached *find_or_make(const struct egret_engine *engine, struct egret_policy *policy,
				   const struct egret_tls_settings *settings, const char *bundle, struct egret_tls_error *error)
{
	struct cached *it = find(policy, settings), *old = it ? NULL : find(NULL, settings);
	if (it) {
		renew(engine, it);
		return it;
	}
	struct cached *fresh = calloc(1, sizeof *fresh);
	struct egret_tls_settings with = *settings;
	if (!fresh) {
		error->failure = EGRET_TLS_MEMORY;
		return NULL;
	}
	if (old) { /* the policy was loaded again, and says the same here */
		old->looked_us = 0;
		renew(engine, old);
		fresh->ctx = old->ctx;
		engine->ctx_ref(fresh->ctx);
	} else {
		if (!with.ca_file && !with.ca_path)
			with.ca_file = bundle;
		fresh->ctx = make(engine, &with, error);
	}
	if (!fresh->ctx) {
		free(fresh);
		return NULL;
	}
	fresh->policy = egret_policy_ref(policy);
	fresh->settings = settings;
	fresh->looked_us = egret_now_us();
	fresh->next = contexts;
	contexts = fresh;
	drop_stale(engine, policy);
	return fresh;
}

struct egret_tls *egret_tls_contexts_open(const struct egret_engine *engine, struct egret_policy *policy, const struct egret_tls_settings *settings,
					  const char *host, uint16_t port, struct egret_tls_error *error)
{
	int cancels = egret_guard_enter_whole(); /* a signal handler that forks must not wait for this thread */
	pthread_mutex_lock(&lock);
	struct cached *cached = find_or_make(engine, policy, settings, NULL, error);
	struct egret_tls *tls = cached ? engine->open(cached->ctx, host, port, error) : NULL;
	pthread_mutex_unlock(&lock);
	egret_guard_leave_whole(cancels);
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
