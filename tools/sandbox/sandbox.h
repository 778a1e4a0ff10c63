/* The boundary: a supervisor that judges every connect and addressed send of a process tree, whoever issues it.
 *
 * egret_sandbox_start forks twice: launcher → supervisor → command. The supervisor is the command's parent and the tree's
 * subreaper, not dumpable, and outlives the launcher where children of the command do. What it judges with is the policy that
 * it was started with. If it dies, every governed system call of the tree answers ENOSYS: nothing gets out.
 */
#ifndef EGRET_SANDBOX_H
#define EGRET_SANDBOX_H

#include "policy/policy.h"

#include <stddef.h>
#include <sys/types.h>

enum egret_sandbox_mode { EGRET_SANDBOX_REQUIRE = 0, EGRET_SANDBOX_AUTO, EGRET_SANDBOX_OFF };

/* What this machine offers; each false costs what egret_sandbox_missing says. */
struct egret_sandbox_facts {
	bool notify;         /* seccomp user notification with a private listener */
	bool killable;       /* WAIT_KILLABLE_RECV: signals cannot abandon a decided call */
	bool memory;         /* process_vm_readv on a child */
	bool getfd;          /* pidfd_getfd on a child; without it the supervisor makes the sockets itself */
	bool sync_wake;      /* the supervisor is woken on the caller's CPU: speed only */
	int landlock;        /* ABI; signal scope from 6 on */
	int ptrace_scope;    /* Yama; -1: not there */
};

#define EGRET_SANDBOX_LANDLOCK 2         /* the ABI that `require` demands: processes outside are not traced, renames go on */
#define EGRET_SANDBOX_LANDLOCK_SIGNALS 6 /* from this one on signals are scoped, too; before, the supervisor judges each */

void egret_sandbox_probe(struct egret_sandbox_facts *facts);
/* Can the resolver have a network namespace of its own? Tried by making one: for those who ask; a sandbox that starts finds out by itself. */
bool egret_sandbox_has_namespaces(void);
/* Why `require` refuses on this machine, one sentence; NULL: it holds. Static text. */
const char *egret_sandbox_missing(const struct egret_sandbox_facts *facts);
/* One line of active layers for `auto`, e.g. "sandbox: supervisor, landlock, resolver". Returns BUF. */
const char *egret_sandbox_layers(const struct egret_sandbox_facts *facts, char *buf, size_t size);

struct egret_sandbox_options {
	enum egret_sandbox_mode sandbox;
	struct egret_sandbox_facts facts;    /* of egret_sandbox_probe */
	const char *config;                  /* the policy's file, absolute: looked at again where the command cannot write it */
	struct egret_policy *policy;         /* borrowed until start returns; the supervisor keeps its own reference */
	enum egret_mode mode;                /* overrides the policy's when not 0 */
	const char *log;                     /* NULL, "stderr" or an absolute path */
	enum egret_log_format log_format;
	int events;                          /* an appending file for the report: what the supervisor saw, as JSON lines; -1: none */
};

/* One destination that the supervisor judged itself. */
struct egret_sandbox_count {
	char what[16];                       /* tcp, udp, unix, dns, or what was refused: "io_uring", "socket", ... */
	char host[EGRET_NAME_MAX];           /* name, path or "" */
	char address[EGRET_ADDR_TEXT];       /* "ip:port" or "" */
	char entry[64];                      /* the entry that decided, or "" */
	char reason[64];                     /* machine's word */
	uint16_t port;
	bool allowed, audited;
	uint64_t count;
};

struct egret_sandbox {
	pid_t supervisor; /* child of the caller */
	pid_t command;    /* grandchild: signals go there */
	int result;       /* owned: reads the status and the counts */
	struct egret_sandbox_count *counts; /* owned; filled by egret_sandbox_wait */
	size_t count;
	uint64_t denied;  /* denials in all */
};

/* Returns 0 in the command's process, which is then governed and must exec; its pid in the launcher; -1 with ERR filled (launcher
 * only; nothing was left running). The caller must be single-threaded. */
pid_t egret_sandbox_start(const struct egret_sandbox_options *options, struct egret_sandbox *box, struct egret_err *err);
/* Waits for the command; *STATUS as waitpid gives it. EINTR: returns -1 and errno, call again. */
int egret_sandbox_wait(struct egret_sandbox *box, int *status);
void egret_sandbox_free(struct egret_sandbox *box);

#endif
