/* From a value's text to the policy: one setter per row of keys.def. */
#ifndef EGRET_SETTERS_H
#define EGRET_SETTERS_H

#include "build.h"

#define EGRET_KEY(name, where, form, setter, values, fallback, help) \
	void egret_set_##setter(struct egret_build *build, const struct egret_key *key, const struct egret_value *value);
#include "keys.def"
#undef EGRET_KEY

struct egret_word { char text[16]; int value; }; /* text, not pointers to it: nothing for the loader to relocate */

/* The value of the word that VALUE is; -1 after adding the error "key: expected ..., got ...". */
int egret_word_value(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
		     const struct egret_word *words);
/* Adds "key: expected KEY->values, got "TEXT"". */
void egret_bad_value(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, const char *text,
		     size_t len);
/* The next comma separated item from *AT on; false at the end. Empty items are skipped. */
bool egret_next_item(const struct egret_value *value, size_t *at, const char **item, size_t *len);
/* A decimal number of at most MAX; false for anything else. */
bool egret_parse_number(const char *text, size_t len, uint64_t max, uint64_t *number);
/* "10s", "500ms", "1m", at most an hour, as milliseconds; false for anything else. */
bool egret_parse_duration(const char *text, size_t len, uint32_t *ms);
/* Absolute form of a path that stands in the file being built; stored once. NULL when memory is out. */
const char *egret_resolve_path(struct egret_build *build, const char *text, size_t len);

#endif
