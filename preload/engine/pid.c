/* OpenSSL asks for the process's number whenever it takes random bytes, so that no copy of a process goes on with the numbers of the other: three
 * system calls a connection. Here it asks whoever knows without one (use_pid). Linked with --wrap=getpid.
 */
#include "internal.h"

#include "policy/raw.h"

pid_t __wrap_getpid(void);

static _Atomic(egret_pid_known) known; /* NULL: the kernel alone */

void egret_pid_use(egret_pid_known function) { atomic_store(&known, function); }

pid_t __wrap_getpid(void)
{
	egret_pid_known function = atomic_load_explicit(&known, memory_order_relaxed);
	return (pid_t)(function ? function() : egret_raw(SYS_getpid, 0, 0, 0, 0));
}
