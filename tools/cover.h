/* What makes a program covered: where libegret.so is, and the environment that carries it. */
#ifndef EGRET_COVER_H
#define EGRET_COVER_H

#include "policy/policy.h"

#include <limits.h>

/* libegret.so, found beside this command, as LD_PRELOAD shall name it: with glibc's $LIB token where the install path allows.
 * False after printing: it is missing, or its path has a space or colon, which LD_PRELOAD cannot carry (ld.so(8)). */
bool egret_cover_library(char path[PATH_MAX]);

/* The settings that a covered process gets. NULL and "": not given. */
struct egret_cover_settings {
	char config[PATH_MAX]; /* absolute */
	const char *mode, *log_format;
	char log[PATH_MAX];
	const char *run; /* the private run directory; NULL: none */
};

/* Fills SETTINGS from flags (NULL: not given), else from the environment; checks words, makes paths absolute. The policy is found, not
 * loaded. False after printing. */
bool egret_cover_settings(const char *config, const char *mode, const char *log, const char *log_format,
			  struct egret_cover_settings *settings);

/* Calls EACH with every variable: LD_PRELOAD (in front of one that is there) and the EGRET_ ones. False after printing. */
bool egret_cover_environment(const struct egret_cover_settings *settings,
			     bool (*each)(const char *name, const char *value));

#endif
