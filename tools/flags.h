/* The command lines of the sub-commands: -c FILE, --name=VALUE, --name VALUE, --switch. */
#ifndef EGRET_FLAGS_H
#define EGRET_FLAGS_H

#include <stdbool.h>

struct egret_flag {
	const char *name;    /* without the dashes */
	char letter;         /* "-c FILE"; 0: none */
	const char **value;  /* takes a value: where it goes (borrowed from argv) ... */
	bool *given;         /* ... or takes none: set to true */
};

enum egret_operands {
	EGRET_OPERANDS_ANYWHERE,    /* flags may follow operands */
	EGRET_OPERANDS_ARE_COMMAND  /* the first operand ends the flags: it is a command with flags of its own */
};

/* Reads ARGV (argv[0]: the command's name) by FLAGS, which ends with a row without a name. Moves the operands to
 * argv[1] and on, NULL-terminated, and returns how many there are; -1 after printing what is wrong. `--` ends the flags. */
int egret_flags(int argc, char **argv, const struct egret_flag *flags, enum egret_operands operands);

#endif
