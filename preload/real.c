#include "real.h"

#include "guard.h"
#include "symbols.h"

#include <stdatomic.h>

struct egret_real real;
long (*egret_libc_syscall)(long number, ...);

__thread __attribute__((tls_model("initial-exec"))) unsigned egret_guard_depth;

static const struct egret_symbol rows[] = {
#define HOOK(ret, name, handler, params, args, early) { #name, (void **)&real.name },
#define HAND(ret, name, params, early) { #name, (void **)&real.name },
#include "hooks.def"
#undef HOOK
#undef HAND
};

bool egret_real_fill(void)
{
	static _Atomic bool filled;
	if (atomic_load_explicit(&filled, memory_order_acquire))
		return true;
	if (egret_guard_inside())
		return false;
	egret_guard_enter();
	egret_symbols_find(rows, sizeof rows / sizeof rows[0]);
	egret_libc_syscall = real.syscall;
	egret_guard_leave();
	atomic_store_explicit(&filled, true, memory_order_release);
	return true;
}
