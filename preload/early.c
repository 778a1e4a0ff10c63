#include "early.h"

#include "policy/raw.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct egret_early egret_early EGRET_EARLY;

/* Not constant, to stand where a page is there already. */
static EGRET_EARLY char names[EGRET_GIVEN_COUNT][20] = {
	[EGRET_GIVEN_PRELOAD] = "LD_PRELOAD",
	[EGRET_GIVEN_CONFIG] = "EGRET_CONFIG",
	[EGRET_GIVEN_LOG] = "EGRET_LOG",
	[EGRET_GIVEN_LOG_FORMAT] = "EGRET_LOG_FORMAT",
	[EGRET_GIVEN_MODE] = "EGRET_MODE",
	[EGRET_GIVEN_RUN] = "EGRET_RUN",
	[EGRET_GIVEN_XDG] = "XDG_CONFIG_HOME",
	[EGRET_GIVEN_HOME] = "HOME",
};

/* The value of VARIABLE ("NAME=VALUE") when it has that name. */
static inline const char *value_of(const char *variable, const char *name)
{
	while (*name && *variable == *name)
		variable++, name++;
	return *name == '\0' && *variable == '=' ? variable + 1 : NULL;
}

/* Is a word of it a path, or may be one, that begins where the process stands? */
static inline bool is_relative(const char *value)
{
	for (bool first = true; *value; value++) {
		bool between = *value == ' ' || *value == ':';
		if (first && !between && *value != '/' && *value != '$')
			return true;
		first = between;
	}
	return false;
}

static inline bool keep(enum egret_given which, const char *value, size_t *used)
{
	struct egret_early *early = &egret_early;
	if (early->at[which])
		return true; /* named twice: the first one counts, as for getenv(3) */
	if (which <= EGRET_GIVEN_LOG && is_relative(value))
		return false;
	early->at[which] = (uint16_t)*used;
	do {
		if (*used == sizeof early->text)
			return false;
		early->text[(*used)++] = *value;
	} while (*value++);
	return true;
}

/* The letters that the names begin with. */
static inline bool may_be_named(const char *variable)
{
	return *variable == 'E' || *variable == 'L' || *variable == 'X' || *variable == 'H';
}

static inline bool keep_all(char *const *envp)
{
	size_t used = 1;
	for (; envp && *envp; envp++)
		for (int i = 0; i < EGRET_GIVEN_COUNT && may_be_named(*envp); i++) {
			const char *value = value_of(*envp, names[i]);
			if (value && !keep((enum egret_given)i, value, &used))
				return false;
		}
	return true;
}

/* A server that inetd started has its client on descriptor 2: a line of ours would be part of the protocol. */
static inline bool is_connection(int fd)
{
	int domain = 0;
	socklen_t size = sizeof domain;
	return egret_raw6(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, (long)&domain, (long)&size, 0) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

static inline void look_at_stderr(void)
{
	struct stat st;
	if (egret_raw(SYS_fstat, 2, &st, 0, 0) != 0 || (S_ISSOCK(st.st_mode) && is_connection(2)))
		return;
	egret_early.stderr_known = true;
	egret_early.stderr_device = st.st_dev;
	egret_early.stderr_inode = st.st_ino;
}

void egret_early_take(char *const *envp)
{
	int none = 0;
	if (atomic_compare_exchange_strong_explicit(&egret_early.state, &none, 1, memory_order_acquire, memory_order_acquire)) {
		egret_early.kept = keep_all(envp);
		look_at_stderr();
		atomic_store_explicit(&egret_early.state, 2, memory_order_release);
	}
	while (atomic_load_explicit(&egret_early.state, memory_order_acquire) != 2)
		egret_raw_pause();
}

const char *egret_early_given(enum egret_given which)
{
	if (!egret_early.kept)
		return getenv(names[which]);
	return egret_early.at[which] ? egret_early.text + egret_early.at[which] : NULL;
}
