/* The table of INI keys (keys.def) as data. Constant; nobody owns anything. */
#ifndef EGRET_KEYS_H
#define EGRET_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum egret_key_where { EGRET_IN_EGRET = 1, EGRET_IN_ENTRY = 2, EGRET_IN_BOTH = 3 };
enum egret_key_form { EGRET_FORM_SCALAR, EGRET_FORM_LIST };

struct egret_build;
struct egret_value;

struct egret_key {
	const char *name;
	enum egret_key_where where;
	enum egret_key_form form;
	const char *values;   /* what is expected */
	const char *fallback; /* the default as written; "" when there is none */
	/* Parses VALUE into what BUILD is building; adds an error to it when it cannot (setters.h). */
	void (*set)(struct egret_build *build, const struct egret_key *key, const struct egret_value *value);
};

extern const struct egret_key egret_keys[];
extern const size_t egret_key_count;

/* The row for NAME (LEN bytes) in a section of kind WHERE (EGRET_IN_EGRET or EGRET_IN_ENTRY); NULL: no such key there. */
const struct egret_key *egret_key_find(const char *name, size_t len, enum egret_key_where where);

/* The key of the same kind of section that NAME most looks like; NULL when none is near. */
const struct egret_key *egret_key_nearest(const char *name, size_t len, enum egret_key_where where);

/* Levenshtein's distance between A (LEN bytes) and B (OTHER bytes): how many letters to change, A's case and dashes aside. Words of over 64
 * bytes are far from everything. */
size_t egret_key_distance(const char *a, size_t len, const char *b, size_t other);

#endif
