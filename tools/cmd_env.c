/* egret env: the shell lines that cover what a script starts: eval "$(egret env)". */
#include "tools/config.h"
#include "tools/cover.h"
#include "tools/flags.h"
#include "tools/tools.h"

/* In single quotes, which every POSIX shell reads back as it was. */
static bool print_export(const char *name, const char *value)
{
	printf("export %s='", name);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	}
	puts("'");
	return true;
}

/* What cannot be covered must not go on uncovered: `eval ""` would succeed. A person's own shell stays. */
static void stop(void)
{
	puts("case $- in *i*) false ;; *) exit 125 ;; esac");
}

/* Into PATH. A policy that is missing or does not load is told here, where a person reads it; what is covered then denies everything. */
static bool find_policy(const char *flag, char path[PATH_MAX])
{
	struct egret_policy *policy;

	if (!egret_config_find(flag, path)) {
		snprintf(path, PATH_MAX, "%s", SYSCONFDIR "/egret/egret.ini");
		return false;
	}
	policy = egret_config_load(flag, path);
	egret_policy_unref(policy);
	return policy != NULL;
}

int cmd_env(int argc, char **argv)
{
	const char *config = NULL, *mode = NULL, *log = NULL, *format = NULL;
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL },     { "mode", 0, &mode, NULL },
					    { "log", 0, &log, NULL },             { "log-format", 0, &format, NULL },
					    { NULL, 0, NULL, NULL } };
	struct egret_cover_settings settings;
	char path[PATH_MAX];
	bool loads;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc) {
		stop();
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "it takes no operand");
	}
	loads = find_policy(config, path);
	if (!egret_cover_settings(path, mode, log, format, &settings) || !egret_cover_environment(&settings, print_export)) {
		stop();
		return 1;
	}
	return loads ? 0 : 1;
}
