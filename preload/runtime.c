#include "runtime.h"

#include "append.h"
#include "guard.h"
#include "lock.h"
#include "record.h"
#include "say.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RELOAD_CHECK_US 400000 /* a change must be seen within 1 s */
#define PATIENCE 1000           /* looks at whether a thread is still at taking the old policy: it needs some nanoseconds */
#define SETTLE_MS 200          /* an editor that writes in place has emptied the file first */
#define SETTLE_MOST_US 400000  /* however often it is written */

/* What a line of the log is made in. */
struct room {
	char exe[EGRET_PATH_MAX], line[16384];
};
_Static_assert(sizeof(struct room) <= EGRET_SCRATCH, "it is made in a room of scratch.h");

/* The policy in force is taken without the lock, which is for whoever loads and looks. What was replaced goes when nobody is at taking it. */
static pthread_mutex_t policy_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct egret_policy *) policy_now; /* one reference; changed under policy_lock */
static _Atomic unsigned policy_takers; /* threads that have read policy_now, perhaps, and hold no reference yet */
static _Atomic int64_t policy_checked_us;
static bool policy_failed; /* a reload failed and was said */
static int64_t policy_unsettled_us; /* when a change was first seen that was too fresh to read; 0: none */

int64_t egret_now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint64_t forker_mask; /* under policy_lock */

void egret_runtime_before_fork(void)
{
	uint64_t before;
	egret_lock(&policy_lock, &before);
	forker_mask = before;
}

void egret_runtime_after_fork(void)
{
	uint64_t before = forker_mask;
	egret_unlock(&policy_lock, &before);
}

static void say_errors(const struct egret_err *err, const char *after)
{
	char text[1024];
	for (size_t i = 0; i < err->count; i++) {
		egret_err_format(err, i, text, sizeof text);
		egret_say("egret: %s", text);
	}
	egret_say("egret: %s", after);
}

static void log_reload(const struct egret_policy *policy, const char *reason, const char *error)
{
	struct egret_event event;
	egret_event_init(&event, EGRET_EVENT_RELOAD);
	event.reason = reason;
	event.error = error;
	egret_runtime_log(policy, &event);
}

/* FRESH is in force. Of takers that do not come to an end, since a signal handler stands in their way or they did not come along into this
 * copy of the process, the old policy may still be taken: it stays. */
static void replace(struct egret_policy *fresh)
{
	struct egret_policy *old = atomic_exchange(&policy_now, fresh);
	for (int i = 0; i < PATIENCE && atomic_load(&policy_takers) != 0; i++)
		sched_yield();
	if (atomic_load(&policy_takers) == 0)
		egret_policy_unref(old);
}

/* The policy in force with a reference; NULL: none yet, or it is time to look at its files again. */
static struct egret_policy *take_now(int64_t now)
{
	atomic_fetch_add(&policy_takers, 1);
	struct egret_policy *policy = atomic_load(&policy_now);
	if (now - atomic_load(&policy_checked_us) < RELOAD_CHECK_US)
		egret_policy_ref(policy);
	else
		policy = NULL;
	atomic_fetch_sub(&policy_takers, 1);
	return policy;
}

/* Under policy_lock. */
static void load_first(void)
{
	struct egret_err err = { 0 };
	struct egret_policy *first = NULL;
	if (access(egret_runtime.config, F_OK) != 0 && errno == ENOENT)
		egret_err_add(&err, NULL, 0, "no policy: there is no %s; write it or set EGRET_CONFIG", egret_runtime.config);
	else
		first = egret_policy_load(egret_runtime.config, &err, NULL);
	if (!first) {
		say_errors(&err, "the policy did not load: everything external is denied");
		first = egret_policy_deny_all();
		policy_failed = true;
	}
	atomic_store(&policy_now, first);
	egret_err_free(&err);
}

/* Under policy_lock. The old policy stays when the new one does not load; that is said once. A file that changed while it was read may
 * have been read in part: the next decision looks again. */
static void load_again(void)
{
	struct egret_err err = { 0 };
	struct egret_policy *fresh = egret_policy_load(egret_runtime.config, &err, NULL);
	if (fresh && egret_policy_changed(fresh)) {
		egret_policy_unref(fresh);
		policy_checked_us = 0;
	} else if (fresh) {
		replace(fresh);
		policy_failed = false;
		log_reload(fresh, "reloaded", NULL);
	} else if (!policy_failed) {
		say_errors(&err, "the changed policy did not load: the old one stays in force");
		policy_failed = true;
		log_reload(policy_now, "kept the old policy", "the changed policy did not load");
	}
	egret_err_free(&err);
}

/* Under policy_lock. */
static void check_again(int64_t now)
{
	policy_checked_us = now;
	if (!policy_failed && !egret_policy_changed(policy_now))
		return;
	if (!policy_unsettled_us)
		policy_unsettled_us = now;
	if (egret_policy_is_settling(policy_now, SETTLE_MS) && now - policy_unsettled_us < SETTLE_MOST_US) {
		policy_checked_us = now - RELOAD_CHECK_US + 50000; /* soon again */
		return;
	}
	policy_unsettled_us = 0;
	load_again();
}

struct egret_policy *egret_runtime_policy(void)
{
	uint64_t before;
	int cancels = egret_guard_enter_whole();
	int64_t now = egret_now_us();
	struct egret_policy *policy = take_now(now);
	if (!policy) {
		egret_lock(&policy_lock, &before);
		if (!policy_now) {
			load_first();
			policy_checked_us = now;
		} else if (now - policy_checked_us >= RELOAD_CHECK_US) {
			check_again(now);
		}
		policy = egret_policy_ref(policy_now);
		egret_unlock(&policy_lock, &before);
	}
	egret_guard_leave_whole(cancels);
	return policy;
}

static enum egret_log_format format_of(const char *text, enum egret_log_format otherwise)
{
	if (strcmp(text, "json") == 0)
		return EGRET_LOG_JSON;
	if (strcmp(text, "text") == 0)
		return EGRET_LOG_TEXT;
	if (strcmp(text, "envoy") == 0)
		return EGRET_LOG_ENVOY;
	return otherwise;
}

const char *egret_runtime_exe(char room[EGRET_PATH_MAX])
{
	static char exe[EGRET_PATH_MAX];
	static _Atomic int state; /* 1: a thread fills it, 2: known */
	int untouched = 0;
	if (atomic_load(&state) == 2)
		return exe;
	bool first = atomic_compare_exchange_strong(&state, &untouched, 1);
	char *to = first ? exe : room;
	ssize_t n = readlink("/proc/self/exe", to, EGRET_PATH_MAX - 1);
	to[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		snprintf(to, EGRET_PATH_MAX, "?");
	if (first)
		atomic_store(&state, 2);
	return to;
}

/* NULL or "none": nowhere. */
static const char *log_target(const struct egret_policy *policy)
{
	if (egret_runtime.log[0])
		return egret_runtime.log;
	return policy ? egret_policy_defaults(policy)->log : NULL;
}

bool egret_runtime_logs(const struct egret_policy *policy)
{
	const char *target = log_target(policy);
	return egret_runtime.run_dir[0] || (target && strcmp(target, "none") != 0);
}

static void write_log(const char *target, const char *line, size_t length)
{
	long result = strcmp(target, "stderr") == 0 ? egret_raw_write(2, line, length) : egret_append(EGRET_APPEND_LOG, target, O_CREAT, line, length);
	if (result < 0)
		egret_say_once(1, "egret: cannot write the log %s: %s", target, strerror((int)-result));
}

static void log_in(struct room *room, const struct egret_policy *policy, const struct egret_event *event)
{
	const struct egret_defaults *defaults = policy ? egret_policy_defaults(policy) : NULL;
	const char *target = log_target(policy);
	enum egret_log_format format = format_of(egret_runtime.log_format, defaults ? defaults->log_format : EGRET_LOG_JSON);
	bool aims_elsewhere = target && strcmp(target, "stderr") == 0 && !egret_say_can();
	size_t length = egret_log_format(format, event, room->line, sizeof room->line);
	if (target && strcmp(target, "none") != 0 && !aims_elsewhere && length > 0)
		write_log(target, room->line, length);
	if (egret_runtime.run_dir[0] && format != EGRET_LOG_JSON)
		length = egret_log_format(EGRET_LOG_JSON, event, room->line, sizeof room->line);
	egret_record_write(room->line, length);
}

void egret_runtime_log(const struct egret_policy *policy, struct egret_event *event)
{
	struct room *room = egret_runtime_logs(policy) ? egret_scratch_take() : NULL;
	if (!room)
		return;
	if (!event->pid)
		event->pid = (int)egret_raw(SYS_getpid, 0, 0, 0, 0);
	bool own = !event->exe;
	if (own)
		event->exe = egret_runtime_exe(room->exe);
	log_in(room, policy, event);
	if (own)
		event->exe = NULL;
	egret_scratch_give(room);
}
