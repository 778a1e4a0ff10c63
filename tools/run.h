/* Running a command covered: what `egret run` and `egret learn` share. */
#ifndef EGRET_RUN_H
#define EGRET_RUN_H

#include "policy/policy.h"
#include "tools/cover.h"
#include "tools/sandbox/sandbox.h"

#include <sys/types.h>

/* Exit statuses of env(1) and its kin. */
#define EGRET_FAILED 125
#define EGRET_CANNOT_RUN 126
#define EGRET_NOT_FOUND 127

struct egret_run {
	struct egret_cover_settings settings;
	struct egret_policy *policy; /* referenced by the run */
	char **argv;                 /* the command, NULL-terminated; borrowed */
	char program[PATH_MAX];      /* the file that argv[0] means */
	char dir[PATH_MAX];          /* the run's private directory (0700); "" when there is none */
	int lock;                    /* on it, run_dir.h */
	bool reports;                /* the events are wanted at the end; set before egret_run_sandbox */
	bool sandboxed;              /* a layer below catches what preload cannot cover */
	struct egret_sandbox_options sandbox;
	struct egret_sandbox box;    /* counts of what the supervisor saw */
};

/* Finds the program along PATH as execvp(3) does. 0, or the exit status to end with after printing. */
int egret_run_find(struct egret_run *run);

/* Decides on the sandbox: MODE is auto, require or off. Sets `sandboxed` and the options; LAYERS is the line of active layers. 0, or the
 * exit status after printing why `require` cannot be kept. */
int egret_run_sandbox(struct egret_run *run, const char *mode, char *layers, size_t size);

/* Refuses a program that the preload layer cannot cover. 0, or the exit status after printing. */
int egret_run_cover(const struct egret_run *run);

/* Is the library in the programs? Under `require` the supervisor alone judges: a layer inside the program would only do its work twice. */
bool egret_run_preloads(const struct egret_run *run);

/* Makes the run's directory, with an empty file "events" to which the library appends JSON lines; none where the library is not. 0 or an
 * exit status. */
int egret_run_open(struct egret_run *run);

/* Starts the command and waits for it; signals sent to us reach it. The exit status to end with. */
int egret_run_command(struct egret_run *run);

/* ---- run_events.c ---- */

/* A file of JSON lines to read while this process lives: what the layers recorded, each thing once. Under `require` only what the supervisor
 * saw itself. False after printing. */
bool egret_run_events(const struct egret_run *run, char path[PATH_MAX]);

/* How much was denied; programs that ran uncovered count. Not zero where the record is gone. */
size_t egret_run_denials(const struct egret_run *run);

/* Removes the run's directory and drops the policy. */
void egret_run_close(struct egret_run *run);

#endif
