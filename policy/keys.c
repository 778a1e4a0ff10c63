#include "keys.h"

#include "setters.h"

#include <string.h>

const struct egret_key egret_keys[] = {
#define EGRET_KEY(name, where, form, setter, values, fallback, help) \
	{#name, EGRET_IN_##where, EGRET_FORM_##form, values, fallback, egret_set_##setter},
#include "keys.def"
#undef EGRET_KEY
};
const size_t egret_key_count = sizeof(egret_keys) / sizeof(egret_keys[0]);

#define LONGEST_WORD 64 /* bytes: keys, and sections' titles */

const struct egret_key *egret_key_find(const char *name, size_t len, enum egret_key_where where)
{
	for (size_t i = 0; i < egret_key_count; i++) {
		const struct egret_key *key = &egret_keys[i];

		if ((key->where & where) && key->name[0] == name[0] && strncmp(key->name, name, len) == 0 && !key->name[len])
			return key;
	}
	return NULL;
}

size_t egret_key_distance(const char *a, size_t len, const char *b, size_t other)
{
	size_t row[LONGEST_WORD + 1];

	if (len > LONGEST_WORD || other > LONGEST_WORD)
		return LONGEST_WORD;
	for (size_t j = 0; j <= other; j++)
		row[j] = j;
	for (size_t i = 1; i <= len; i++) {
		size_t diagonal = row[0];
		char c = a[i - 1] == '-' || a[i - 1] == ' ' ? '_' : (char)(a[i - 1] | 0x20);

		row[0] = i;
		for (size_t j = 1; j <= other; j++) {
			size_t best = diagonal + (c != b[j - 1] && a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[other];
}

const struct egret_key *egret_key_nearest(const char *name, size_t len, enum egret_key_where where)
{
	const struct egret_key *best = NULL;
	size_t best_distance = len < 5 ? 2 : 4;

	for (size_t i = 0; i < egret_key_count; i++) {
		size_t d = egret_keys[i].where & where ? egret_key_distance(name, len, egret_keys[i].name, strlen(egret_keys[i].name)) : best_distance;

		if (d < best_distance) {
			best = &egret_keys[i];
			best_distance = d;
		}
	}
	return best;
}
