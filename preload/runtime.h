/* What the first covered process fixed for itself and its descendants: policy path, mode, log; and the policy in force.
 *
 * egret_start runs once, at the first hook. It reads the environment as it was at the start of the process (early.h), resolves the
 * real functions, and touches neither the policy nor the engine: those wait for the first decision.
 */
#ifndef EGRET_RUNTIME_H
#define EGRET_RUNTIME_H

#include "early.h"
#include "policy/log.h"
#include "policy/policy.h"

#include <stdatomic.h>

#define EGRET_PATH_MAX 4096

struct egret_runtime {
	const char *config;        /* absolute; where no policy was found, where one may come */
	const char *log;           /* EGRET_LOG; "" when the policy says */
	const char *log_format;    /* EGRET_LOG_FORMAT; "" when the policy says */
	const char *mode_text;     /* EGRET_MODE; "" when the policy says */
	const char *run_dir;       /* EGRET_RUN; "" outside `egret run` */
	const char *preload;       /* how LD_PRELOAD shall name this library, absolute; "" when it does not */
	const char *preload_given; /* how it did when this process started */
	enum egret_mode mode;      /* 0: the policy's */
};

extern struct egret_runtime egret_runtime;
extern _Atomic bool egret_started;

/* True once everything below may be used. False: this very thread is still inside the start. */
bool egret_start(void);

/* The policy in force with a reference; loads it at the first call and again when its files changed (looked at once a second at most).
 * Never NULL: what cannot be loaded denies everything (egret_policy_deny_all); NULL only when memory is out: deny. */
struct egret_policy *egret_runtime_policy(void);

/* Monotonic microseconds. */
int64_t egret_now_us(void);

/* The file this process runs, "?" when it cannot be known; asked of the kernel once. ROOM is used by who comes while another thread asks. */
const char *egret_runtime_exe(char room[EGRET_PATH_MAX]);

/* Would egret_runtime_log write anything? */
bool egret_runtime_logs(const struct egret_policy *policy);
/* Writes EVENT to the policy's log (or EGRET_LOG) and to the run's event file. */
void egret_runtime_log(const struct egret_policy *policy, struct egret_event *event);

/* Every lock of the library and the engine, so that a copy of this process finds them consistent. CHILD: this is the copy. */
void egret_locks_take(void);
void egret_locks_release(bool child);

/* Around whatever copies the process and lets the copy run the program's code: the locks, and who owns which TLS state. Registered with
 * pthread_atfork; called by the hooks of what passes that by. */
void egret_before_fork(void);
void egret_after_fork(bool child);

/* Locks of this file around fork. */
void egret_runtime_before_fork(void);
void egret_runtime_after_fork(void);

#endif
