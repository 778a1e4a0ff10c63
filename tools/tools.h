/* The egret command: what its sub-commands share. Single-threaded; errors are printed here, at the edge. */
#ifndef EGRET_TOOLS_H
#define EGRET_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

struct egret_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
	const char *arguments;
	const char *help;
	const char *options; /* lines "--flag=VALUE  text"; "" when there are none */
};

extern const struct egret_command egret_commands[];
extern const size_t egret_command_count;

/* The row of NAME, or NULL. */
const struct egret_command *egret_command_find(const char *name);

/* Exit status of a wrong command line, where a command has no other rule. */
#define EGRET_USAGE 2

/* Prints "egret: " and the sentence on stderr. */
void egret_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints why the command line of COMMAND is wrong and its usage, on stderr. Returns EGRET_USAGE. */
int egret_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define COMMAND(name, function, arguments, help, options) int function(int argc, char **argv);
#include "tools/commands.def"
#undef COMMAND

#endif
