#include "real.h"

#include "early.h"
#include "guard.h"
#include "policy/raw.h"
#include "symbols.h"

#include <sys/mman.h>

struct egret_real real;
EGRET_EARLY long (*egret_libc_syscall)(long number, ...);

__thread __attribute__((tls_model("initial-exec"))) unsigned egret_guard_depth;

/* In the order of struct egret_real. */
static const char names[] =
#define LIBC(name) #name "\0"
#include "libc.def"
#undef LIBC
#define HOOK(ret, name, handler, params, args, early) #name "\0"
#define HAND(ret, name, params, early) #name "\0"
#include "hooks.def"
#undef HOOK
#undef HAND
;

void egret_real_fill(void)
{
	egret_symbols_find(names, (void **)&real);
	egret_libc_syscall = real.syscall;
	egret_raw(SYS_mprotect, &real, sizeof real, PROT_READ, 0);
}
