/* A policy file between text and policy: its sections with their keys, as written, each with its line.
 *
 * Values are slices of the file's text, which the draft owns. Owner: the loader, from egret_draft_add to egret_draft_free.
 */
#ifndef EGRET_DRAFT_H
#define EGRET_DRAFT_H

#include "err.h"
#include "keys.h"

#include <stdint.h>
#include <sys/stat.h>

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
	uint32_t file;   /* index into the draft's files */
	uint32_t first;  /* of its values, which are adjacent */
	uint32_t count;
	bool damaged;    /* a line of it was refused: what it lacks may stand there */
};

struct egret_draft_file {
	char *path;
	char *text;
	size_t len;
	struct stat seen; /* when it was read; zero for memory */
};

struct egret_draft {
	struct egret_draft_file *files;
	struct egret_section *sections;
	struct egret_value *values;
	size_t file_count, section_count, value_count;
	size_t file_room, section_room, value_room;
	bool no_memory;
};

/* Adds the sections of TEXT (LEN bytes, owned by the draft from here on, also on failure), named PATH (copied). Included files
 * hold entries only. */
void egret_draft_add(struct egret_draft *draft, const char *path, char *text, size_t len, const struct stat *seen, bool included,
		     struct egret_err *err);
void egret_draft_free(struct egret_draft *draft);

/* Makes room for one more item; false when memory is out (and draft->no_memory). */
bool egret_grow(void *items, size_t *room, size_t count, size_t size);
/* Makes room for WANTED items in all, where that is known before: growing copies what is there. Without memory nothing changes. */
void egret_reserve(void *items, size_t *room, size_t wanted, size_t size);

#endif
