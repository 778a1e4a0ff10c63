/* The start: environment, real functions, fork handlers. Runs before main, or at the first hook when that comes earlier. */
#include "append.h"
#include "conn.h"
#include "dns_asked.h"
#include "engine_load.h"
#include "guard.h"
#include "hooks.h"
#include "names.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"
#include "say.h"
#include "tls_contexts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct egret_runtime egret_runtime;
_Atomic bool egret_started;

static void copy(char *to, size_t size, const char *from)
{
	if (from && strlen(from) < size)
		memcpy(to, from, strlen(from) + 1);
}

static bool take_file(char *to, size_t size, const char *directory, const char *rest)
{
	char path[EGRET_PATH_MAX];
	int n = snprintf(path, sizeof path, "%s%s", directory, rest);
	if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK) != 0)
		return false;
	copy(to, size, path);
	return true;
}

/* GIVEN from where this process stands: its descendants may stand elsewhere. What does not fit is "". */
static void copy_absolute(char *to, size_t size, const char *given)
{
	char here[EGRET_PATH_MAX];
	if (!given || !given[0] || given[0] == '/') {
		copy(to, size, given);
	} else if (getcwd(here, sizeof here)) {
		int n = snprintf(to, size, "%s/%s", here[1] ? here : "", given);
		if (n < 0 || (size_t)n >= size)
			to[0] = '\0';
	}
}

#define DEFAULT_CONFIG SYSCONFDIR "/egret/egret.ini"

/* Where there is no policy yet, the place is fixed all the same: a descendant cannot bring its own. */
static void find_config(void)
{
	char *to = egret_runtime.config;
	size_t size = sizeof egret_runtime.config;
	const char *given = getenv("EGRET_CONFIG");
	if (given && given[0]) {
		copy_absolute(to, size, given);
		return;
	}
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (xdg && xdg[0] == '/' && take_file(to, size, xdg, "/egret/egret.ini"))
		return;
	if (!(xdg && xdg[0]) && home && home[0] == '/' && take_file(to, size, home, "/.config/egret/egret.ini"))
		return;
	copy(to, size, DEFAULT_CONFIG);
}

/* The word of LD_PRELOAD that names this library, so that it can be handed on as it was given. */
static void find_preload(void)
{
	const char *list = getenv("LD_PRELOAD");
	while (list && *list) {
		list += strspn(list, " :");
		size_t length = strcspn(list, " :");
		if (length >= 11 && length < sizeof egret_runtime.preload && memmem(list, length, "libegret.so", 11)) {
			memcpy(egret_runtime.preload_given, list, length);
			egret_runtime.preload_given[length] = '\0';
			bool relative = list[0] != '/' && list[0] != '$' && memchr(list, '/', length);
			(relative ? copy_absolute : copy)(egret_runtime.preload, sizeof egret_runtime.preload, egret_runtime.preload_given);
			return;
		}
		list += length;
	}
}

static void take_log(const char *given)
{
	bool path = given && strcmp(given, "none") != 0 && strcmp(given, "stderr") != 0;
	(path ? copy_absolute : copy)(egret_runtime.log, sizeof egret_runtime.log, given);
}

static enum egret_mode mode_of(const char *text)
{
	if (strcmp(text, "audit") == 0)
		return EGRET_AUDIT;
	if (strcmp(text, "off") == 0)
		return EGRET_OFF;
	return strcmp(text, "enforce") == 0 ? EGRET_ENFORCE : 0;
}

void egret_locks_take(void)
{
	egret_guard_enter();
	egret_runtime_before_fork();
	egret_names_before_fork();
	egret_dns_before_fork();
	egret_tls_contexts_before_fork();
	egret_ready_before_fork();
	egret_conn_lock();
	const struct egret_engine *engine = egret_engine_loaded();
	if (engine)
		engine->quiesce();
}

void egret_locks_release(bool child)
{
	const struct egret_engine *engine = egret_engine_loaded();
	if (engine)
		engine->resume();
	egret_conn_unlock(child);
	if (child)
		egret_append_after_fork();
	egret_ready_after_fork(child);
	egret_tls_contexts_after_fork();
	egret_dns_after_fork();
	egret_names_after_fork();
	egret_runtime_after_fork();
	egret_guard_leave();
}

void egret_before_fork(void)
{
	egret_locks_take();
	egret_conn_before_fork();
}

void egret_after_fork(bool child)
{
	egret_conn_after_fork(child);
	egret_locks_release(child);
}

static void after_fork_in_parent(void) { egret_after_fork(false); }
static void after_fork_in_child(void) { egret_after_fork(true); }

static void read_environment(void)
{
	find_config();
	find_preload();
	take_log(getenv("EGRET_LOG"));
	copy(egret_runtime.log_format, sizeof egret_runtime.log_format, getenv("EGRET_LOG_FORMAT"));
	copy(egret_runtime.mode_text, sizeof egret_runtime.mode_text, getenv("EGRET_MODE"));
	copy(egret_runtime.run_dir, sizeof egret_runtime.run_dir, getenv("EGRET_RUN"));
	egret_runtime.mode = mode_of(egret_runtime.mode_text);
}

bool egret_start(void)
{
	if (atomic_load_explicit(&egret_started, memory_order_acquire))
		return true;
	if (!egret_real_fill())
		return false;
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	egret_guard_enter();
	pthread_mutex_lock(&once);
	if (!atomic_load_explicit(&egret_started, memory_order_acquire)) {
		egret_say_start();
		read_environment();
		pthread_atfork(egret_before_fork, after_fork_in_parent, after_fork_in_child);
		atomic_store_explicit(&egret_started, true, memory_order_release);
	}
	pthread_mutex_unlock(&once);
	egret_guard_leave();
	return true;
}

/* At exit. Streams are flushed first: the libc would do it later, into connections that have ended. */
static __attribute__((destructor)) void destructor(void)
{
	if (atomic_load(&egret_conn_live) == 0)
		return;
	fflush(NULL);
	egret_fd_farewell();
}

static __attribute__((constructor)) void constructor(void)
{
	egret_start();
}
