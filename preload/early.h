/* What each covered process pays for, whether it ever meets a hook or not: the constructor's work, and the one page that it writes to.
 *
 * Before the program can change them, the environment variables that concern the library are copied, and descriptor 2 is looked at. All
 * else waits for the first hook (egret_start). Nothing here calls the libc: each page of it that is met for the first time is a fault.
 * Written once, by the constructor or by a hook that comes before it; read-only from then on. No lock: STATE.
 */
#ifndef EGRET_EARLY_H
#define EGRET_EARLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Variables that every process writes or reads at its start or end stand together, on the page that the loader has touched anyway. */
#define EGRET_EARLY __attribute__((section(".data.early")))

enum egret_given {
	EGRET_GIVEN_PRELOAD,
	EGRET_GIVEN_CONFIG,
	EGRET_GIVEN_LOG,
	EGRET_GIVEN_LOG_FORMAT,
	EGRET_GIVEN_MODE,
	EGRET_GIVEN_RUN,
	EGRET_GIVEN_XDG,
	EGRET_GIVEN_HOME,
	EGRET_GIVEN_COUNT
};

struct egret_early {
	_Atomic int state;              /* 0: not taken, 1: one thread is at it, 2: taken */
	bool kept;                      /* all values found room in TEXT, and none depends on where the process stands */
	bool stderr_known;              /* it is open, and no connection */
	dev_t stderr_device;
	ino_t stderr_inode;
	uint16_t at[EGRET_GIVEN_COUNT]; /* into TEXT; 0: not set */
	char text[1536];
};

extern struct egret_early egret_early;

/* Takes it all from ENVP (environ's form), once; done when it returns. Under the guard: a signal handler in between goes to the kernel. */
void egret_early_take(char *const *envp);

/* The variable as it was at the start, NULL when it was not set. After egret_early_take. */
const char *egret_early_given(enum egret_given which);

#endif
