/* egret check: does the policy load? Every error, and what looks unsafe. */
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/tools.h"

int cmd_check(int argc, char **argv)
{
	const char *config = NULL;
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL }, { NULL, 0, NULL, NULL } };
	struct egret_err err = { 0 }, warn = { 0 };
	struct egret_policy *policy;
	char path[PATH_MAX];
	int status = 1;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "it takes no operand; -c FILE names the policy");
	if (!egret_config_find(config, path))
		return 1;
	policy = egret_policy_load(path, &err, &warn);
	egret_config_print(&err, "error: ");
	egret_config_print(&warn, "warning: ");
	if (policy) {
		size_t count = egret_policy_entry_count(policy);

		printf("%s: good, %zu %s, mode %s\n", path, count, count == 1 ? "entry" : "entries",
		       egret_mode_name(egret_policy_defaults(policy)->mode));
		status = 0;
	}
	egret_policy_unref(policy);
	egret_err_free(&err);
	egret_err_free(&warn);
	return status;
}
