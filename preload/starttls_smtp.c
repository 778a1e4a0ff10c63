/* RFC 3207. The program's own EHLO goes to the server within TLS; that server offers no STARTTLS any more. */
#include "starttls.h"

/* One reply of any number of lines, RFC 5321 4.2.1: "250-text", at last "250 text". */
static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	for (size_t at = 0, line; (line = egret_starttls_line(data + at, len - at)) != 0; at += line) {
		if (!egret_starttls_begins(data + at, line, row->expects))
			return EGRET_ANSWER_NO;
		if (data[at + 3] != '-') {
			*used = at + line;
			return EGRET_ANSWER_YES;
		}
	}
	return EGRET_ANSWER_MORE;
}

const struct egret_starttls_row egret_starttls_smtp[EGRET_STARTTLS_ROWS] = {
	{ .answer = reply, .expects = "220", .keep = egret_starttls_keep_all },
	{ .send = "EHLO %\r\n", .answer = reply, .expects = "250", .needs = "STARTTLS", .offers = egret_starttls_has_word },
	{ .send = "STARTTLS\r\n", .answer = reply, .expects = "220" },
};
