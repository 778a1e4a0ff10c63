/* What every escape_*.c is: a program that makes the attempt it is told, and names them all for `list`. */
#ifndef ESCAPES_H
#define ESCAPES_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attempt {
	const char *name;
	void (*run)(void);
};
#define ROW(name) { #name, name }

static const char *token; /* what is sent to where it must not arrive: $ESCAPE_TOKEN, or the attempt's name */

static int run_attempt(int argc, char **argv, const struct attempt *attempts, size_t count)
{
	for (size_t i = 0; argc == 2 && i < count; i++) {
		if (!strcmp(argv[1], "list"))
			puts(attempts[i].name);
		if (strcmp(argv[1], attempts[i].name))
			continue;
		token = getenv("ESCAPE_TOKEN") ? getenv("ESCAPE_TOKEN") : attempts[i].name;
		attempts[i].run();
	}
	return 0;
}

#endif
