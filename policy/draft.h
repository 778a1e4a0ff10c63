/* A policy file between text and policy: its sections with their keys, as written, each with its line.
 *
 * Titles and values are slices of the file's text, which is the caller's and outlives the draft. Owner: the loader or an editor, from
 * egret_draft_read to egret_draft_free.
 */
#ifndef EGRET_DRAFT_H
#define EGRET_DRAFT_H

#include "err.h"
#include "keys.h"

#include <stdint.h>

/* The longest line of a policy file, in bytes with its newline. */
#define EGRET_LINE_MAX 65536
/* What inih keeps of a section's title, in bytes. */
#define EGRET_TITLE_MAX 49

struct egret_value {
	const struct egret_key *key;
	const char *text; /* not terminated */
	uint32_t len;     /* bytes, outer white space and comment removed */
	uint32_t line : 31;
	bool more : 1;    /* an indented line that goes on with the key above */
};

struct egret_section {
	const char *title; /* not terminated */
	uint32_t title_len;
	uint32_t line;
	uint32_t first;  /* of its values, which are adjacent */
	uint32_t count;
	bool damaged;    /* a line of it was refused: what it lacks may stand there */
};

/* What of a file is read: two readings, of its settings and of its entries, see each line once. */
enum egret_part {
	EGRET_PART_WHOLE = 0,
	EGRET_PART_SETTINGS, /* what stands under [egret] */
	EGRET_PART_ENTRIES,  /* everything else */
	EGRET_PART_INCLUDED  /* an included file: entries only, [egret] is an error */
};

struct egret_draft {
	struct egret_section *sections;
	struct egret_value *values;
	size_t section_count, value_count;
	size_t section_room, value_room;
	/* Given each section when it has been read; it is then forgotten, so that a large file needs no large draft. NULL: all are kept. */
	void (*take)(void *ctx, const struct egret_draft *draft, const struct egret_section *section);
	void *ctx;
	bool no_memory;
};

/* Reads PART of TEXT (LEN bytes), which messages call FILE. */
void egret_draft_read(struct egret_draft *draft, const char *file, const char *text, size_t len, enum egret_part part, struct egret_err *err);
void egret_draft_free(struct egret_draft *draft);
/* How many sections TEXT has at most. */
size_t egret_draft_most(const char *text, size_t len);

/* Makes room for one more item; false when memory is out (and draft->no_memory). */
bool egret_grow(void *items, size_t *room, size_t count, size_t size);
/* Makes room for WANTED items in all, where that is known before: growing copies what is there. Without memory nothing changes. */
void egret_reserve(void *items, size_t *room, size_t wanted, size_t size);

#endif
