/* Where a policy file says what: for explanations; the compiled policy does not remember it. Reads the file anew. */
#ifndef EGRET_SAID_H
#define EGRET_SAID_H

#include <stdbool.h>

struct egret_said {
	char value[512]; /* as written, continuation lines joined by a space; cut when longer */
	unsigned line;
};

/* The last word of FILE on KEY in the section whose title stands at TITLE_LINE; 0: in [egret]. False: it says nothing of it. */
bool egret_policy_said(const char *file, unsigned title_line, const char *key, struct egret_said *said);

#endif
