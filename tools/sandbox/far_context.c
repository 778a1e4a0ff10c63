/* TLS contexts by settings, and what is fixed before the command runs. */
#include "far.h"
#include "reload.h"

#include "preload/engine_load.h"

/* One context for the settings of a policy, made at first use: the CA is read once, and connections resume. */
struct context {
	struct context *next;
	struct egret_policy *policy; /* referenced: the settings' address stays theirs */
	const struct egret_tls_settings *settings;
	struct egret_tls_ctx *ctx;
};

static struct {
	pthread_mutex_t lock;
	struct context *first;
} contexts = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Under the lock: those of a policy that was replaced go; open connections hold their own reference. */
static void drop_stale(const struct egret_engine *engine, const struct egret_policy *policy)
{
	struct context **link = &contexts.first, *it;

	while ((it = *link)) {
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

/* A hashed directory is read at each handshake: where the command could put a certificate into it, the bundle is read once instead. */
static const struct egret_tls_settings *pinned(const struct egret_tls_settings *settings, struct egret_tls_settings *copy)
{
	static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
					       "/etc/ssl/cert.pem" };

	if (settings->ca_file || settings->ca_path)
		return settings;
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		if (access(bundles[i], R_OK) || !egret_tree_can_write(bundles[i]))
			continue;
		*copy = *settings;
		copy->ca_file = bundles[i];
		return copy;
	}
	return settings;
}

static struct context *find_or_make(const struct egret_engine *engine, struct egret_policy *policy,
				    const struct egret_tls_settings *settings, struct egret_tls_error *error)
{
	struct egret_tls_settings copy;
	struct context *it;

	for (it = contexts.first; it; it = it->next)
		if (it->policy == policy && it->settings == settings)
			return it;
	drop_stale(engine, policy);
	it = calloc(1, sizeof(*it));
	if (!it)
		return NULL;
	it->ctx = engine->ctx_new(pinned(settings, &copy), NULL, error);
	if (!it->ctx) {
		free(it);
		return NULL;
	}
	it->policy = egret_policy_ref(policy);
	it->settings = settings;
	it->next = contexts.first;
	contexts.first = it;
	return it;
}

struct egret_tls *egret_far_tls(const struct egret_engine *engine, const struct egret_errand *errand, const char *host,
				struct egret_tls_error *error)
{
	struct context *context;
	struct egret_tls *tls = NULL;

	pthread_mutex_lock(&contexts.lock);
	context = find_or_make(engine, errand->policy, errand->entry->settings, error);
	if (context)
		tls = engine->open(context->ctx, host, errand->port, error);
	pthread_mutex_unlock(&contexts.lock);
	return tls;
}

/* Could the command change what SETTINGS read from files? */
static bool must_be_read_now(const struct egret_tls_settings *settings)
{
	const char *const files[] = { settings->ca_file, settings->crl_file, settings->client_cert, settings->client_key };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] && egret_tree_can_write(files[i]))
			return true;
	return !settings->ca_file && geteuid() == 0;
}

/* A context that cannot be made fails at the connection that needs it, with its reason. */
bool egret_far_prepare(struct egret_policy *policy)
{
	const struct egret_engine *engine = NULL;
	struct egret_tls_error error = { 0 };

	for (size_t i = 0; i < egret_policy_entry_count(policy); i++) {
		const struct egret_entry *entry = egret_policy_entry(policy, i);

		if (entry->tls != EGRET_TLS_ORIGINATE || entry->action != EGRET_ALLOW)
			continue;
		if (!engine && !(engine = egret_engine_load(&error)))
			return false;
		if (entry->settings->ca_path && egret_tree_can_write(entry->settings->ca_path))
			dprintf(STDERR_FILENO, "egret: %s: the command can write tls_ca_path %s; tls_ca_file is read before it starts\n", entry->name,
				entry->settings->ca_path);
		if (!must_be_read_now(entry->settings))
			continue;
		pthread_mutex_lock(&contexts.lock);
		find_or_make(engine, policy, entry->settings, &error);
		pthread_mutex_unlock(&contexts.lock);
	}
	return true;
}
