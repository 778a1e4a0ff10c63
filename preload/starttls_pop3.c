/* RFC 2595 4. */
#include "starttls.h"

static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	*used = egret_starttls_line(data, len);
	if (*used == 0)
		return EGRET_ANSWER_MORE;
	return egret_starttls_begins(data, *used, row->expects) ? EGRET_ANSWER_YES : EGRET_ANSWER_NO;
}

const struct egret_starttls_row egret_starttls_pop3[EGRET_STARTTLS_ROWS] = {
	{ .answer = reply, .expects = "+OK", .keep = egret_starttls_keep_all },
	{ .send = "STLS\r\n", .answer = reply, .expects = "+OK" },
};
