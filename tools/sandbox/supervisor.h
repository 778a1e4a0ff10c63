/* What the supervisor's parts share: the process it judges for, one call, the ruling.
 *
 * One struct supervisor, created before the command is, lives until the tree is empty. Threads: one waits in RECV (the leader);
 * one that is about to block hands the listener to a parked thread first (egret_pool_hand_over). `lock` guards the pool; names,
 * counts and the relay have locks of their own; none is held across a system call that can block.
 */
#ifndef EGRET_SANDBOX_SUPERVISOR_H
#define EGRET_SANDBOX_SUPERVISOR_H

#include "abi.h"
#include "names.h"
#include "policy/denial.h"
#include "sandbox.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/un.h>

#define EGRET_UPSTREAM_MAX 3

struct egret_supervisor {
	int listener;
	struct egret_policy *policy; /* in force; egret_policy_hold */
	pthread_mutex_t policy_lock;
	enum egret_mode mode;
	bool require;
	const char *config; /* the policy's file, NULL: not known */
	const char *log;    /* NULL: none */
	enum egret_log_format log_format;
	int events; /* file that the launcher reports from: every event as a line; -1: none */
	struct egret_sandbox_facts facts;
	bool makes_sockets; /* made.h */
	struct egret_names *names;
	/* the pool */
	pthread_mutex_t lock;
	pthread_cond_t parked;
	bool receiving;      /* a thread is the leader */
	unsigned idle;       /* threads parked */
	/* resolver (resolver.h): ports on loopback in the tree's network namespace, 0: none */
	struct egret_endpoint upstream[EGRET_UPSTREAM_MAX];
	size_t upstream_count;
	uint16_t dns_port4, dns_port6;
	/* relay (relay.h) */
	uint16_t relay_port4, relay_port6;
	pid_t command;
};

/* A thread of the pool; lives on that thread's stack. */
struct egret_worker {
	struct egret_supervisor *sup;
	bool leading;
	pid_t cached_pid; /* whose pidfd is cached; a reused pid shows as ESRCH */
	int cached_pidfd; /* -1: none */
	uint8_t *buffer;  /* EGRET_CALL_BUFFER bytes for what is sent */
};
#define EGRET_CALL_BUFFER (1u << 20)

/* One notification while it is answered; lives on the worker's stack. */
struct egret_call {
	struct egret_worker *worker;
	struct egret_supervisor *sup;
	uint64_t id;
	pid_t pid; /* of the thread */
	int nr;
	uint32_t arch;
	const uint64_t *args;
	struct egret_policy *policy; /* held while the call is answered */
	bool passes;   /* the kernel goes on with it: only what can lead nowhere (made.h, call_reach.c) */
};

/* The socket of a call: our duplicate and what it is. */
struct egret_target {
	int fd; /* duplicate; -1: none */
	int domain; /* 0: not asked yet, egret_target_domain */
	int type, protocol;
	enum egret_transport transport; /* 0: netlink or something that is refused */
};

/* ---- target.c: reading another process ---- */

/* An ioctl of the listener that is not abandoned when a tick (wait.h) interrupts it: an answer that was not given would leave its caller
 * waiting for ever. Its value or a negative errno. SECCOMP_ADDFD_FLAG_SEND is not to be used: interrupted, it answers 0 and adds nothing. */
int egret_listener(const struct egret_supervisor *sup, unsigned long request, void *argument);
/* True while the call still waits for its answer, so that what was read belonged to it. */
bool egret_call_valid(const struct egret_call *call);
/* Copies SIZE bytes of the caller's memory; false: -EFAULT is the answer. */
bool egret_call_read(const struct egret_call *call, uint64_t address, void *buf, size_t size);
bool egret_call_write(const struct egret_call *call, uint64_t address, const void *buf, size_t size);
/* Duplicates descriptor FD of the caller. Negative errno on failure. */
int egret_call_dup(const struct egret_call *call, int fd);
/* Duplicates and looks at it. 0 or a negative errno (-ENOTSOCK, -EBADF). Close with egret_target_close. */
int egret_target_open(const struct egret_call *call, int fd, struct egret_target *target);
void egret_target_close(struct egret_target *target);
int egret_target_domain(struct egret_target *target);
bool egret_target_nonblock(const struct egret_target *target); /* O_NONBLOCK */
/* Does it speak IPv6 only, so that 127.0.0.1 cannot be reached from it? */
bool egret_target_v6only(struct egret_target *target);
/* Is a signal waiting that the caller would act on? Looked up in /proc: only for calls that already wait. */
bool egret_call_interrupted(const struct egret_call *call);
/* The errno of an interrupted call: it is run again by the kernel, unless the socket has a time-out (socket(7)). */
int egret_call_interruption(const struct egret_target *target);
void egret_call_raise(const struct egret_call *call, int signal);
/* Gives TAKE the lines of /proc/PID/status until it says false. False: there is no such process. */
bool egret_status_lines(pid_t pid, bool (*take)(const char *line, void *data), void *data);
/* The process of THREAD; the thread itself where that is not known any more. */
pid_t egret_process_of(pid_t thread);
/* How many threads the caller's process has; 0: not known. */
int egret_call_threads(const struct egret_call *call);
const char *egret_call_exe(const struct egret_call *call, char *buf, size_t size);

/* ---- threads, pool and policy (supervisor.c) ---- */

/* Starts a detached thread with a small stack. */
bool egret_start_thread(void *(*run)(void *), void *data);

/* The policy in force, referenced: egret_policy_unref it. */
struct egret_policy *egret_policy_hold(struct egret_supervisor *sup);

/* Another thread takes the listener over; call before anything that may block. */
void egret_pool_hand_over(struct egret_worker *worker);

/* ---- judge.c: the ruling ---- */

enum egret_route { EGRET_ROUTE_NONE = 0, EGRET_ROUTE_DIRECT, EGRET_ROUTE_RELAY, EGRET_ROUTE_RESOLVER };

struct egret_ruling {
	enum egret_route route; /* NONE: refused with ERROR */
	int error;
	struct egret_verdict verdict;
	char host[EGRET_NAME_MAX]; /* the name it was judged by; "" none */
};

/* Judges an internet destination, writes its line and counts it. */
struct egret_ruling egret_judge_address(const struct egret_call *call, enum egret_transport transport,
					const struct egret_addr *addr, uint16_t port);
struct egret_unix_place;
/* Judges a unix socket's path. What of the tree is bound there needs no entry. */
struct egret_ruling egret_judge_path(const struct egret_call *call, const char *path, const struct egret_unix_place *place);
int egret_deny_errno(const struct egret_call *call);
/* Is a denial of ENTRY only written down? */
bool egret_audits(const struct egret_supervisor *sup, const struct egret_policy *policy, const struct egret_entry *entry);

/* ---- trace.c: the log, stderr and the counts ---- */

/* Writes EVENT to the log and for the report. Thread-safe. */
void egret_trace(struct egret_supervisor *sup, const struct egret_event *event);
/* Counts ROW; how often it came, this time included. */
uint64_t egret_count(const struct egret_sandbox_count *row);
/* One line on stderr, as the preload layer writes it, once a destination and process; THREAD is one of that process, 0: not known. */
void egret_say_denied(pid_t thread, const struct egret_denial *denial);
/* A refusal that no entry can lift: one line (the first time for WHAT and DETAIL) and a count. Returns ERROR. */
int egret_refuse(const struct egret_call *call, const char *what, const char *detail, int error);
/* The counts as an array for the launcher; the caller frees. */
struct egret_sandbox_count *egret_counts_take(size_t *count, uint64_t *denied);

/* ---- the calls: each returns a value >= 0 or a negative errno for the program ---- */
int64_t egret_call_connect(struct egret_call *call);
int64_t egret_call_sendto(struct egret_call *call);
int64_t egret_call_sendmsg(struct egret_call *call);
int64_t egret_call_sendmmsg(struct egret_call *call);
int64_t egret_call_bind(struct egret_call *call);
int64_t egret_call_getpeername(struct egret_call *call);
int64_t egret_call_reach(struct egret_call *call);
int64_t egret_call_refused(struct egret_call *call);
/* Is PID a descendant of this process? */
bool egret_in_tree(pid_t pid);

/* ---- address.c: a socket address, copied and judged ---- */
struct egret_where {
	struct sockaddr_storage ss; /* what the kernel is given: ours, rebuilt from what was judged */
	socklen_t len;
	struct egret_ruling ruling;
	struct egret_addr addr;
	uint16_t port;
	int pinned; /* descriptor that holds a unix path; -1: none */
};
/* Copies LEN bytes at ADDRESS, judges. 0: go (WHERE filled; free with egret_where_done), else a negative errno. */
int egret_where_read(struct egret_call *call, struct egret_target *target, uint64_t address, uint64_t len, bool sending,
		     struct egret_where *where);
void egret_where_done(struct egret_where *where);
int egret_local_where(struct egret_call *call, const struct sockaddr_un *un, socklen_t len, int type, struct egret_where *where);

/* The supervisor's life; never returns. RESULT: pipe to the launcher. */
void egret_supervise(struct egret_supervisor *sup, int result) __attribute__((noreturn));

#endif
