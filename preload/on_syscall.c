/* syscall(2): the calls that have a hook of their own go to it, io_uring does not exist, everything else is the kernel's. */
#include "hooks.h"

#include "policy/raw.h"
#include "runtime.h"

#include <sched.h>

static long kernel(long number, const long a[6])
{
	long result = egret_raw6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result < 0 && result >= -4095) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

/* fork by number. vfork by number would come back into a stack that its child has used: it is a fork, too. */
static long copy_process(long number, const long a[6])
{
	egret_before_fork();
	long pid = kernel(number, a);
	egret_after_fork(pid == 0);
	return pid;
}

long egret_on_syscall(long number, const long a[6])
{
	switch (number) {
	case SYS_connect:
		return egret_on_connect((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]);
	case SYS_getpeername:
		return egret_on_getpeername((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
	case SYS_execve:
		return egret_on_execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
#ifdef SYS_fork
	case SYS_fork:
		return copy_process(number, a);
	case SYS_vfork:
		return copy_process(SYS_fork, a);
#endif
	case SYS_clone:
		return a[0] & CLONE_VM ? kernel(number, a) : copy_process(number, a);
	case SYS_clone3:
		return a[0] && *(const uint64_t *)a[0] & CLONE_VM ? kernel(number, a) : copy_process(number, a);
	case SYS_io_uring_setup:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
		errno = ENOSYS; /* programs fall back to calls that can be seen */
		return -1;
	}
	return kernel(number, a);
}
