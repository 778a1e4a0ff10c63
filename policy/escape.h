/* UTF-8 as it comes from elsewhere (RFC 3629): which bytes may be printed as they are. */
#ifndef EGRET_ESCAPE_H
#define EGRET_ESCAPE_H

#include <stddef.h>

/* The length in bytes of the character at TEXT when it is valid UTF-8 and printable (no control, no bidi control, U+2028/9), else 0. */
size_t egret_printable(const char *text, size_t len);

#endif
