/* What a line of a policy file is, judged before inih sees it, so that nothing is misread (design.md section 3 lists the traps). */
#ifndef EGRET_SCAN_H
#define EGRET_SCAN_H

#include "draft.h"

enum egret_line_kind {
	EGRET_LINE_BAD = 0, /* an error was added; inih must not see it */
	EGRET_LINE_BLANK,   /* or a comment */
	EGRET_LINE_TITLE,
	EGRET_LINE_KEY,
	EGRET_LINE_MORE     /* goes on with the key above */
};

struct egret_line {
	enum egret_line_kind kind;
	const char *title; /* of a title, without the brackets */
	size_t title_len;
	bool is_ascii; /* every byte */
};

/* Judges LEN bytes of TEXT, one line without its newline. ABOVE: the key that an indented line would go on with; NULL when none. */
struct egret_line egret_scan_line(const char *text, size_t len, const struct egret_key *above, const char *file, unsigned line,
				  struct egret_err *err);

/* Length of TEXT without white space, or a comment behind white space, at its end. */
size_t egret_scan_trim(const char *text, size_t len);

#endif
