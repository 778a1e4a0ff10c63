#include "tools/run.h"

#include "preload/elf.h"
#include "tools/child.h"
#include "tools/config.h"
#include "tools/run_dir.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is FILE one that execve would take? Remembers the first that exists but may not be run. */
static bool try_file(const char *file, bool *forbidden)
{
	struct stat st;

	if (stat(file, &st) || !S_ISREG(st.st_mode))
		return false;
	if (access(file, X_OK) == 0)
		return true;
	*forbidden = true;
	return false;
}

static bool search_path(const char *name, char program[PATH_MAX], bool *forbidden)
{
	const char *path = getenv("PATH"), *end;

	for (path = path ? path : "/usr/local/bin:/bin:/usr/bin";; path = end + 1) {
		int len;

		end = strchrnul(path, ':');
		len = (int)(end - path);
		if (snprintf(program, PATH_MAX, "%.*s%s%s", len, path, len ? "/" : "./", name) < PATH_MAX &&
		    try_file(program, forbidden))
			return true;
		if (!*end)
			return false;
	}
}

int egret_run_find(struct egret_run *run)
{
	const char *name = run->argv[0];
	bool forbidden = false, found;

	if (strchr(name, '/')) {
		forbidden = access(name, F_OK) == 0;
		found = snprintf(run->program, PATH_MAX, "%s", name) < PATH_MAX && try_file(name, &forbidden);
	} else {
		found = name[0] && search_path(name, run->program, &forbidden);
	}
	if (found)
		return 0;
	egret_say("%s: %s", name, forbidden ? "it may not be executed" : "no such program");
	return forbidden ? EGRET_CANNOT_RUN : EGRET_NOT_FOUND;
}

int egret_run_cover(const struct egret_run *run)
{
	char why[128];

	if (run->sandboxed)
		return 0;
	if (egret_elf_cover(run->program, why, sizeof(why)) != EGRET_UNCOVERED)
		return 0;
	egret_say("%s %s: the preload layer cannot cover it; a sandbox can: --sandbox=auto or --sandbox=require", run->program, why);
	return EGRET_FAILED;
}

/* What the supervisor judges with is fixed here: nothing that the tree writes later changes it. */
static void sandbox_options(struct egret_run *run)
{
	const struct egret_defaults *defaults = egret_policy_defaults(run->policy);
	int format = egret_config_log_format(run->settings.log_format, "log format");

	run->sandbox.config = run->settings.config;
	run->sandbox.policy = run->policy;
	run->sandbox.mode = (enum egret_mode)egret_config_mode(run->settings.mode, "mode");
	run->sandbox.log = run->settings.log[0] ? run->settings.log : defaults->log;
	if (run->sandbox.log && !strcmp(run->sandbox.log, "none"))
		run->sandbox.log = NULL;
	run->sandbox.events = run->reports ? memfd_create("egret-events", MFD_CLOEXEC) : -1;
	if (run->sandbox.events >= 0)
		fcntl(run->sandbox.events, F_SETFL, O_APPEND);
	run->sandbox.log_format = format > 0 ? (enum egret_log_format)format : defaults->log_format;
}

int egret_run_sandbox(struct egret_run *run, const char *mode, char *layers, size_t size)
{
	const char *missing;
	char below[128];

	run->sandboxed = false;
	if (!strcmp(mode, "off")) {
		snprintf(layers, size, "preload; sandbox off");
		return 0;
	}
	run->sandbox.sandbox = !strcmp(mode, "require") ? EGRET_SANDBOX_REQUIRE : EGRET_SANDBOX_AUTO;
	egret_sandbox_probe(&run->sandbox.facts);
	missing = egret_sandbox_missing(&run->sandbox.facts);
	if (missing && run->sandbox.sandbox == EGRET_SANDBOX_REQUIRE) {
		egret_say("--sandbox=require: %s", missing);
		return EGRET_FAILED;
	}
	if (missing) {
		snprintf(layers, size, "preload; sandbox off: %s", missing);
		return 0;
	}
	sandbox_options(run);
	run->sandboxed = true;
	snprintf(layers, size, "%s%s", run->sandbox.sandbox == EGRET_SANDBOX_REQUIRE ? "" : "preload; ", egret_sandbox_layers(&run->sandbox.facts, below, sizeof(below)));
	return 0;
}

static bool events_path(const struct egret_run *run, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/events", run->dir) < PATH_MAX;
}

/* Tells the library that what it cannot follow into is held by a supervisor: no denial, then. */
static void mark_supervised(const struct egret_run *run)
{
	char path[PATH_MAX];
	int fd = snprintf(path, PATH_MAX, "%s/supervised", run->dir) < PATH_MAX ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		close(fd);
}

/* Of root's processes some become other users, who must get through: a place of its own is the last choice. */
static bool is_passable(const char *room)
{
	struct stat st;

	return geteuid() != 0 || (stat(room, &st) == 0 && st.st_mode & S_IXOTH);
}

bool egret_run_preloads(const struct egret_run *run)
{
	return !run->sandboxed || run->sandbox.sandbox != EGRET_SANDBOX_REQUIRE;
}

int egret_run_open(struct egret_run *run)
{
	const char *const rooms[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR") };
	char path[PATH_MAX];
	int fd;

	if (!egret_run_preloads(run))
		return 0;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		if (!rooms[i] || rooms[i][0] != '/' || (i < 3 && !is_passable(rooms[i])) ||
		    (run->lock = egret_run_dir_make(rooms[i], run->dir)) < 0)
			continue;
		egret_run_dir_sweep(rooms[i]);
		fd = events_path(run, path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
		if (fd < 0)
			break;
		close(fd);
		run->settings.run = run->dir;
		if (run->sandboxed)
			mark_supervised(run);
		return 0;
	}
	egret_say("no directory for the run can be made in XDG_RUNTIME_DIR, TMPDIR or /tmp: %m");
	return EGRET_FAILED;
}

static bool set_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1) == 0)
		return true;
	egret_say("out of memory");
	return false;
}

int egret_run_command(struct egret_run *run)
{
	if (egret_run_preloads(run) && !egret_cover_environment(&run->settings, set_variable))
		return EGRET_FAILED;
	if (run->sandboxed)
		return egret_child_run_sandboxed(run->program, run->argv, &run->sandbox, &run->box);
	return egret_child_run(run->program, run->argv);
}

void egret_run_close(struct egret_run *run)
{
	if (run->dir[0])
		egret_run_dir_remove(run->dir, run->lock);
	run->dir[0] = '\0';
	egret_policy_unref(run->policy);
	run->policy = NULL;
}
