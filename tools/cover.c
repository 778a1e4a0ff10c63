#include "tools/cover.h"

#include "tools/config.h"
#include "tools/tools.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#define LIBRARY "egret/libegret.so"

/* What glibc puts for $LIB ("lib/x86_64-linux-gnu", "lib64", "lib"): the first of its built-in directories, without the slash. With
 * LD_LIBRARY_PATH in front of them it cannot be told. */
static bool loader_lib(char lib[64])
{
	void *self = dlopen(NULL, RTLD_LAZY);
	Dl_serinfo size, *info;
	bool found = false;

	if (!self || getenv("LD_LIBRARY_PATH") || dlinfo(self, RTLD_DI_SERINFOSIZE, &size))
		return false;
	info = calloc(1, size.dls_size);
	if (info && dlinfo(self, RTLD_DI_SERINFOSIZE, info) == 0 && dlinfo(self, RTLD_DI_SERINFO, info) == 0)
		found = info->dls_cnt && info->dls_serpath[0].dls_name[0] == '/' &&
			snprintf(lib, 64, "%s", info->dls_serpath[0].dls_name + 1) < 64;
	free(info);
	return found;
}

/* PREFIX/$LIB/egret/libegret.so when that is what PATH (PREFIX/LIB/egret/libegret.so) means to the loader. */
static void use_token(char path[PATH_MAX], const char *prefix, const char *lib)
{
	char with_token[PATH_MAX], expected[PATH_MAX];

	if (snprintf(expected, sizeof(expected), "%s/%s/%s", prefix, lib, LIBRARY) >= PATH_MAX || strcmp(expected, path))
		return;
	if (snprintf(with_token, sizeof(with_token), "%s/$LIB/%s", prefix, LIBRARY) < PATH_MAX)
		memcpy(path, with_token, PATH_MAX);
}

/* The directory above the one that this command lies in. */
static bool own_prefix(char prefix[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", prefix, PATH_MAX - 1);

	if (len <= 0) {
		egret_say("/proc/self/exe: %m");
		return false;
	}
	prefix[len] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(prefix, '/');

		if (slash)
			*slash = '\0';
	}
	return true;
}

bool egret_cover_library(char path[PATH_MAX])
{
	char prefix[PATH_MAX], lib[64] = "lib";
	const char *const rooms[] = { lib, "lib64", "lib" };

	if (!own_prefix(prefix))
		return false;
	if (strpbrk(prefix, " :\t\n$")) {
		egret_say("%s: LD_PRELOAD cannot carry a path with a space, colon or $; install egret elsewhere", prefix);
		return false;
	}
	if (!loader_lib(lib))
		snprintf(lib, sizeof(lib), "lib");
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		if (snprintf(path, PATH_MAX, "%s/%s/%s", prefix, rooms[i], LIBRARY) >= PATH_MAX || access(path, R_OK))
			continue;
		use_token(path, prefix, lib);
		return true;
	}
	egret_say("there is no lib/%s under %s; is the installation complete?", LIBRARY, prefix);
	return false;
}

static const char *given(const char *flag, const char *variable)
{
	const char *value = flag ? flag : getenv(variable);

	return value ? value : "";
}

bool egret_cover_settings(const char *config, const char *mode, const char *log, const char *log_format,
			  struct egret_cover_settings *settings)
{
	*settings = (struct egret_cover_settings){ .mode = given(mode, "EGRET_MODE"),
						   .log_format = given(log_format, "EGRET_LOG_FORMAT") };
	log = given(log, "EGRET_LOG");
	return egret_config_find(config, settings->config) && egret_config_mode(settings->mode, mode ? "--mode" : "EGRET_MODE") >= 0 &&
	       egret_config_log_format(settings->log_format, log_format ? "--log-format" : "EGRET_LOG_FORMAT") >= 0 &&
	       (!log[0] || egret_config_absolute(log, settings->log));
}

bool egret_cover_environment(const struct egret_cover_settings *settings, bool (*each)(const char *name, const char *value))
{
	const char *before = getenv("LD_PRELOAD");
	char library[PATH_MAX];
	char *preload;
	bool good;

	if (!egret_cover_library(library))
		return false;
	/* One that is there already (eval "$(egret env)" twice) is not repeated. */
	if (before && !strncmp(before, library, strlen(library)) && (!before[strlen(library)] || strchr(" :", before[strlen(library)])))
		preload = strdup(before);
	else if (asprintf(&preload, "%s%s%s", library, before && before[0] ? ":" : "", before ? before : "") < 0)
		preload = NULL;
	if (!preload) {
		egret_say("out of memory");
		return false;
	}
	good = each("LD_PRELOAD", preload) && each("EGRET_CONFIG", settings->config) &&
	       (!settings->mode[0] || each("EGRET_MODE", settings->mode)) && (!settings->log[0] || each("EGRET_LOG", settings->log)) &&
	       (!settings->log_format[0] || each("EGRET_LOG_FORMAT", settings->log_format)) &&
	       (!settings->run || each("EGRET_RUN", settings->run));
	free(preload);
	return good;
}
