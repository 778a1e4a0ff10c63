/* What the files of a dialogue share. Nobody else includes it. */
#ifndef EGRET_STARTTLS_INTERNAL_H
#define EGRET_STARTTLS_INTERNAL_H

#include "starttls.h"

struct egret_starttls_dialogue {
	const struct protocol *protocol;
	const struct egret_starttls_row *row; /* whose answer is awaited */
	bool sent;                            /* the row's part was appended */
	struct egret_buf answer, greeting;
	char local[EGRET_ADDR_TEXT + 8];
	/* starttls_run.c's */
	enum { EGRET_TALKING = 0, EGRET_LISTENING, EGRET_BEGINNING, EGRET_UPGRADED } stage;
	struct egret_buf out;                 /* for the server, before TLS; the kernel has not taken it yet */
	struct egret_buf words;               /* of the program, kept until TLS stands */
};

#endif
