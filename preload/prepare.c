#include "prepare.h"

#include "engine_load.h"
#include "guard.h"
#include "resolv_conf.h"
#include "runtime.h"
#include "tls_contexts.h"

#include <errno.h>
#include <unistd.h>

/* The system's store is usually a directory, of which verification opens one file at a time: too late. The bundle has all of it. */
static const char *bundle_of(const struct egret_engine *engine)
{
	for (const char *const *file = engine->ca_bundles; *file; file++)
		if (access(*file, R_OK) == 0)
			return *file;
	return NULL;
}

static void prepare_tls(struct egret_policy *policy)
{
	struct egret_tls_error error = { 0 };
	const struct egret_engine *engine = NULL;
	for (size_t i = 0; i < egret_policy_entry_count(policy); i++) {
		const struct egret_entry *entry = egret_policy_entry(policy, i);
		if (entry->action != EGRET_ALLOW || entry->tls != EGRET_TLS_ORIGINATE)
			continue;
		engine = engine ? engine : egret_engine_load(&error);
		if (!engine)
			return;
		egret_tls_contexts_prepare(engine, policy, entry->settings, bundle_of(engine));
	}
}

void egret_prepare(void)
{
	static _Atomic bool done;
	if (atomic_exchange(&done, true))
		return;
	int saved = errno;
	char exe[EGRET_PATH_MAX];
	int cancels = egret_guard_enter_whole();
	struct egret_policy *policy = egret_runtime_policy();
	if (policy)
		prepare_tls(policy);
	egret_policy_unref(policy);
	egret_resolv_conf_load();
	egret_runtime_exe(exe);
	egret_guard_leave_whole(cancels);
	errno = saved;
}
