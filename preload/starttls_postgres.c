/* SSLRequest, "Protocol Flow" of PostgreSQL's manual: one byte is the answer, S or N. */
#include "starttls.h"

static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	(void)len;
	*used = 1;
	return data[0] == (uint8_t)row->expects[0] ? EGRET_ANSWER_YES : EGRET_ANSWER_NO;
}

const struct egret_starttls_row egret_starttls_postgres[EGRET_STARTTLS_ROWS] = {
	{ .send = "\0\0\0\x08\x04\xd2\x16\x2f", .send_len = 8, .answer = reply, .expects = "S" },
};
