/* One connection that egret governs, and the registry that finds it by descriptor.
 *
 * A conn exists for a descriptor whose bytes egret changes or reads: a wrapped socket (TLS originated), a passthrough socket whose
 * ClientHello is still to be judged, the observed connection of an http entry. A plain allowed socket has none: its slot is empty
 * and every hook falls through after one load.
 *
 * Registry: a sparse two-level array indexed by descriptor; slots are atomic pointers, read without a lock (signal handlers), written
 * under the registry's lock. A hook takes a reference (egret_conn_get) and drops it (egret_conn_put); the last one frees. Dup'ed
 * descriptors share one conn (fd_count). Lifetime: from connect until the last descriptor is closed and the last hook has left.
 * A hook that waits in the kernel holds nothing meanwhile (egret_conn_part): a signal handler may jump out of it, and the thread be cancelled.
 * Fork: the shared word `owner` decides which process may use the TLS state after a fork: the first that uses it. `lines` (lines.h)
 * tell whether others hold the connection still, and where it went when one of them moved it to a relay.
 * A connection that another thread was busy with when the process was copied is not the copy's: nobody knows in which state its copy is.
 * What the others do afterwards asks again for each record (wire.h, ours).
 * Locks: observed.h's (taken before the wire's), wire.h's.
 */
#ifndef EGRET_CONN_H
#define EGRET_CONN_H

#include "fd_bits.h"
#include "lines.h"
#include "policy/policy.h"
#include "wire.h"

#include <stdatomic.h>

enum egret_conn_state {
	EGRET_CONN_CONNECTING = 1, /* TCP connect in progress (non-blocking) */
	EGRET_CONN_HANDSHAKING,    /* STARTTLS dialogue or TLS handshake */
	EGRET_CONN_OPEN,
	EGRET_CONN_FAILED          /* connect_errno says how; SO_ERROR gives it once */
};

/* Nagle's algorithm would hold the program's first bytes until the server's kernel has acknowledged the end of the handshake, of which a TCP
 * connection knows nothing: TCP_NODELAY is set while they are sent. */
enum egret_prompt {
	EGRET_PROMPT_NOT = 0, /* the program has set it itself, or its first bytes are out */
	EGRET_PROMPT_DUE,
	EGRET_PROMPT_SET      /* it is set, and not by the program */
};

#define EGRET_WAITERS 8

struct egret_passthrough; /* passthrough.h */
struct egret_starttls_dialogue; /* starttls.h */
struct egret_observed; /* observed.h */
struct egret_dns_watch; /* dns_watch.h */

struct egret_conn {
	_Atomic unsigned refs;
	uint64_t serial;              /* tells it from others that its memory was or will be */
	_Atomic unsigned fd_count;    /* descriptors of this process that mean it */
	_Atomic uint64_t inode;       /* of the socket: tells a number that was closed and used again behind the hooks' back */
	_Atomic int state;            /* enum egret_conn_state */
	struct egret_policy *policy;  /* referenced: entry lives in it */
	const struct egret_entry *entry;
	bool wrapped;                 /* TLS is originated: wire is valid */
	_Atomic bool passthrough;     /* the program's first writes are still to be judged: hello is valid */
	_Atomic bool asks;            /* wrapped, and the program's first words mean something before they are sent: starttls hears them */
	_Atomic bool unspoken;        /* wrapped, and the program has written nothing yet */
	bool by_host;                 /* the entry was matched by host name */
	_Atomic int connect_errno;    /* result of the handshake for SO_ERROR; 0: none or taken */
	char host[EGRET_NAME_MAX];    /* judged by; "" when only the address is known */
	struct egret_addr asked, dialled;
	uint16_t asked_port, dialled_port;
	_Atomic bool begun;           /* wrapped: connect has dialled, and has come back */
	_Atomic int dialler;          /* the thread whose connect has another endpoint to try should the one that it is at fail; 0: none */
	int domain;                   /* AF_INET or AF_INET6 */
	struct egret_wire wire;
	struct egret_tls_ctx *ctx;    /* referenced */
	const char *tls_version, *tls_cipher; /* the engine's own, for the log; NULL: not open, or nobody writes it down */
	struct egret_passthrough *hello; /* owned, under step_lock; NULL when judged */
	struct egret_observed *observed; /* owned; NULL unless protocol = http: its bytes go through the observer, wrapped or not */
	long pid;                     /* of the program that uses it, for the log */
	struct egret_dns_watch *dns;  /* owned; NULL unless it talks to port 53: then neither wrapped nor passthrough */
	struct egret_starttls_dialogue *starttls; /* owned; NULL when done or none; under step_lock */
	pthread_mutex_t step_lock;    /* one thread drives the connect or the handshake */
	_Atomic int prompt;           /* enum egret_prompt */
	struct egret_conn *next_pending; /* pending.h's list of handshakes under way */
	bool is_pending;              /* ... is it on it */
	_Atomic short narrowed;       /* what its epoll registrations wait for meanwhile; 0: not narrowed */
	_Atomic bool dialling;        /* plain, and under way when connect returned: nobody has seen how it ended */
	_Atomic bool unreached;       /* ... and it came to nothing, as the log says */
	_Atomic bool told;            /* what broke it was said and logged */
	_Atomic bool reported;        /* a second connect() has told the program the outcome */
	int64_t started_us;           /* monotonic */
	_Atomic int64_t deadline_us;  /* ... of the handshake */
	_Atomic long *owner;          /* in a page shared across fork: pid that owns the TLS state; 0 after a fork: unclaimed */
	struct egret_lines lines;
	_Atomic int lowat;            /* SO_RCVLOWAT as the program set it */
	_Atomic int tells_rest;       /* TCP_INQ, recvmsg tells how much is left; -1: the kernel was not asked */
	_Atomic bool wrote, waits;    /* the last transfer was a write; reads have waited in the kernel (io.c: who waits anyway, waits first) */
	_Atomic int waiters[EGRET_WAITERS]; /* numbers of threads that wait in the kernel for something to read (answer.h); 0: free */
	_Atomic bool crowded;         /* there were more of them once */
	_Atomic int64_t bytes_received, bytes_sent; /* of the program's plaintext */
};

#define EGRET_OWNER_RELAY (-2L) /* a relay has the TLS state (relay.h) */
#define EGRET_OWNER_KERNEL (-1L) /* of a passthrough connection that some process has judged: nobody's bytes are looked at any more */

/* Must what the program writes go through the hooks? Else the descriptor is as good as plain. */
static inline bool egret_conn_takes_writes(const struct egret_conn *conn)
{
	return conn->wrapped || conn->observed || conn->dns || atomic_load(&conn->passthrough);
}

/* How many slots are taken: the fast path of the poll family. */
extern _Atomic unsigned egret_conn_live;

/* The connection of FD with a reference, or NULL. Async-signal-safe when the slot is empty. */
struct egret_conn *egret_conn_get(int fd);
void egret_conn_put(struct egret_conn *conn);
/* Around a wait in the kernel. Part drops the caller's reference, and tells what rejoin wants to know to take it again; false: CONN has gone
 * meanwhile, and must not be touched. */
uint64_t egret_conn_part(struct egret_conn *conn);
bool egret_conn_rejoin(struct egret_conn *conn, uint64_t serial);
/* As get and put where nothing else may be done: also where it has gone to a relay; false: the last reference is left with the caller. */
struct egret_conn *egret_conn_get_as_is(int fd);
bool egret_conn_put_unless_last(struct egret_conn *conn);
/* Is the slot of FD taken? One load while none is, else three. */
bool egret_conn_slot_taken(int fd);
static inline bool egret_conn_has(int fd)
{
	return atomic_load_explicit(&egret_conn_live, memory_order_acquire) != 0 && egret_conn_slot_taken(fd);
}

/* FD is new to the program (socket, accept, dup, ...): whatever its slot held was closed behind the hooks' back. One load. */
void egret_conn_fresh(int fd);
/* The inode of the socket at FD; 0: there is none. */
uint64_t egret_conn_inode(int fd);
/* Is FD no longer the socket of CONN: the number was closed, and perhaps used again, behind the hooks' back? Drop: empties its slot then. */
bool egret_conn_is_stale(const struct egret_conn *conn, int fd);
bool egret_conn_drop_stale(const struct egret_conn *conn, int fd);

/* What the program asked of FD's close-on-exec, a property of each descriptor; the kernel's flag is always set on a wrapped one. */
bool egret_conn_cloexec(int fd);
void egret_conn_set_cloexec(int fd, bool on);

/* A new conn with one reference and no descriptor; NULL when memory is out. */
struct egret_conn *egret_conn_new(void);
/* FD means CONN from now on (what was there is dropped as if the kernel had closed it). 0 or -ENOMEM. */
int egret_conn_set(int fd, struct egret_conn *conn);
/* FD is about to be closed, or to mean something else: its conn (a reference), which FD does not count for any more. Until LEFT, behind that, hooks
 * meet it still: what other threads say meanwhile must not go out as it is. NULL: there is none, or another thread is at it. */
struct egret_conn *egret_conn_leave(int fd);
void egret_conn_left(int fd, struct egret_conn *conn);
/* Empties the slot and returns the conn with a reference that the caller puts; NULL when there was none. */
struct egret_conn *egret_conn_take(int fd);

/* Empties every slot of this process that means CONN, FD's first. The caller has a reference of its own. */
void egret_conn_forget(const struct egret_conn *conn, int fd);

/* May this process use the TLS state (claims it after a fork)? false: another process does; one log line was written. */
bool egret_conn_own(struct egret_conn *conn);

/* The same, for the wire of a conn (wire.h, ours). */
bool egret_conn_owns_wire(struct egret_wire *wire);

/* This process, a relay, takes what it was started for. */
void egret_conn_claim(struct egret_conn *conn);

/* Is it for this process to end the connection (close_notify)? The owner does; unclaimed after a fork, the last that holds it. */
bool egret_conn_may_end(struct egret_conn *conn);

/* Another descriptor of this process that means CONN, -1 when there is none. */
int egret_conn_other_fd(const struct egret_conn *conn);
/* The next one from FROM on. */
int egret_conn_next_of(const struct egret_conn *conn, int from);
/* The lowest descriptor of at least FROM with a conn, -1 when there is none. */
int egret_conn_next_fd(int from);
/* This process's number, one load: a vfork child may be given its parent's. */
long egret_own_pid(void);
/* The same for callers in the middle of something: nothing is done about a copy that no hook told of. */
long egret_known_pid(void);
/* Does this process own the registry? false in a vfork child, which must not change its parent's tables. */
bool egret_conn_registry_is_ours(void);
/* The same, and there was something to register: false also where nobody knows. */
bool egret_conn_registry_is_mine(void);

/* Around fork, under the registry's lock: every TLS state is unclaimed after it. */
void egret_conn_before_fork(void);
void egret_conn_after_fork(bool child);
/* The registry's lock, for a copy of this process. CHILD: this is the copy. */
void egret_conn_lock(void);
void egret_conn_unlock(bool child);

#endif
