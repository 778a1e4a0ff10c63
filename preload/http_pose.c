#include "http_internal.h"

#include <string.h>

/* BEGIN: only line ends and white space so far. GAP: what may part a method from a target. SCHEME: the letters of one's absolute form. */
enum step { OFF, BEGIN, METHOD, GAP, SCHEME, COLON, SLASH };

/* RFC 9110 9.3: a body of theirs means nothing. (Others have it at least where they are known at all.) */
unsigned egret_http_pose_begin(const struct egret_http_head *head)
{
	static const char *const names[] = { "GET", "HEAD", "DELETE", "OPTIONS", "TRACE" };

	if (head->chunked || !head->length) /* whoever reads a chunk's size as a request takes it for none */
		return OFF;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (head->method.len == strlen(names[i]) && !memcmp(head->method.at, names[i], head->method.len))
			return BEGIN;
	return OFF;
}

/* White space to somebody: python takes Latin-1's for it, too. */
static bool parts(unsigned char c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0);
}

static bool is_scheme_byte(unsigned char c)
{
	return (c | 0x20) >= 'a' ? (c | 0x20) <= 'z' : (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

static enum step next_step(enum step step, unsigned char c)
{
	switch (step) {
	case OFF:
		return OFF;
	case BEGIN:
		return parts(c) ? BEGIN : egret_http_is_token_byte(c) ? METHOD : OFF;
	case METHOD:
		return parts(c) ? GAP : egret_http_is_token_byte(c) ? METHOD : OFF;
	case GAP:
		return parts(c) ? GAP : is_scheme_byte(c) ? SCHEME : OFF;
	case SCHEME:
		return c == ':' ? COLON : is_scheme_byte(c) ? SCHEME : OFF;
	case COLON:
		return c == '/' ? SLASH : OFF;
	case SLASH:
		return OFF;
	}
	return OFF;
}

bool egret_http_pose_read(unsigned *pose, const char *data, size_t len)
{
	for (size_t i = 0; i < len && *pose != OFF; i++) {
		if ((*pose == GAP || *pose == SLASH) && (data[i] == '/' || data[i] == '*'))
			return false;
		*pose = next_step((enum step)*pose, (unsigned char)data[i]);
	}
	return true;
}
