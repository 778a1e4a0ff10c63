/* syscall(2): the calls that have a hook of their own go to it, io_uring does not exist, everything else is the kernel's. */
#include "hooks.h"

#include "conn.h"
#include "policy/raw.h"
#include "prepare.h"
#include "record.h"
#include "runtime.h"

#include <linux/aio_abi.h>
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

static bool call_read(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_read: *result = egret_on_read((int)a[0], (void *)a[1], (size_t)a[2]); return true;
	case SYS_readv: *result = egret_on_readv((int)a[0], (const struct iovec *)a[1], (int)a[2]); return true;
	case SYS_preadv2: *result = egret_on_preadv2((int)a[0], (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]); return true;
	case SYS_recvfrom:
		*result = egret_on_recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (struct sockaddr *)a[4], (socklen_t *)a[5]);
		return true;
	case SYS_recvmsg: *result = egret_on_recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]); return true;
	case SYS_recvmmsg:
		*result = egret_on_recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct timespec *)a[4]);
		return true;
	}
	return false;
}

static bool call_write(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_write: *result = egret_on_write((int)a[0], (const void *)a[1], (size_t)a[2]); return true;
	case SYS_writev: *result = egret_on_writev((int)a[0], (const struct iovec *)a[1], (int)a[2]); return true;
	case SYS_pwritev2: *result = egret_on_pwritev2((int)a[0], (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]); return true;
	case SYS_sendto:
		*result = egret_on_sendto((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3], (const struct sockaddr *)a[4], (socklen_t)a[5]);
		return true;
	case SYS_sendmsg: *result = egret_on_sendmsg((int)a[0], (const struct msghdr *)a[1], (int)a[2]); return true;
	case SYS_sendmmsg: *result = egret_on_sendmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]); return true;
	case SYS_sendfile: *result = egret_on_sendfile((int)a[0], (int)a[1], (off_t *)a[2], (size_t)a[3]); return true;
	case SYS_splice:
		*result = egret_on_splice((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4], (unsigned)a[5]);
		return true;
	}
	return false;
}

static bool call_socket(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_connect: *result = egret_on_connect((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]); return true;
	case SYS_getpeername: *result = egret_on_getpeername((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]); return true;
	case SYS_getsockname: *result = egret_on_getsockname((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]); return true;
	case SYS_socket: *result = egret_on_socket((int)a[0], (int)a[1], (int)a[2]); return true;
	case SYS_socketpair: *result = egret_on_socketpair((int)a[0], (int)a[1], (int)a[2], (int *)a[3]); return true;
#ifdef SYS_accept
	case SYS_accept: *result = egret_on_accept((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]); return true;
#endif
	case SYS_accept4: *result = egret_on_accept4((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2], (int)a[3]); return true;
	case SYS_shutdown: *result = egret_on_shutdown((int)a[0], (int)a[1]); return true;
	case SYS_getsockopt:
		*result = egret_on_getsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3], (socklen_t *)a[4]);
		return true;
	case SYS_setsockopt:
		*result = egret_on_setsockopt((int)a[0], (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]);
		return true;
	case SYS_ioctl: *result = egret_on_ioctl((int)a[0], (unsigned long)a[1], (void *)a[2]); return true;
	}
	return false;
}

static bool call_descriptor(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_close: *result = egret_on_close((int)a[0]); return true;
	case SYS_close_range: *result = egret_on_close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]); return true;
	case SYS_dup: *result = egret_on_dup((int)a[0]); return true;
#ifdef SYS_dup2
	case SYS_dup2: *result = egret_on_dup2((int)a[0], (int)a[1]); return true;
#endif
	case SYS_dup3: *result = egret_on_dup3((int)a[0], (int)a[1], (int)a[2]); return true;
	case SYS_fcntl: *result = egret_on_fcntl((int)a[0], (int)a[1], (void *)a[2]); return true;
	}
	return false;
}

/* The last argument of pselect6, select(2). */
struct masked {
	const sigset_t *mask;
	size_t size;
};

static bool call_ready(long number, const long a[6], long *result)
{
	switch (number) {
#ifdef SYS_poll
	case SYS_poll: *result = egret_on_poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]); return true;
	case SYS_select:
		*result = egret_on_select((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], (struct timeval *)a[4]);
		return true;
	case SYS_epoll_wait: *result = egret_on_epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]); return true;
#endif
	case SYS_ppoll:
		*result = egret_on_ppoll((struct pollfd *)a[0], (nfds_t)a[1], (const struct timespec *)a[2], (const sigset_t *)a[3]);
		return true;
	case SYS_pselect6: {
		const struct masked *masked = (const struct masked *)a[5];
		*result = egret_on_pselect((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], (const struct timespec *)a[4],
					   masked ? masked->mask : NULL);
		return true;
	}
	case SYS_epoll_ctl: *result = egret_on_epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]); return true;
	case SYS_epoll_pwait:
		*result = egret_on_epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3], (const sigset_t *)a[4]);
		return true;
	case SYS_epoll_pwait2:
		*result = egret_on_epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2], (const struct timespec *)a[3], (const sigset_t *)a[4]);
		return true;
	}
	return false;
}

static bool call_program(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_execve: *result = egret_on_execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]); return true;
	case SYS_kill: *result = egret_on_kill((pid_t)a[0], (int)a[1]); return true;
	case SYS_tgkill: *result = egret_on_tgkill((pid_t)a[0], (pid_t)a[1], (int)a[2]); return true;
	case SYS_execveat:
		*result = egret_on_execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
		return true;
	/* The call itself changes one thread, the libc's function all of them: only prepare for it. */
	case SYS_chroot: case SYS_pivot_root: case SYS_unshare: case SYS_setns: case SYS_setuid: case SYS_setreuid: case SYS_setresuid:
		egret_prepare();
		egret_record_prepare(number == SYS_setuid ? (uid_t)a[0] : number == SYS_setreuid || number == SYS_setresuid ? (uid_t)a[1] : (uid_t)-1);
		return false;
	}
	return false;
}

/* The kernel's own aio(7) would read and write behind the TLS layer. */
static bool submits_governed(const long a[6])
{
	struct iocb *const *list = (struct iocb *const *)a[2];
	for (long i = 0; list && i < a[1]; i++)
		if (list[i] && egret_conn_has((int)list[i]->aio_fildes))
			return true;
	return false;
}

long egret_on_syscall(long number, const long a[6])
{
	long result;
	switch (number) {
#ifdef SYS_fork
	case SYS_fork:
		return copy_process(number, a);
	case SYS_vfork:
		return copy_process(SYS_fork, a);
#endif
	case SYS_clone: /* with CLONE_VM only before the library has started: exports.c */
		return a[0] & CLONE_VM ? kernel(number, a) : copy_process(number, a);
	case SYS_clone3:
		return a[0] && *(const uint64_t *)a[0] & CLONE_VM ? kernel(number, a) : copy_process(number, a);
	case SYS_io_uring_setup:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
		errno = ENOSYS; /* programs fall back to calls that can be seen */
		return -1;
	case SYS_io_submit:
		if (!submits_governed(a))
			break;
		errno = EINVAL; /* what a descriptor answers that has no such transfers, io_submit(2) */
		return -1;
	}
	if (call_read(number, a, &result) || call_write(number, a, &result) || call_socket(number, a, &result) ||
	    call_descriptor(number, a, &result) || call_ready(number, a, &result) || call_program(number, a, &result))
		return result;
	return kernel(number, a);
}
