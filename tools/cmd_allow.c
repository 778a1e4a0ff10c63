/* egret allow and egret delete: the two edits of a policy that a person makes every day. */
#include "policy/edit.h"
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/replace.h"
#include "tools/target.h"
#include "tools/tools.h"

struct grants {
	char **operands;
	const char *name;
	bool originate;
};

static char *add_one(const char *file, const char *text, size_t len, const struct grants *grants, const char *operand,
		     struct egret_err *err)
{
	struct egret_target target;
	struct egret_grant grant = { .name = grants->name, .host = target.host, .originate = grants->originate };

	if (!egret_target_parse("allow", operand, &target))
		return NULL;
	if (target.transport == EGRET_LOCAL) {
		grant.host = target.path;
		grant.protocol = "unix";
	} else if (target.transport == EGRET_DATAGRAM) {
		grant.protocol = "udp";
	}
	grant.port = target.port;
	return egret_edit_allow(file, text, len, &grant, err);
}

/* All of them or none. */
static char *add_all(const char *file, const char *text, size_t len, void *data, struct egret_err *err)
{
	const struct grants *grants = data;
	char *now = strndup(text, len);

	for (size_t i = 0; now && grants->operands[i]; i++) {
		char *next = add_one(file, now, i ? strlen(now) : len, grants, grants->operands[i], err);

		free(now);
		now = next;
	}
	return now;
}

int cmd_allow(int argc, char **argv)
{
	const char *config = NULL, *tls = "off";
	struct grants grants = { .operands = argv + 1 };
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL },
					    { "name", 0, &grants.name, NULL },
					    { "tls", 0, &tls, NULL },
					    { NULL, 0, NULL, NULL } };
	struct egret_target target;
	char path[PATH_MAX];

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc < 0)
		return EGRET_USAGE;
	if (argc == 0)
		return egret_usage(argv[0], "which destination? HOST:PORT");
	grants.originate = !strcmp(tls, "originate");
	if (!grants.originate && strcmp(tls, "off"))
		return egret_usage(argv[0], "--tls: expected off or originate, got `%s`", tls);
	for (char **operand = grants.operands; *operand; operand++)
		if (!egret_target_parse(argv[0], *operand, &target))
			return EGRET_USAGE;
	if (!egret_config_find(config, path))
		return 1;
	return egret_replace(path, true, add_all, &grants) ? 0 : 1;
}

static char *remove_entry(const char *file, const char *text, size_t len, void *data, struct egret_err *err)
{
	return egret_edit_delete(file, text, len, data, err);
}

int cmd_delete(int argc, char **argv)
{
	const char *config = NULL;
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL }, { NULL, 0, NULL, NULL } };
	char path[PATH_MAX];

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc != 1)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "one entry's name, please");
	if (!egret_config_find(config, path))
		return 1;
	return egret_replace(path, false, remove_entry, argv[1]) ? 0 : 1;
}
