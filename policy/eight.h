/* Eight bytes of text at once, as one word: most text is plain, and what tells so is the same arithmetic for all eight. */
#ifndef EGRET_EIGHT_H
#define EGRET_EIGHT_H

#include <stdint.h>
#include <string.h>

#define EGRET_EACH(byte) ((byte) * UINT64_C(0x0101010101010101))

/* The eight bytes at TEXT. */
static inline uint64_t egret_eight(const char *text)
{
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return word;
}

/* Not 0: WORD has a zero byte. Its high bit is set then; perhaps those of bytes above it, too. */
static inline uint64_t egret_zero_bytes(uint64_t word)
{
	return (word - EGRET_EACH(0x01)) & ~word & EGRET_EACH(0x80);
}

/* Not 0: WORD has a byte that is no printable ASCII, 0x20 to 0x7e. */
static inline uint64_t egret_odd_bytes(uint64_t word)
{
	return (word & EGRET_EACH(0x80)) | ((word - EGRET_EACH(0x20)) & ~word & EGRET_EACH(0x80)) | egret_zero_bytes(word ^ EGRET_EACH(0x7f));
}

#endif
