/* Writing JSON (RFC 8259) to a stream, one value at a time. */
#ifndef EGRET_JSON_H
#define EGRET_JSON_H

#include <stdio.h>

/* TEXT in quotes, escaped; null for NULL. */
void egret_json_string(FILE *to, const char *text);
/* "KEY": value, with what separates it from the member before: FIRST says that there is none. */
void egret_json_member(FILE *to, int first, const char *key, const char *value);
void egret_json_number(FILE *to, int first, const char *key, long value); /* null when negative */

#endif
