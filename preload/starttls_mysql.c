/* "Connection Phase" of MySQL's and "Connection" of MariaDB's manual. A packet: 3 bytes length, 1 byte number, little-endian. The server
 * greets; the client's SSLRequest is the beginning of its handshake response, which follows whole within TLS. So what is sent is made of the
 * program's own response: servers take its capabilities from the request. Its numbers run one behind the server's until it is
 * authenticated (renumber.h). */
#include "starttls.h"

#include <stdio.h>
#include <string.h>

#define HEAD 4                   /* bytes of a packet's header */
#define REQUEST 32               /* bytes of an SSLRequest's payload: flags, largest packet, charset, 23 bytes that MariaDB has flags in */
#define PAYLOAD_MOST 4096        /* bytes that a greeting is believed to have */
#define CLIENT_PROTOCOL_41 0x02  /* of the flags' second byte */
#define CLIENT_SSL 0x08          /* of the same */

static size_t length_at(const uint8_t *data) { return data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16; }

/* Where the second byte of the lower flags stands in a greeting of protocol 10: behind version text, thread, 8 bytes, a filler. 0: nowhere. */
static size_t flags_at(const uint8_t *data, size_t len)
{
	const uint8_t *version_end = len > HEAD + 1 ? memchr(data + HEAD + 1, 0, len - HEAD - 1) : NULL;
	size_t at = version_end ? (size_t)(version_end - data) + 1 + 4 + 8 + 1 + 1 : 0;
	return at < len ? at : 0;
}

static enum egret_starttls_answer greeting(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used)
{
	(void)row;
	if (len < HEAD)
		return EGRET_ANSWER_MORE;
	*used = HEAD + length_at(data);
	if (*used > HEAD + PAYLOAD_MOST || data[3] != 0 || (len > HEAD && data[HEAD] != 10))
		return EGRET_ANSWER_NO;
	if (len < *used)
		return EGRET_ANSWER_MORE;
	return flags_at(data, *used) ? EGRET_ANSWER_YES : EGRET_ANSWER_NO;
}

static bool offers(const struct egret_starttls_row *row, const uint8_t *data, size_t len)
{
	(void)row;
	return data[flags_at(data, len)] & CLIENT_SSL;
}

static bool keep(struct egret_buf *kept, const uint8_t *data, size_t len)
{
	if (!egret_buf_append(kept, data, len))
		return false;
	egret_buf_head(kept)[flags_at(data, len)] &= (uint8_t)~CLIENT_SSL;
	return true;
}

const struct egret_starttls_row egret_starttls_mysql[EGRET_STARTTLS_ROWS] = {
	{ .answer = greeting, .expects = "a greeting of protocol 10", .needs = "TLS (CLIENT_SSL)", .offers = offers, .keep = keep },
};

static enum egret_starttls_word refuse(struct egret_tls_error *error, const char *text)
{
	error->failure = EGRET_TLS_PROTOCOL;
	snprintf(error->text, sizeof error->text, "tls_starttls = mysql: %s", text);
	return EGRET_WORD_REFUSED;
}

enum egret_starttls_word egret_starttls_mysql_word(const uint8_t *data, size_t len, struct egret_buf *say, struct egret_tls_error *error)
{
	uint8_t request[HEAD + REQUEST] = { REQUEST, 0, 0, 1 };
	if (len >= HEAD && (data[3] != 1 || length_at(data) < REQUEST))
		return refuse(error, "expected the program's handshake response, it sent something else");
	if (len < HEAD + REQUEST)
		return EGRET_WORD_KEPT;
	if (!(data[HEAD + 1] & CLIENT_PROTOCOL_41))
		return refuse(error, "the program speaks the protocol of before MySQL 4.1, which is not upgraded to TLS");
	if (length_at(data) == REQUEST)
		return refuse(error, "the program asks for TLS by itself although the server was said to offer none; let it speak plaintext "
				     "(--skip-ssl, ssl-mode=DISABLED)");
	memcpy(request + HEAD, data + HEAD, REQUEST);
	request[HEAD + 1] |= CLIENT_SSL;
	if (egret_buf_append(say, request, sizeof request))
		return EGRET_WORD_BEGINS;
	error->failure = EGRET_TLS_MEMORY;
	return EGRET_WORD_REFUSED;
}
