#include "escape.h"

#include "log.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Decodes one character of two to four bytes; 0 when it is not valid (overlong, surrogate, beyond U+10FFFF, cut). */
static size_t decode(const unsigned char *p, size_t len, uint32_t *code)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 0;
	*code = p[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

static bool deceives(uint32_t code)
{
	return code < 0xa0 || code == 0x61c || code == 0xfeff || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

size_t egret_printable(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t code;
	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	size_t n = decode(p, len, &code);
	return n && !deceives(code) ? n : 0;
}

#define CUT "..."

const char *egret_escape(const char *text, size_t len, char *buf, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0, marked = 0, i = 0; /* marked: as much as leaves room for the mark of a cut */
	while (i < len) {
		size_t n = egret_printable(text + i, len - i);
		if (used + sizeof CUT <= size)
			marked = used;
		if (used + (n ? n : 4) + 1 > size)
			break;
		if (n) {
			memcpy(buf + used, text + i, n);
			used += n;
			i += n;
		} else {
			unsigned char byte = (unsigned char)text[i++];
			memcpy(buf + used, (char[]){ '\\', 'x', digits[byte >> 4], digits[byte & 15] }, 4);
			used += 4;
		}
	}
	if (i < len && size >= sizeof CUT)
		memcpy(buf + marked, CUT, sizeof CUT);
	else if (size)
		buf[used] = '\0';
	return buf;
}
