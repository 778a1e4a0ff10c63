#include "tools/flags.h"

#include "tools/tools.h"

/* The row that ARG names; *VALUE is what follows "=", or NULL. */
static const struct egret_flag *find(const struct egret_flag *flags, const char *arg, const char **value)
{
	size_t len = strcspn(arg + 2, "=");

	*value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	for (; flags->name; flags++)
		if (strlen(flags->name) == len && !strncmp(flags->name, arg + 2, len))
			return flags;
	return NULL;
}

static const struct egret_flag *find_letter(const struct egret_flag *flags, const char *arg, const char **value)
{
	*value = arg[2] ? arg + 2 : NULL;
	for (; flags->name; flags++)
		if (flags->letter && flags->letter == arg[1])
			return flags;
	return NULL;
}

/* Takes the flag at argv[i]. Returns the index of the last argument it used, or -1 after printing. */
static int take(int argc, char **argv, int i, const struct egret_flag *flags)
{
	const char *value;
	const struct egret_flag *flag = argv[i][1] == '-' ? find(flags, argv[i], &value) : find_letter(flags, argv[i], &value);

	if (!flag) {
		egret_usage(argv[0], "unknown option `%s`", argv[i]);
		return -1;
	}
	if (!flag->value) {
		if (value) {
			egret_usage(argv[0], "`%s` takes no value", argv[i]);
			return -1;
		}
		*flag->given = true;
		return i;
	}
	if (!value) {
		if (i + 1 >= argc) {
			egret_usage(argv[0], "`%s` needs a value", argv[i]);
			return -1;
		}
		value = argv[++i];
	}
	*flag->value = value;
	return i;
}

int egret_flags(int argc, char **argv, const struct egret_flag *flags, enum egret_operands operands)
{
	bool flags_end = false;
	int count = 0;

	for (int i = 1; i < argc; i++) {
		if (flags_end || argv[i][0] != '-' || !argv[i][1]) {
			argv[++count] = argv[i];
			flags_end = flags_end || operands == EGRET_OPERANDS_ARE_COMMAND;
		} else if (!strcmp(argv[i], "--")) {
			flags_end = true;
		} else {
			i = take(argc, argv, i, flags);
			if (i < 0)
				return -1;
		}
	}
	argv[count + 1] = NULL;
	return count;
}
