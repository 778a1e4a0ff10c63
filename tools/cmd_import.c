/* egret import: a mesh's manifests become a policy; what has no counterpart is told with its place. */
#include "policy/policy.h"
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/import/import.h"
#include "tools/tools.h"

#include <stdlib.h>
#include <unistd.h>

/* Does the text load? Told as of FILE, where it is going to stand. */
static bool loads(const char *file, const char *text, size_t len)
{
	struct egret_err err = { 0 };
	struct egret_policy *policy = egret_policy_parse(file, text, len, &err, NULL);

	if (!policy) {
		egret_config_print(&err, "error: ");
		egret_say("the policy was written, and does not load as it stands: settle these places by hand");
	}
	egret_err_free(&err);
	egret_policy_unref(policy);
	return policy != NULL;
}

/* To FILE (beside it first, then by rename), or to standard output. */
static bool put(const char *file, const char *text)
{
	char temp[PATH_MAX];
	bool good;
	FILE *to;
	int fd;

	if (!file)
		return fputs(text, stdout) >= 0 && fflush(stdout) == 0;
	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", file) >= PATH_MAX)
		return false;
	fd = mkstemp(temp);
	to = fd < 0 ? NULL : fdopen(fd, "w");
	good = to && fputs(text, to) >= 0;
	good = to && fclose(to) == 0 && good && rename(temp, file) == 0;
	if (!good) {
		egret_say("%s: %m", file);
		if (fd >= 0)
			unlink(temp);
	}
	return good;
}

int cmd_import(int argc, char **argv)
{
	const char *output = NULL, *credentials = NULL, *config;
	const struct egret_flag flags[] = { { "output", 'o', &output, NULL }, { "credentials", 0, &credentials, NULL },
					    { "config", 'c', &config, NULL }, { NULL, 0, NULL, NULL } };
	struct egret_manifests all = { 0 };
	char *text = NULL, absolute[PATH_MAX];
	size_t len = 0;
	bool good = true;
	FILE *to;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc <= 0)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "which manifests?");
	if (credentials && !egret_config_absolute(credentials, absolute))
		return 1;
	all.credentials = credentials ? absolute : NULL;
	for (int i = 1; i <= argc; i++)
		good &= egret_manifests_read(&all, argv[i]);
	to = good ? open_memstream(&text, &len) : NULL;
	if (to) {
		egret_import_write(&all, to);
		fclose(to);
	}
	egret_config_print(&all.warn, "warning: ");
	egret_config_print(&all.err, "error: ");
	good = to && !egret_err_any(&all.err) && put(output, text) && loads(output ? output : "(standard output)", text, len);
	free(text);
	egret_manifests_free(&all);
	return good ? 0 : 1;
}
