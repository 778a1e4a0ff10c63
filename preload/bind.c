/* Where the library's calls of libc.def's functions go: a jump each, through a table that is filled at the first hook. */
#include "real.h"

/* STUB defines `__wrap_NAME` as a jump to what the next slot of real.bound holds. */
#if defined(__x86_64__)
#define STUB(name) \
	__asm__(".globl __wrap_" #name "\n.hidden __wrap_" #name "\n.type __wrap_" #name ", @function\n.balign 16\n__wrap_" #name ":\n" \
		"	endbr64\n	jmp *real + egret_slot(%rip)\n.size __wrap_" #name ", .-__wrap_" #name "\n.set egret_slot, egret_slot + 8\n");
#elif defined(__aarch64__)
#define STUB(name) \
	__asm__(".globl __wrap_" #name "\n.hidden __wrap_" #name "\n.type __wrap_" #name ", %function\n.balign 16\n__wrap_" #name ":\n" \
		"	adrp x16, real + egret_slot\n	ldr x16, [x16, :lo12:real + egret_slot]\n	br x16\n" \
		".size __wrap_" #name ", .-__wrap_" #name "\n.set egret_slot, egret_slot + 8\n");
#endif

#define LIBC(name) STUB(name)
__asm__(".section .text.bind, \"ax\"\n.cfi_startproc\n.set egret_slot, 0\n");
#include "libc.def"
__asm__(".cfi_endproc\n.text\n");
#undef LIBC
