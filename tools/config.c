#include "tools/config.h"

#include "policy/log.h"
#include "tools/tools.h"

#include <errno.h>
#include <unistd.h>

static bool nonempty(const char *text)
{
	return text && text[0];
}

bool egret_config_absolute(const char *path, char absolute[PATH_MAX])
{
	char cwd[PATH_MAX];
	int len;

	if (path[0] == '/' || !strcmp(path, "stderr") || !strcmp(path, "none")) {
		len = snprintf(absolute, PATH_MAX, "%s", path);
	} else {
		if (!getcwd(cwd, sizeof(cwd))) {
			egret_say("the working directory: %m");
			return false;
		}
		len = snprintf(absolute, PATH_MAX, "%s/%s", strcmp(cwd, "/") ? cwd : "", path);
	}
	if (len >= PATH_MAX)
		egret_say("%s: the path is too long", path);
	return len < PATH_MAX;
}

/* The user's own policy file, whether it exists or not; false: there is no home. */
static bool user_file(char path[PATH_MAX])
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int len;

	if (xdg && xdg[0] == '/') /* a relative one is not taken, as the XDG specification says */
		len = snprintf(path, PATH_MAX, "%s/egret/egret.ini", xdg);
	else if (nonempty(home))
		len = snprintf(path, PATH_MAX, "%s/.config/egret/egret.ini", home);
	else
		return false;
	return len < PATH_MAX;
}

bool egret_config_find(const char *flag, char path[PATH_MAX])
{
	static const char system_file[] = SYSCONFDIR "/egret/egret.ini";
	const char *env = getenv("EGRET_CONFIG");
	bool has_user;

	if (nonempty(flag))
		return egret_config_absolute(flag, path);
	if (nonempty(env))
		return egret_config_absolute(env, path);
	has_user = user_file(path);
	if (has_user && access(path, F_OK) == 0)
		return true;
	if (access(system_file, F_OK) == 0) {
		snprintf(path, PATH_MAX, "%s", system_file);
		return true;
	}
	egret_say("no policy: neither -c FILE nor EGRET_CONFIG is given, and there is no %s%s%s", has_user ? path : "",
		  has_user ? " and no " : "", system_file);
	return false;
}

void egret_config_print(const struct egret_err *err, const char *label)
{
	char line[2048], clean[4096];

	for (size_t i = 0; i < err->count; i++) {
		egret_err_format(err, i, line, sizeof(line));
		egret_say("%s%s", label, egret_escape(line, strlen(line), clean, sizeof(clean)));
	}
	if (err->no_memory)
		egret_say("%sout of memory", label);
}

struct egret_policy *egret_config_load(const char *flag, char path[PATH_MAX])
{
	struct egret_policy *policy;
	struct egret_err err = { 0 };

	if (!egret_config_find(flag, path))
		return NULL;
	policy = egret_policy_load(path, &err, NULL);
	if (!policy)
		egret_config_print(&err, "error: ");
	egret_err_free(&err);
	return policy;
}

struct word {
	const char *text;
	int value;
};

/* WORDS ends with a row without text. */
static int look_up(const struct word *words, const char *text, const char *where)
{
	char expected[128] = "";

	if (!nonempty(text))
		return 0;
	for (const struct word *word = words; word->text; word++) {
		size_t used = strlen(expected);

		if (!strcmp(word->text, text))
			return word->value;
		snprintf(expected + used, sizeof(expected) - used, "%s%s", used ? ", " : "", word->text);
	}
	egret_say("%s: expected one of %s, got `%s`", where, expected, text);
	return -1;
}

int egret_config_mode(const char *word, const char *where)
{
	static const struct word modes[] = {
		{ "enforce", EGRET_ENFORCE }, { "audit", EGRET_AUDIT }, { "off", EGRET_OFF }, { NULL, 0 }
	};

	return look_up(modes, word, where);
}

int egret_config_log_format(const char *word, const char *where)
{
	static const struct word formats[] = {
		{ "json", EGRET_LOG_JSON }, { "text", EGRET_LOG_TEXT }, { "envoy", EGRET_LOG_ENVOY }, { NULL, 0 }
	};

	return look_up(formats, word, where);
}
