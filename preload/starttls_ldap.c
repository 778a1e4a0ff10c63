/* RFC 4511 4.14: an extended request, and the answer with result code 0. */
#include "starttls.h"

static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" "1.3.6.1.4.1.1466.20037";

/* Tag and length (X.690 8.1.3, at most two bytes of it) at *AT. False: not TAG, or not there. */
static bool head(const uint8_t *data, size_t len, size_t *at, uint8_t tag, size_t *size)
{
	if (len - *at < 2 || data[*at] != tag)
		return false;
	size_t bytes = data[*at + 1] & 0x80 ? data[*at + 1] & 0x7fu : 0;
	*size = bytes ? 0 : data[*at + 1];
	*at += 2;
	if (bytes > 2 || len - *at < bytes)
		return false;
	while (bytes--)
		*size = *size << 8 | data[(*at)++];
	return true;
}

static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	size_t at = 0, size, whole;
	(void)row;
	if (!head(data, len, &at, 0x30, &size))
		return data[0] == 0x30 && len < 4 ? EGRET_ANSWER_MORE : EGRET_ANSWER_NO;
	if (len - at < size)
		return EGRET_ANSWER_MORE;
	whole = *used = at + size;
	/* messageID 1, [APPLICATION 24], resultCode */
	if (!head(data, whole, &at, 0x02, &size) || size != 1 || at == whole || data[at++] != 1 || !head(data, whole, &at, 0x78, &size) ||
	    !head(data, whole, &at, 0x0a, &size) || size != 1 || at == whole || data[at] != 0)
		return EGRET_ANSWER_NO;
	return EGRET_ANSWER_YES;
}

const struct egret_starttls_row egret_starttls_ldap[EGRET_STARTTLS_ROWS] = {
	{ .send = request, .send_len = sizeof request - 1, .answer = reply, .expects = "ExtendedResponse success" },
};
