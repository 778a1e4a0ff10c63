/* System calls that no hook can meet: inline instructions instead of libc symbols.
 *
 * libegret.so exports read, write, close and syscall; code that lives in it must not call them, or it would meet itself. All
 * of policy/ and every path that can run before the real functions are known uses these. Each returns the kernel's value:
 * a negative errno on failure; errno itself is untouched.
 */
#ifndef EGRET_RAW_H
#define EGRET_RAW_H

#include <stddef.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long egret_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long egret_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}
#else
#error "egret: no raw system call for this architecture; add one here"
#endif

#define egret_raw(nr, a, b, c, d) egret_raw6((nr), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline long egret_raw_read(int fd, void *buf, size_t size) { return egret_raw(SYS_read, fd, buf, size, 0); }
static inline long egret_raw_write(int fd, const void *buf, size_t size) { return egret_raw(SYS_write, fd, buf, size, 0); }
static inline long egret_raw_close(int fd) { return egret_raw(SYS_close, fd, 0, 0, 0); }
static inline long egret_raw_open(const char *path, int flags, int mode)
{
	return egret_raw(SYS_openat, -100 /* AT_FDCWD */, path, flags, mode);
}

/* For a loop that waits for another thread, of whatever priority. */
__attribute__((noinline, cold, unused)) static void egret_raw_pause(void)
{
	const long moment[2] = { 0, 20000 }; /* s, ns */
	egret_raw(SYS_nanosleep, moment, 0, 0, 0);
}

#endif
