/* The start: environment, real functions, fork handlers. The first hook runs it; the constructor only takes down what it will read. */
#include "append.h"
#include "conn.h"
#include "dns_asked.h"
#include "early.h"
#include "engine_load.h"
#include "guard.h"
#include "hooks.h"
#include "names.h"
#include "pool.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"
#include "tls_contexts.h"

#include "policy/raw.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The library is linked without the compiler's start files, whose constructors and destructors have nothing to do here, and is never unloaded.
 * This name of theirs is what pthread_atfork(3) and at_quick_exit(3) would know the library by then. */
extern EGRET_EARLY __attribute__((visibility("hidden"))) void *__dso_handle;
void *__dso_handle = &__dso_handle;

EGRET_EARLY struct egret_runtime egret_runtime;
EGRET_EARLY _Atomic bool egret_started;

/* What had to be put together, or to be copied where the environment had no room in early.h's. */
static char config_made[EGRET_PATH_MAX], log_made[EGRET_PATH_MAX], preload_made[EGRET_PATH_MAX], preload_word[EGRET_PATH_MAX];
static char run_made[EGRET_PATH_MAX], format_made[16], mode_made[16];

/* GIVEN, in ROOM of SIZE characters if the program can change it; "" for NULL and for what does not fit. */
static const char *held(const char *given, char *room, size_t size)
{
	if (!given || strlen(given) >= size)
		return "";
	return egret_early.kept ? given : memcpy(room, given, strlen(given) + 1);
}

static bool find_file(char to[EGRET_PATH_MAX], const char *directory, const char *rest)
{
	int n = snprintf(to, EGRET_PATH_MAX, "%s%s", directory, rest);
	return n >= 0 && n < EGRET_PATH_MAX && access(to, F_OK) == 0;
}

/* GIVEN from where this process stands, made in ROOM: its descendants may stand elsewhere. What does not fit is "". */
static const char *absolute(const char *given, char room[EGRET_PATH_MAX])
{
	char here[EGRET_PATH_MAX];
	if (!given || !given[0] || given[0] == '/')
		return held(given, room, EGRET_PATH_MAX);
	if (!getcwd(here, sizeof here))
		return "";
	int n = snprintf(room, EGRET_PATH_MAX, "%s/%s", here[1] ? here : "", given);
	return n >= 0 && n < EGRET_PATH_MAX ? room : "";
}

#define DEFAULT_CONFIG SYSCONFDIR "/egret/egret.ini"

/* Where there is no policy yet, the place is fixed all the same: a descendant cannot bring its own. */
static const char *find_config(void)
{
	const char *given = egret_early_given(EGRET_GIVEN_CONFIG);
	if (given && given[0])
		return absolute(given, config_made);
	const char *xdg = egret_early_given(EGRET_GIVEN_XDG), *home = egret_early_given(EGRET_GIVEN_HOME);
	bool has_xdg = xdg && xdg[0] == '/'; /* a relative one is not taken, as the XDG specification says */
	if (has_xdg && find_file(config_made, xdg, "/egret/egret.ini"))
		return config_made;
	if (!has_xdg && home && home[0] == '/' && find_file(config_made, home, "/.config/egret/egret.ini"))
		return config_made;
	return DEFAULT_CONFIG;
}

/* The word of LD_PRELOAD that names this library, so that it can be handed on as it was given. */
static void find_preload(void)
{
	const char *list = egret_early_given(EGRET_GIVEN_PRELOAD);
	egret_runtime.preload = egret_runtime.preload_given = "";
	while (list && *list) {
		list += strspn(list, " :");
		size_t length = strcspn(list, " :");
		if (length >= 11 && length < sizeof preload_word && memmem(list, length, "libegret.so", 11)) {
			memcpy(preload_word, list, length);
			bool relative = list[0] != '/' && list[0] != '$' && memchr(list, '/', length);
			egret_runtime.preload_given = preload_word;
			egret_runtime.preload = relative ? absolute(preload_word, preload_made) : preload_word;
			return;
		}
		list += length;
	}
}

static const char *find_log(void)
{
	const char *given = egret_early_given(EGRET_GIVEN_LOG);
	bool path = given && strcmp(given, "none") != 0 && strcmp(given, "stderr") != 0;
	return path ? absolute(given, log_made) : held(given, log_made, sizeof log_made);
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
	egret_early_take(environ);
	egret_runtime.config = find_config();
	find_preload();
	egret_runtime.log = find_log();
	egret_runtime.log_format = held(egret_early_given(EGRET_GIVEN_LOG_FORMAT), format_made, sizeof format_made);
	egret_runtime.mode_text = held(egret_early_given(EGRET_GIVEN_MODE), mode_made, sizeof mode_made);
	egret_runtime.run_dir = held(egret_early_given(EGRET_GIVEN_RUN), run_made, sizeof run_made);
	egret_runtime.mode = mode_of(egret_runtime.mode_text);
}

/* Streams are not flushed then, at_quick_exit(3). */
static void leave_quickly(void *unused)
{
	(void)unused;
	egret_fd_farewell();
}

/* One thread does it, others wait; a signal handler that comes in between meets the guard. A fork waits, too (on_fork.c). */
bool egret_start(void)
{
	static EGRET_EARLY _Atomic bool begun;
	if (atomic_load_explicit(&egret_started, memory_order_acquire))
		return true;
	if (egret_guard_inside())
		return false;
	egret_guard_enter();
	if (!atomic_exchange(&begun, true)) {
		egret_real_fill();
		read_environment();
		egret_pool_begin();
		pthread_atfork(egret_before_fork, after_fork_in_parent, after_fork_in_child);
		real.__cxa_at_quick_exit(leave_quickly, &__dso_handle);
		atomic_store_explicit(&egret_started, true, memory_order_release);
	}
	while (!atomic_load_explicit(&egret_started, memory_order_acquire))
		egret_raw_pause();
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

/* Where the environment does not fit, or means another place after the first chdir, the start cannot wait for a hook. */
static __attribute__((constructor)) void constructor(int argc, char **argv, char **envp)
{
	(void)argc, (void)argv;
	egret_guard_enter();
	egret_early_take(envp);
	egret_guard_leave();
	if (!egret_early.kept)
		egret_start();
}
