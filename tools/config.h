/* Which policy a command means, and its words for modes and formats. */
#ifndef EGRET_CONFIG_H
#define EGRET_CONFIG_H

#include "policy/policy.h"

#include <limits.h>

/* The policy's file: FLAG (-c), else EGRET_CONFIG, else $XDG_CONFIG_HOME/egret/egret.ini (or ~/.config), else /etc/egret/egret.ini. Absolute, into
 * PATH. False after printing where it was looked for. */
bool egret_config_find(const char *flag, char path[PATH_MAX]);

/* Finds and loads it; NULL after printing every error. The caller owns one reference. */
struct egret_policy *egret_config_load(const char *flag, char path[PATH_MAX]);

/* Prints every item, one a line, each behind LABEL ("error: "). */
void egret_config_print(const struct egret_err *err, const char *label);

/* The mode of a word; 0 for NULL or "". -1 after printing that WHERE ("--mode") has a bad one. */
int egret_config_mode(const char *word, const char *where);

/* The log format of a word; 0 for NULL or "", -1 after printing. */
int egret_config_log_format(const char *word, const char *where);

/* PATH made absolute against the working directory ("stderr" and "none" stay), into ABSOLUTE. False after printing. */
bool egret_config_absolute(const char *path, char absolute[PATH_MAX]);

#endif
