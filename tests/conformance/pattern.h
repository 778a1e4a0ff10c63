/* The byte at each position of a stream, in both directions. */
#ifndef EGRET_TESTS_PATTERN_H
#define EGRET_TESTS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

static inline unsigned char pattern_at(size_t position)
{
	return (unsigned char)(position * 31 + (position >> 8) * 17 + (position >> 16) * 7);
}

static inline void pattern_fill(unsigned char *data, size_t position, size_t count)
{
	for (size_t i = 0; i < count; i++)
		data[i] = pattern_at(position + i);
}

static inline bool pattern_is(const unsigned char *data, size_t position, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (data[i] != pattern_at(position + i))
			return false;
	return true;
}

#endif
