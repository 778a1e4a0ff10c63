/* RFC 9051 6.2.1. Capabilities that the greeting tells are those before TLS (STARTTLS, LOGINDISABLED): the program reads none and asks. */
#include "starttls.h"

#include <string.h>

/* The tagged line that ROW expects; untagged ones before it mean nothing yet. Of the greeting the untagged line is the answer. */
static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	bool greeting = row->expects[0] == '*';
	for (size_t at = 0, line; (line = egret_starttls_line(data + at, len - at)) != 0; at += line) {
		if (!greeting && data[at] == '*')
			continue;
		*used = at + line;
		return egret_starttls_begins(data + at, line, row->expects) ? EGRET_ANSWER_YES : EGRET_ANSWER_NO;
	}
	return EGRET_ANSWER_MORE;
}

static bool keep(struct egret_buf *greeting, const uint8_t *data, size_t len)
{
	static const char code[] = "* OK [CAPABILITY ";
	const uint8_t *end = egret_starttls_begins(data, len, code) ? memchr(data, ']', len) : NULL;
	if (!end)
		return egret_buf_append(greeting, data, len);
	size_t rest = len - (size_t)(end + 1 - data);
	return egret_buf_append(greeting, "* OK", 4) && egret_buf_append(greeting, end + 1, rest);
}

const struct egret_starttls_row egret_starttls_imap[EGRET_STARTTLS_ROWS] = {
	{ .answer = reply, .expects = "* OK", .keep = keep },
	{ .send = "egret STARTTLS\r\n", .answer = reply, .expects = "egret OK" },
};
