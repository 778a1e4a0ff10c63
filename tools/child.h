/* A child process that stands in for us: it gets our signals, we end as it ends. */
#ifndef EGRET_CHILD_H
#define EGRET_CHILD_H

/* Runs PROGRAM with ARGV and our environment, forwards SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, stops and
 * continues with it. Returns its exit status, 128 + n after signal n, 126 or 127 after printing why it could not be started. */
int egret_child_run(const char *program, char *const argv[]);

struct egret_sandbox_options;
struct egret_sandbox;
/* The same under the sandbox's supervisor; BOX holds its counts afterwards. 125 after printing when it cannot start. */
int egret_child_run_sandboxed(const char *program, char *const argv[], const struct egret_sandbox_options *options,
			      struct egret_sandbox *box);

#endif
