/* egret learn: a run in audit mode, and the policy that would have allowed exactly that. */
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/learn.h"
#include "tools/replace.h"
#include "tools/run.h"
#include "tools/tools.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The policy that the run starts from: FILE where there is one, else an empty one in memory, whose name lives as long as we do. */
static bool find_base(const char *file, char base[PATH_MAX])
{
	static const char empty[] = "[egret]\n";
	int fd;

	if (access(file, F_OK) == 0)
		return egret_config_absolute(file, base);
	fd = memfd_create("egret-empty-policy", 0);
	if (fd < 0 || fchmod(fd, 0600) || write(fd, empty, sizeof(empty) - 1) != (ssize_t)sizeof(empty) - 1) {
		egret_say("an empty policy to start from: %m");
		return false;
	}
	snprintf(base, PATH_MAX, "/proc/%d/fd/%d", (int)getpid(), fd);
	return true;
}

static int run_audited(struct egret_run *run, const char *sandbox, const char *base)
{
	char path[PATH_MAX], layers[512];
	int status;

	run->reports = true; /* what the supervisor saw is what is learnt */
	run->policy = egret_config_load(base, path);
	if (!run->policy || !egret_cover_settings(path, "audit", NULL, NULL, &run->settings))
		return EGRET_FAILED;
	status = egret_run_find(run);
	if (!status)
		status = egret_run_sandbox(run, sandbox, layers, sizeof(layers));
	if (!status)
		status = egret_run_cover(run);
	if (!status)
		status = egret_run_open(run);
	if (status)
		return status;
	egret_say("layers: %s; mode audit", layers);
	return -1;
}

/* Shows what changes, where diff(1) is installed. */
static void show_difference(const char *file, const char *text, const char *changed)
{
	int fds[2] = { memfd_create("before", 0), memfd_create("after", 0) };
	char before[32], after[32];
	pid_t pid = -1;

	snprintf(before, sizeof(before), "/proc/self/fd/%d", fds[0]);
	snprintf(after, sizeof(after), "/proc/self/fd/%d", fds[1]);
	fflush(NULL);
	if (fds[0] >= 0 && fds[1] >= 0 && write(fds[0], text, strlen(text)) >= 0 && write(fds[1], changed, strlen(changed)) >= 0)
		pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("diff", "diff", "-u", "--label", file, "--label", file, before, after, (char *)NULL);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static char *add_lesson(const char *file, const char *text, size_t len, void *data, struct egret_err *err)
{
	/* A text with a NUL inside is no policy; the edit would say so of the whole. */
	char *changed = strlen(text) == len ? egret_lesson_apply(data, file, text, err) : NULL;

	if (changed)
		show_difference(file, text, changed);
	return changed;
}

/* A policy that was asked for is there afterwards. */
static char *add_nothing(const char *file, const char *text, size_t len, void *data, struct egret_err *err)
{
	(void)text, (void)len, (void)data;
	char *empty = strdup("; Nothing was called.\n");

	if (!empty)
		egret_err_add(err, file, 0, "out of memory");
	else
		egret_say("nothing was called: %s allows nothing", file);
	return empty;
}

static bool write_policy(const struct egret_run *run, const char *file)
{
	struct egret_lesson lesson = { 0 };
	char events[PATH_MAX];
	bool good;

	good = egret_run_events(run, events) && egret_lesson_read(&lesson, events);
	egret_config_print(&lesson.beyond, "warning: ");
	if (good && !lesson.count && access(file, F_OK) != 0)
		good = egret_replace(file, true, add_nothing, NULL);
	else if (good && lesson.count)
		good = egret_replace(file, true, add_lesson, &lesson);
	else if (good)
		egret_say("nothing was called that %s does not allow: it is as it was", file);
	egret_lesson_free(&lesson);
	return good;
}

int cmd_learn(int argc, char **argv)
{
	static struct egret_run run;
	const char *output = NULL, *sandbox = "off";
	const struct egret_flag flags[] = { { "output", 'o', &output, NULL }, { "sandbox", 0, &sandbox, NULL }, { NULL, 0, NULL, NULL } };
	char base[PATH_MAX];
	int status;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ARE_COMMAND);
	if (argc <= 0 || !output) {
		if (argc >= 0)
			egret_usage(argv[0], argc ? "-o FILE is missing: where the policy goes" : "there is no command to run");
		return EGRET_FAILED;
	}
	if (strcmp(sandbox, "off") != 0 && strcmp(sandbox, "require") != 0) {
		egret_usage(argv[0], "--sandbox: expected off or require, got `%s`", sandbox);
		return EGRET_FAILED;
	}
	run.argv = argv + 1;
	if (!find_base(output, base))
		return EGRET_FAILED;
	status = run_audited(&run, sandbox, base);
	if (status < 0) {
		status = egret_run_command(&run);
		if (!write_policy(&run, output))
			status = status ? status : EGRET_FAILED;
	}
	egret_run_close(&run);
	return status;
}
