/* egret run: a command, covered. Finds, checks, says which layers hold, runs, reports. */
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/run.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct options {
	const char *config, *mode, *sandbox, *log, *log_format, *report;
	bool fail_on_deny;
};

static bool one_of(const char *command, const char *flag, const char *value, const char *const words[])
{
	char expected[64] = "";

	for (size_t i = 0; words[i]; i++) {
		size_t used = strlen(expected);

		if (!strcmp(words[i], value))
			return true;
		snprintf(expected + used, sizeof(expected) - used, "%s%s", used ? ", " : "", words[i]);
	}
	egret_usage(command, "--%s: expected one of %s, got `%s`", flag, expected, value);
	return false;
}

/* Where refusals are not enforced, the line that tells the layers says so. */
static const char *mode_told(const struct egret_run *run)
{
	const char *word = run->settings.mode && *run->settings.mode ? run->settings.mode : egret_mode_name(egret_policy_defaults(run->policy)->mode);

	return !strcmp(word, "audit") ? "; mode audit" : !strcmp(word, "off") ? "; mode off" : "";
}

static bool read_options(int *argc, char **argv, struct options *options)
{
	static const char *const sandboxes[] = { "auto", "require", "off", NULL };
	static const char *const reports[] = { "none", "text", "md", "json", NULL };
	const struct egret_flag flags[] = { { "config", 'c', &options->config, NULL },
					    { "mode", 0, &options->mode, NULL },
					    { "sandbox", 0, &options->sandbox, NULL },
					    { "log", 0, &options->log, NULL },
					    { "log-format", 0, &options->log_format, NULL },
					    { "report", 0, &options->report, NULL },
					    { "fail-on-deny", 0, NULL, &options->fail_on_deny },
					    { NULL, 0, NULL, NULL } };

	*options = (struct options){ .sandbox = "auto", .report = "none" };
	*argc = egret_flags(*argc, argv, flags, EGRET_OPERANDS_ARE_COMMAND);
	if (*argc < 0 || !one_of(argv[0], "sandbox", options->sandbox, sandboxes) || !one_of(argv[0], "report", options->report, reports))
		return false;
	if (*argc == 0)
		egret_usage(argv[0], "there is no command to run");
	return *argc > 0;
}

/* The report by `egret report`, into OUT. Under a sandbox it tells what the supervisor saw itself, which nothing in the tree can alter. */
static void print_report(const struct egret_run *run, const char *format, int out)
{
	char format_flag[32], events[PATH_MAX];
	char *argv[] = { (char *)"report", format_flag, events, NULL };
	const struct egret_command *report = egret_command_find("report");
	pid_t pid;

	snprintf(format_flag, sizeof(format_flag), "--format=%s", format);
	if (!report || !egret_run_events(run, events)) {
		egret_say("--report: the run's record is missing");
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int status = dup2(out, STDOUT_FILENO) < 0 ? EGRET_FAILED : report->run(3, argv);

		fflush(NULL);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		egret_say("--report: %m");
}

/* To stderr, since stdout is the command's; Markdown also to the page that GitHub's runner shows of the job. */
static void print_reports(const struct egret_run *run, const char *format, const char *summary)
{
	int out;

	if (!strcmp(format, "none"))
		return;
	print_report(run, format, STDERR_FILENO);
	if (strcmp(format, "md") || !summary || !*summary)
		return;
	out = open(summary, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (out < 0) {
		egret_say("%s (GITHUB_STEP_SUMMARY): %m", summary);
		return;
	}
	print_report(run, format, out);
	close(out);
}

static int run_covered(struct egret_run *run, const struct options *options, const char *layers)
{
	int status = egret_run_open(run);
	size_t denials;

	if (status)
		return status;
	egret_say("layers: %s%s", layers, mode_told(run));
	status = egret_run_command(run);
	print_reports(run, options->report, getenv("GITHUB_STEP_SUMMARY"));
	denials = options->fail_on_deny ? egret_run_denials(run) : 0;
	if (denials && status == 0) {
		egret_say("%zu denied (--fail-on-deny)", denials);
		return 1;
	}
	return status;
}

/* A log that was asked for and cannot be is told before the command runs. */
static bool log_is_writable(const struct options *options, const struct egret_run *run)
{
	const char *log = run->settings.log;
	char folder[PATH_MAX];
	struct stat st;
	bool there;

	if (!options->log || log[0] != '/')
		return true;
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(log, '/') - log) + 1, log);
	there = stat(log, &st) == 0;
	if (there && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (access(there ? log : folder, there ? W_OK : W_OK | X_OK) == 0)
		return true;
	egret_say("--log: %s cannot be written: %m", log);
	return false;
}

int cmd_run(int argc, char **argv)
{
	static struct egret_run run;
	struct options options;
	char path[PATH_MAX], layers[512];
	int status;

	if (!read_options(&argc, argv, &options))
		return EGRET_FAILED;
	run.argv = argv + 1;
	run.reports = strcmp(options.report, "none") != 0;
	run.policy = egret_config_load(options.config, path);
	if (!run.policy || !egret_cover_settings(path, options.mode, options.log, options.log_format, &run.settings) ||
	    !log_is_writable(&options, &run)) {
		egret_policy_unref(run.policy);
		return EGRET_FAILED;
	}
	status = egret_run_find(&run);
	if (!status)
		status = egret_run_sandbox(&run, options.sandbox, layers, sizeof(layers));
	if (!status)
		status = egret_run_cover(&run);
	if (!status)
		status = run_covered(&run, &options, layers);
	egret_run_close(&run);
	return status;
}
