/* SSLRequest, "Protocol Flow" of PostgreSQL's manual: one byte is the answer, S or N. */
#include "starttls.h"

#include <string.h>

static enum egret_starttls_answer reply(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	(void)len;
	*used = 1;
	return data[0] == (uint8_t)row->expects[0] ? EGRET_ANSWER_YES : EGRET_ANSWER_NO;
}

const struct egret_starttls_row egret_starttls_postgres[EGRET_STARTTLS_ROWS] = {
	{ .send = "\0\0\0\x08\x04\xd2\x16\x2f", .send_len = 8, .answer = reply, .expects = "S" },
};

/* SSLRequest and GSSENCRequest, "Message Formats" of PostgreSQL's manual. */
enum egret_starttls_word egret_starttls_postgres_word(const uint8_t *data, size_t len, struct egret_buf *say, struct egret_tls_error *error)
{
	if (len != 8 || (memcmp(data, "\0\0\0\x08\x04\xd2\x16\x2f", 8) != 0 && memcmp(data, "\0\0\0\x08\x04\xd2\x16\x30", 8) != 0))
		return EGRET_WORD_PASSES;
	if (egret_buf_append(say, "N", 1))
		return EGRET_WORD_KEPT;
	error->failure = EGRET_TLS_MEMORY;
	return EGRET_WORD_REFUSED;
}
