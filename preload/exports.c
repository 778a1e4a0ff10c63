/* The symbols that libegret.so puts in front of the libc's: the only file that defines public functions.
 *
 * Compiled with -U_FORTIFY_SOURCE (a fortified build would rename or drop exports). Each export starts the library if it must,
 * takes the kernel's path while the library is inside itself, and otherwise calls its handler.
 */
#include "conn.h"
#include "guard.h"
#include "hooks.h"
#include "reach.h"
#include "real.h"
#include "runtime.h"
#include "within.h"

#include "policy/raw.h"

#include <alloca.h>
#include <limits.h>

#define EXPORT __attribute__((visibility("default")))

/* Other libraries are relocated before this one, and their IFUNC resolvers may already call into it. Until the dynamic linker has come by,
 * nothing may be touched that stands in a table of its own: no other function, no thread-local variable, not errno. */
static void *const volatile own_address = (void *)(uintptr_t)&own_address;

static inline bool is_relocated(void) { return own_address == (const void *)&own_address; }

static void set_errno(int error)
{
	if (is_relocated())
		errno = error;
}

static long raw_result(long result)
{
	if (result >= -4095 && result < 0) {
		set_errno((int)-result);
		return -1;
	}
	return result;
}

static inline bool is_ready(void)
{
	return __builtin_expect(atomic_load_explicit(&egret_started, memory_order_acquire) && !egret_guard_inside(), 1);
}

static inline bool ready(void)
{
	if (!atomic_load_explicit(&egret_started, memory_order_acquire) && (!is_relocated() || !egret_start()))
		return false;
	return !egret_guard_inside();
}

/* Does the kernel's own call NR carry bytes of FD, or make a copy of it? */
static inline bool moves_bytes(long nr, long b)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile:
	case SYS_splice:
	case SYS_shutdown:
	case SYS_dup:
	case SYS_dup3:
		return true;
	case SYS_fcntl:
		return b == F_DUPFD || b == F_DUPFD_CLOEXEC || b == F_SETFD;
	}
	return false;
}

/* What a signal handler that interrupted the library is told in place of the kernel's path, which would carry plaintext: a count or an errno. */
static long told_inside(long nr, long a, long b, long c, long d)
{
	struct iovec iov = { (void *)b, (size_t)c };
	switch (nr) {
	case SYS_write:
		return egret_within_write((int)a, &iov, 1);
	case SYS_sendto:
		return d & ~(MSG_NOSIGNAL | MSG_DONTWAIT) ? -EAGAIN : egret_within_write((int)a, &iov, 1);
	case SYS_writev:
		return egret_within_write((int)a, (const struct iovec *)b, (int)c);
	case SYS_sendmsg: {
		const struct msghdr *message = (const struct msghdr *)b;
		bool plain = !(c & ~(MSG_NOSIGNAL | MSG_DONTWAIT)) && egret_can_read(message, sizeof *message) && message->msg_iovlen <= IOV_MAX;
		return plain ? egret_within_write((int)a, message->msg_iov, (int)message->msg_iovlen) : -EAGAIN;
	}
	}
	return -EAGAIN;
}

static long raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
	bool inside = moves_bytes(nr, b) && (egret_conn_has((int)a) || (nr == SYS_splice && egret_conn_has((int)c)) ||
					    (nr == SYS_sendfile && egret_conn_has((int)b)));
	return raw_result(inside ? told_inside(nr, a, b, c, d) : egret_raw6(nr, a, b, c, d, e, f));
}

#define RAW6(nr, a, b, c, d, e, f) raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW(nr, a, b, c, d) RAW6(nr, a, b, c, d, 0, 0)
#define FAIL(value) (set_errno(ENOSYS), value)

/* Does it say where to, or carry what must be looked at? Nobody can judge that now. */
static bool is_addressed(const struct msghdr *message)
{
	return egret_can_read(message, sizeof *message) && (message->msg_name || message->msg_controllen);
}

/* A void function returns the void expression that stands in its `early` column. */
#define EARLY(ret, early) (ret)(early)

#define HOOK(ret, name, handler, params, args, early)                                                                                  \
	EXPORT ret name params;                                                                                                        \
	EXPORT ret name params                                                                                                         \
	{                                                                                                                              \
		if (is_ready()) /* the common case saves no register */                                                                 \
			return egret_on_##handler args;                                                                                      \
		if (!ready())                                                                                                          \
			return EARLY(ret, early);                                                                                            \
		return egret_on_##handler args;                                                                                        \
	}
#define HAND(ret, name, params, early) EXPORT ret name params;
#include "hooks.def"
#undef HOOK
#undef HAND

/* ---- variadic functions ---- */

/* Counts the arguments of an execl-like list that starts with FIRST; the list must be started anew to copy them. */
static size_t count_list(const char *first, va_list list)
{
	size_t count = 0;
	for (const char *arg = first; arg; arg = va_arg(list, const char *))
		count++;
	return count;
}

/* LIST by address: the caller goes on reading behind the NULL (execle's environment), on every ABI. */
static void copy_list(char **argv, const char *first, va_list *list)
{
	size_t i = 0;
	for (const char *arg = first; arg; arg = va_arg(*list, const char *))
		argv[i++] = (char *)(uintptr_t)arg;
	argv[i] = NULL;
}

#define GATHER(argv, first)                                                                                                            \
	va_list list;                                                                                                                  \
	va_start(list, first);                                                                                                         \
	size_t count = count_list(first, list);                                                                                        \
	va_end(list);                                                                                                                  \
	char **argv = alloca((count + 1) * sizeof *argv);                                                                              \
	va_start(list, first);                                                                                                         \
	copy_list(argv, first, &list)

int execl(const char *path, const char *arg, ...)
{
	GATHER(argv, arg);
	va_end(list);
	return ready() ? egret_on_execv(path, argv) : (int)FAIL(-1);
}

int execlp(const char *file, const char *arg, ...)
{
	GATHER(argv, arg);
	va_end(list);
	return ready() ? egret_on_execvp(file, argv) : (int)FAIL(-1);
}

int execle(const char *path, const char *arg, ...)
{
	GATHER(argv, arg);
	char *const *envp = va_arg(list, char *const *);
	va_end(list);
	return ready() ? egret_on_execve(path, argv, envp) : (int)RAW(SYS_execve, path, argv, envp, 0);
}

/* The libc looks at its caller (RUNPATH, $ORIGIN): this must stay a jump, nothing of ours on the stack. */
void *dlopen(const char *file, int flags)
{
	ready();
	if (!real.dlopen)
		return FAIL(NULL);
	return real.dlopen(file, flags & ~RTLD_DEEPBIND);
}

/* clone and clone3 with CLONE_VM: a child on a stack of its own finds there what the caller of the libc's function left for it, and no
 * frame of ours; so it is the libc's function that is jumped to, with every register as it was. Everything else comes to syscall_called. */
#if defined(__x86_64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	mov %rsi, %rax\n"
	"	cmp $56, %rdi\n" /* SYS_clone */
	"	je 1f\n"
	"	cmp $435, %rdi\n" /* SYS_clone3 */
	"	jne 2f\n"
	"	test %rsi, %rsi\n"
	"	je 2f\n"
	"	mov (%rsi), %rax\n"
	"1:	test $0x100, %eax\n" /* CLONE_VM */
	"	je 2f\n"
	"	mov egret_libc_syscall(%rip), %rax\n"
	"	test %rax, %rax\n"
	"	je 2f\n"
	"	jmp *%rax\n"
	"2:	jmp egret_syscall_called\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, %function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	mov x9, x1\n"
	"	cmp x0, #220\n" /* SYS_clone */
	"	b.eq 1f\n"
	"	cmp x0, #435\n" /* SYS_clone3 */
	"	b.ne 2f\n"
	"	cbz x1, 2f\n"
	"	ldr x9, [x1]\n"
	"1:	tbz w9, #8, 2f\n" /* CLONE_VM */
	"	adrp x16, egret_libc_syscall\n"
	"	ldr x16, [x16, :lo12:egret_libc_syscall]\n"
	"	cbz x16, 2f\n"
	"	br x16\n"
	"2:	b egret_syscall_called\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n");
#endif

__attribute__((visibility("hidden"))) long egret_syscall_called(long number, ...);

long egret_syscall_called(long number, ...)
{
	long args[6];
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long); /* whatever the registers hold: the kernel reads only what it needs */
	va_end(list);
	if (!ready())
		return RAW6(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	return egret_on_syscall(number, args);
}

void _exit(int status)
{
	if (ready())
		egret_fd_farewell();
	for (;;)
		RAW(SYS_exit_group, status, 0, 0, 0);
}

void _Exit(int status)
{
	_exit(status);
}

/* Without the libc's function, and behind one that returned. */
static _Noreturn void end_by_signal(void)
{
	for (int number = SIGABRT;; number = SIGKILL)
		RAW(SYS_tgkill, egret_raw(SYS_getpid, 0, 0, 0, 0), egret_raw(SYS_gettid, 0, 0, 0, 0), number, 0);
}

void abort(void)
{
	if (ready())
		egret_on_abort();
	if (is_relocated() && real.abort)
		real.abort();
	end_by_signal();
}

void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
	if (ready())
		egret_on_assert_fail(expression, file, line, function);
	if (is_relocated() && real.__assert_fail)
		real.__assert_fail(expression, file, line, function);
	end_by_signal();
}

void __assert_perror_fail(int error, const char *file, unsigned line, const char *function)
{
	if (ready())
		egret_on_assert_perror_fail(error, file, line, function);
	if (is_relocated() && real.__assert_perror_fail)
		real.__assert_perror_fail(error, file, line, function);
	end_by_signal();
}

/* How many of clone's last three arguments there are, clone(2). */
static int clone_extras(int flags)
{
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
		return 3;
	return flags & CLONE_SETTLS ? 2 : flags & (CLONE_PARENT_SETTID | CLONE_PIDFD) ? 1 : 0;
}

#define CLONE_EXTRA(last)                                                                                                              \
	void *extra[3] = { 0 };                                                                                                        \
	va_list list;                                                                                                                  \
	va_start(list, last);                                                                                                          \
	for (int i = 0; i < clone_extras(flags); i++)                                                                                  \
		extra[i] = va_arg(list, void *);                                                                                       \
	va_end(list)

int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	CLONE_EXTRA(arg);
	return ready() ? egret_on_clone(run, stack, flags, arg, extra) : (int)FAIL(-1);
}

int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	CLONE_EXTRA(arg);
	return ready() ? egret_on_clone(run, stack, flags, arg, extra) : (int)FAIL(-1);
}

/* A function that returns twice cannot be called from one that returns: vfork asks which function is to go on, and jumps there. */
__attribute__((used)) static void *vfork_target(void)
{
	return ready() ? egret_on_vfork() : (void *)_Fork;
}

#if defined(__x86_64__)
__asm__(".text\n.globl vfork\n.globl __vfork\n.type vfork,@function\n.type __vfork,@function\n"
	"vfork:\n__vfork:\n\tendbr64\n\tsubq $8, %rsp\n\tcall vfork_target\n\taddq $8, %rsp\n\tjmp *%rax\n"
	".size vfork, .-vfork\n.size __vfork, .-__vfork\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl vfork\n.globl __vfork\n.type vfork,%function\n.type __vfork,%function\n"
	"vfork:\n__vfork:\n\tstp x29, x30, [sp, #-16]!\n\tbl vfork_target\n\tmov x16, x0\n\tldp x29, x30, [sp], #16\n\tbr x16\n"
	".size vfork, .-vfork\n.size __vfork, .-__vfork\n");
#endif

/* The third argument of fcntl and ioctl, an int or a pointer: as wide as the register that carries it. */
#define ONE_ARGUMENT(last)                                                                                                             \
	va_list list;                                                                                                                  \
	va_start(list, last);                                                                                                          \
	void *arg = va_arg(list, void *);                                                                                              \
	va_end(list)

int fcntl(int fd, int command, ...)
{
	ONE_ARGUMENT(command);
	return ready() ? egret_on_fcntl(fd, command, arg) : (int)RAW(SYS_fcntl, fd, command, arg, 0);
}

int __fcntl(int fd, int command, ...)
{
	ONE_ARGUMENT(command);
	return ready() ? egret_on_fcntl(fd, command, arg) : (int)RAW(SYS_fcntl, fd, command, arg, 0);
}

int fcntl64(int fd, int command, ...)
{
	ONE_ARGUMENT(command);
	return ready() ? egret_on_fcntl(fd, command, arg) : (int)RAW(SYS_fcntl, fd, command, arg, 0);
}

int ioctl(int fd, unsigned long request, ...)
{
	ONE_ARGUMENT(request);
	return ready() ? egret_on_ioctl(fd, request, arg) : (int)RAW(SYS_ioctl, fd, request, arg, 0);
}

int dprintf(int fd, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int result = ready() ? egret_on_vdprintf(fd, format, list) : (int)FAIL(-1);
	va_end(list);
	return result;
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int result = ready() ? egret_on_vdprintf_chk(fd, flag, format, list) : (int)FAIL(-1);
	va_end(list);
	return result;
}
