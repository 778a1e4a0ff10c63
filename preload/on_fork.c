/* What copies a process past fork(3): its handlers (pthread_atfork) are called here, so that each copy knows which TLS state is its own. */
#include "conn.h"
#include "copies.h"
#include "hooks.h"
#include "policy/raw.h"
#include "real.h"
#include "runtime.h"

#include <sched.h>

/* The handlers do it, once the library has started: that no thread is still at the start when it is copied is all that this hook is for. */
pid_t egret_on_fork(void) { return real.fork(); }

pid_t egret_on_bare_fork(void)
{
	egret_before_fork();
	pid_t pid = real._Fork();
	egret_after_fork(pid == 0);
	return pid;
}

/* The library's own is registered at its start, which comes before the first of the program's for this hook's sake, and so runs behind them all. */
int egret_on_at_quick_exit(void (*run)(void *), void *library) { return real.__cxa_at_quick_exit(run, library); }

/* vfork's child runs in its parent's memory, where its closes and dups would change the parent's tables. While connections are governed
 * it gets a copy instead, and the parent waits as vfork's does: until the child execs or ends, which closes the pipe. */
static pid_t fork_and_wait(void)
{
	int line[2];
	char byte;
	bool waits = egret_raw(SYS_pipe2, line, O_CLOEXEC, 0, 0) == 0;
	if (waits)
		line[1] = egret_fd_aside(line[1]);
	pid_t pid = real.fork();
	int saved = errno;
	if (waits && pid == 0)
		egret_raw_close(line[0]);
	if (waits && pid != 0) {
		egret_raw_close(line[1]);
		while (pid > 0 && egret_raw_read(line[0], &byte, 1) == -EINTR)
			;
		egret_raw_close(line[0]);
	}
	errno = saved;
	return pid;
}

void *egret_on_vfork(void)
{
	egret_copies_memory_is_shared();
	return atomic_load_explicit(&egret_conn_live, memory_order_relaxed) == 0 ? (void *)real.vfork : (void *)fork_and_wait;
}

struct cloned {
	int (*run)(void *);
	void *arg;
};

static int run_copy(void *cloned)
{
	struct cloned it = *(struct cloned *)cloned;
	egret_after_fork(true);
	return it.run(it.arg);
}

int egret_on_clone(int (*run)(void *), void *stack, int flags, void *arg, void *const extra[3])
{
	struct cloned cloned = { run, arg };
	if (flags & CLONE_VM) {
		egret_copies_memory_is_shared();
		return real.clone(run, stack, flags, arg, extra[0], extra[1], extra[2]);
	}
	egret_before_fork();
	int pid = real.clone(run_copy, stack, flags, &cloned, extra[0], extra[1], extra[2]);
	egret_after_fork(false);
	return pid;
}
