/* New programs: the environment that keeps a process covered survives whatever the program did to it. */
#include "elf.h"
#include "guard.h"
#include "hooks.h"
#include "real.h"
#include "record.h"
#include "relay.h"
#include "runtime.h"
#include "say.h"
#include "spawn_actions.h"

#include <alloca.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_PRELOAD, ROW_CONFIG, ROW_MODE, ROW_LOG, ROW_FORMAT, ROW_RUN, ROWS };

static const char *const row_names[ROWS] = { "LD_PRELOAD", "EGRET_CONFIG", "EGRET_MODE", "EGRET_LOG", "EGRET_LOG_FORMAT", "EGRET_RUN" };

/* What each variable must be; NULL: it must not be there. LD_PRELOAD is handled apart. */
static const char *row_value(int row)
{
	const char *const values[ROWS] = { egret_runtime.preload, egret_runtime.config, egret_runtime.mode_text, egret_runtime.log,
					   egret_runtime.log_format, egret_runtime.run_dir };
	return values[row][0] ? values[row] : NULL;
}

static int row_of(const char *variable)
{
	size_t length = strcspn(variable, "=");
	for (int i = 0; i < ROWS; i++)
		if (strlen(row_names[i]) == length && memcmp(variable, row_names[i], length) == 0)
			return i;
	return -1;
}

static bool is_word(const char *text, size_t length, const char *word) { return strlen(word) == length && memcmp(text, word, length) == 0; }

/* Does the list of LD_PRELOAD have WORD? */
static bool has_word(const char *list, const char *word)
{
	while (*list) {
		list += strspn(list, " :");
		size_t length = strcspn(list, " :");
		if (length && is_word(list, length, word))
			return true;
		list += length;
	}
	return false;
}

/* Does the list name the library, in a way that holds in every directory? */
static bool names_library(const char *list)
{
	const char *given = egret_runtime.preload_given, *wanted = egret_runtime.preload;
	return has_word(list, wanted) && (strcmp(given, wanted) == 0 || !has_word(list, given));
}

/* The library first, then what else LIST has. TEXT has room for both and a colon. */
static void join_preload(char *text, const char *list)
{
	size_t used = strlen(egret_runtime.preload);
	memcpy(text, egret_runtime.preload, used);
	while (*list) {
		list += strspn(list, " :");
		size_t length = strcspn(list, " :");
		if (length && !is_word(list, length, egret_runtime.preload) && !is_word(list, length, egret_runtime.preload_given)) {
			text[used++] = ':';
			memcpy(text + used, list, length);
			used += length;
		}
		list += length;
	}
	text[used] = '\0';
}

static bool row_is_right(int row, const char *variable)
{
	const char *value = variable + strlen(row_names[row]) + 1, *want = row_value(row);
	if (row == ROW_PRELOAD)
		return !want || names_library(value);
	return want && strcmp(value, want) == 0;
}

/* Is ENVP as it must be already? The common case, and free. */
static bool environment_is_right(char *const envp[])
{
	unsigned seen = 0;
	for (char *const *it = envp; it && *it; it++) {
		int row = row_of(*it);
		if (row < 0)
			continue;
		if (!row_is_right(row, *it) || (seen & (1u << row)))
			return false;
		seen |= 1u << row;
	}
	for (int i = 0; i < ROWS; i++)
		if (row_value(i) && !(seen & (1u << i)))
			return false;
	return true;
}

/* The text of ENVP's LD_PRELOAD value, "" when there is none. */
static const char *preload_in(char *const envp[])
{
	for (char *const *it = envp; it && *it; it++)
		if (row_of(*it) == ROW_PRELOAD)
			return *it + strlen("LD_PRELOAD=");
	return "";
}

static size_t environment_count(char *const envp[])
{
	size_t count = 0;
	while (envp && envp[count])
		count++;
	return count;
}

/* Room for the rewritten variables, on the caller's stack: a vfork child must not allocate in its parent. */
struct rewrite {
	char **envp; /* environment_count + ROWS + 1 pointers */
	char *text;  /* rewrite_size bytes */
};

static size_t rewrite_size(char *const envp[])
{
	size_t size = strlen(preload_in(envp)) + 2;
	for (int i = 0; i < ROWS; i++)
		size += strlen(row_names[i]) + (row_value(i) ? strlen(row_value(i)) : 0) + 2;
	return size;
}

static void rewrite_fill(const struct rewrite *to, char *const envp[])
{
	size_t n = 0;
	char *text = to->text;
	const char *others = preload_in(envp);
	for (char *const *it = envp; it && *it; it++)
		if (row_of(*it) < 0 || (row_of(*it) == ROW_PRELOAD && !row_value(ROW_PRELOAD)))
			to->envp[n++] = *it;
	for (int i = 0; i < ROWS; i++) {
		if (!row_value(i))
			continue;
		size_t length = strlen(row_names[i]);
		to->envp[n++] = text;
		memcpy(text, row_names[i], length);
		text[length++] = '=';
		if (i == ROW_PRELOAD && !names_library(others))
			join_preload(text + length, others);
		else
			memcpy(text + length, i == ROW_PRELOAD ? others : row_value(i), strlen(i == ROW_PRELOAD ? others : row_value(i)) + 1);
		text += strlen(text) + 1;
	}
	to->envp[n] = NULL;
}

/* FIXED is ENVP as it must be: itself, or a rewritten copy on this function's stack. */
#define FIX_ENVIRONMENT(fixed, given)                                                                                                  \
	char *const *fixed = (given);                                                                                                  \
	if (!environment_is_right(fixed)) {                                                                                            \
		struct rewrite rewrite = { alloca((environment_count(fixed) + ROWS + 1) * sizeof(char *)), alloca(rewrite_size(fixed)) };  \
		rewrite_fill(&rewrite, fixed);                                                                                         \
		fixed = rewrite.envp;                                                                                                  \
	}

/* CALL returns when it has failed. */
#define EXECUTE(call)                                                                                                                  \
	struct egret_withheld withheld;                                                                                                \
	egret_relay_hand_over(&withheld);                                                                                              \
	int result = (call);                                                                                                           \
	egret_relay_take_back(&withheld);                                                                                              \
	return result

/* CALL starts a child with ACTIONS. */
#define SPAWN(actions, call)                                                                                                           \
	struct egret_withheld withheld;                                                                                                \
	int error = egret_spawn_hand_over(actions, &withheld);                                                                         \
	error = error ? error : (call);                                                                                                \
	egret_relay_take_back(&withheld);                                                                                              \
	return error

static void log_uncovered(const char *path, const char *why)
{
	egret_guard_enter();
	struct egret_policy *policy = egret_runtime_policy();
	struct egret_verdict denied = { 0 };
	struct egret_event event;
	egret_event_init(&event, EGRET_EVENT_EXEC);
	event.verdict = &denied;
	event.reason = "uncovered";
	event.path = path;
	event.error = why;
	egret_runtime_log(policy, &event);
	egret_say("egret: %s %s: it runs uncovered; to hold it: egret run --sandbox=require", path, why);
	egret_policy_unref(policy);
	egret_guard_leave();
}

/* A program that the library cannot follow into runs without names, TLS and refusals, and one without a record is denied in silence: say
 * so, once a program, and log it. */
static void report_uncovered(const char *path)
{
	char why[512] = "";
	int saved = errno;
	enum egret_cover cover = path ? egret_elf_cover(path, why, sizeof why) : EGRET_NO_PROGRAM;
	if (cover == EGRET_COVERED)
		egret_record_out_of_reach(why, sizeof why);
	if (why[0] && (cover == EGRET_COVERED || !egret_record_is_supervised()))
		log_uncovered(path, why);
	errno = saved;
}

/* The file that execvp(3) would run: FILE itself when it has a slash, else the first executable of that name in PATH. */
static const char *search_path(const char *file, char found[EGRET_PATH_MAX])
{
	const char *list = getenv("PATH");
	if (!file || strchr(file, '/'))
		return file;
	for (list = list ? list : "/bin:/usr/bin"; *list; list += *list == ':') {
		size_t length = strcspn(list, ":");
		int n = snprintf(found, EGRET_PATH_MAX, "%.*s%s%s", (int)length, list, length ? "/" : "", file);
		if (n > 0 && n < EGRET_PATH_MAX && access(found, X_OK) == 0)
			return found;
		list += length;
	}
	return NULL;
}

int egret_on_execve(const char *path, char *const argv[], char *const envp[])
{
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(path);
	EXECUTE(real.execve(path, argv, fixed));
}

int egret_on_execv(const char *path, char *const argv[])
{
	return egret_on_execve(path, argv, environ);
}

int egret_on_execvpe(const char *file, char *const argv[], char *const envp[])
{
	char found[EGRET_PATH_MAX];
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(search_path(file, found));
	EXECUTE(real.execvpe(file, argv, fixed));
}

int egret_on_execvp(const char *file, char *const argv[])
{
	return egret_on_execvpe(file, argv, environ);
}

int egret_on_fexecve(int fd, char *const argv[], char *const envp[])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(path);
	EXECUTE(real.fexecve(fd, argv, fixed));
}

/* The file that execveat(2) would run, into WHOLE; NULL when its name is too long to be told. */
static const char *path_at(int dir, const char *path, char whole[EGRET_PATH_MAX])
{
	if (!path || path[0] == '/' || (dir == AT_FDCWD && path[0]))
		return path;
	int n = snprintf(whole, EGRET_PATH_MAX, "/proc/self/fd/%d%s%s", dir, path[0] ? "/" : "", path);
	return n > 0 && n < EGRET_PATH_MAX ? whole : NULL;
}

int egret_on_execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	char whole[EGRET_PATH_MAX];
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(path_at(dir, path, whole));
	EXECUTE(real.execveat(dir, path, argv, fixed, flags));
}

int egret_on_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			 char *const argv[], char *const envp[])
{
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(path);
	SPAWN(actions, real.posix_spawn(pid, path, actions, attr, argv, fixed));
}

int egret_on_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			  char *const argv[], char *const envp[])
{
	char found[EGRET_PATH_MAX];
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(search_path(file, found));
	SPAWN(actions, real.posix_spawnp(pid, file, actions, attr, argv, fixed));
}

/* Since glibc 2.39. */
int egret_on_pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			 char *const argv[], char *const envp[])
{
	if (!real.pidfd_spawn)
		return ENOSYS;
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(path);
	SPAWN(actions, real.pidfd_spawn(pidfd, path, actions, attr, argv, fixed));
}

int egret_on_pidfd_spawnp(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			  char *const argv[], char *const envp[])
{
	char found[EGRET_PATH_MAX];
	if (!real.pidfd_spawnp)
		return ENOSYS;
	FIX_ENVIRONMENT(fixed, envp);
	report_uncovered(search_path(file, found));
	SPAWN(actions, real.pidfd_spawnp(pidfd, file, actions, attr, argv, fixed));
}

/* system, popen and wordexp hand on the process's own environment from inside the libc: mend that one. */
static void mend_own_environment(void)
{
	if (environment_is_right(environ))
		return;
	egret_guard_enter();
	const char *others = preload_in(environ);
	for (int i = 0; i < ROWS; i++) {
		if (!row_value(i)) {
			if (i != ROW_PRELOAD)
				unsetenv(row_names[i]);
		} else if (i == ROW_PRELOAD) {
			char *joined = alloca(strlen(egret_runtime.preload) + strlen(others) + 2);
			join_preload(joined, others);
			if (!names_library(others))
				setenv(row_names[i], joined, 1);
		} else {
			setenv(row_names[i], row_value(i), 1);
		}
	}
	egret_guard_leave();
}

/* What CALL starts inside the libc, where STARTS is true, inherits like a program that is spawned. TYPE is what it returns. */
#define START(starts, type, call)                                                                                                      \
	struct egret_withheld withheld = { 0 };                                                                                        \
	mend_own_environment();                                                                                                        \
	if (starts)                                                                                                                    \
		egret_spawn_hand_over(NULL, &withheld);                                                                                \
	type result = (call);                                                                                                          \
	egret_relay_take_back(&withheld);                                                                                              \
	return result

int egret_on_system(const char *command)
{
	START(command, int, real.system(command));
}

FILE *egret_on_popen(const char *command, const char *type)
{
	START(true, FILE *, real.popen(command, type));
}

int egret_on_wordexp(const char *words, wordexp_t *expanded, int flags)
{
	bool starts = !(flags & WRDE_NOCMD) && (strstr(words, "$(") || strchr(words, '`'));
	START(starts, int, real.wordexp(words, expanded, flags));
}
