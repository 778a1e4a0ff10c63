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

int cmd_env(int argc, char **argv)
{
	const char *config = NULL, *mode = NULL, *log = NULL, *format = NULL;
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL },     { "mode", 0, &mode, NULL },
					    { "log", 0, &log, NULL },             { "log-format", 0, &format, NULL },
					    { NULL, 0, NULL, NULL } };
	struct egret_cover_settings settings;
	struct egret_policy *policy;
	char path[PATH_MAX];

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "it takes no operand");
	/* A policy that does not load denies everything: told here, where a person reads it. */
	policy = egret_config_load(config, path);
	if (!policy)
		return 1;
	egret_policy_unref(policy);
	return egret_cover_settings(path, mode, log, format, &settings) && egret_cover_environment(&settings, print_export) ? 0 : 1;
}
