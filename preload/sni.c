#include "sni.h"

#include "buf.h"

#include <stdlib.h>

#define RECORD_HEADER 5
#define HANDSHAKE_HEADER 4
#define SSL2_HELLO 11 /* bytes that tell an SSL 2 ClientHello */
#define EXTENSION_SERVER_NAME 0
#define EXTENSION_ENCRYPTED_HELLO 0xfe0d

struct egret_sni {
	struct egret_buf raw;   /* as fed */
	struct egret_buf hello; /* the handshake message, record headers taken off */
	enum egret_sni_state state;
	size_t at;              /* bytes of raw that were looked at */
	size_t record_left;     /* bytes of the open record that are still to come */
	size_t name_at, name_len; /* in hello */
	bool has_name, encrypted;
};

/* A part of the message that is still to be read. */
struct span {
	const uint8_t *at, *end;
};

static bool take_number(struct span *span, unsigned bytes, size_t *value)
{
	if ((size_t)(span->end - span->at) < bytes)
		return false;
	*value = 0;
	while (bytes--)
		*value = *value << 8 | *span->at++;
	return true;
}

/* A vector with a length of PREFIX bytes in front (RFC 8446 3.4). */
static bool take_vector(struct span *span, unsigned prefix, struct span *vector)
{
	size_t len;

	if (!take_number(span, prefix, &len) || (size_t)(span->end - span->at) < len)
		return false;
	*vector = (struct span){ span->at, span->at + len };
	span->at += len;
	return true;
}

static size_t length(const struct span *span)
{
	return (size_t)(span->end - span->at);
}

/* ServerNameList: exactly one host_name. Other types do not exist; a list that has them is no server's business. */
static bool read_server_name(struct egret_sni *sni, struct span extension)
{
	struct span list, name;
	size_t type;

	if (sni->has_name || !take_vector(&extension, 2, &list) || length(&extension) || !take_number(&list, 1, &type) || type != 0 ||
	    !take_vector(&list, 2, &name) || length(&list) || !length(&name))
		return false;
	sni->has_name = true;
	sni->name_at = (size_t)(name.at - egret_buf_head(&sni->hello));
	sni->name_len = length(&name);
	return true;
}

static bool read_extensions(struct egret_sni *sni, struct span extensions)
{
	struct span extension;
	size_t type;

	while (length(&extensions)) {
		if (!take_number(&extensions, 2, &type) || !take_vector(&extensions, 2, &extension))
			return false;
		if (type == EXTENSION_ENCRYPTED_HELLO)
			sni->encrypted = true;
		if (type == EXTENSION_SERVER_NAME && !read_server_name(sni, extension))
			return false;
	}
	return true;
}

static bool read_hello(struct egret_sni *sni, size_t len)
{
	struct span hello = { egret_buf_head(&sni->hello) + HANDSHAKE_HEADER, egret_buf_head(&sni->hello) + HANDSHAKE_HEADER + len };
	struct span session, suites, compression, extensions;
	size_t version;

	if (!take_number(&hello, 2, &version) || version >> 8 != 3 || length(&hello) < 32)
		return false;
	hello.at += 32; /* random */
	if (!take_vector(&hello, 1, &session) || length(&session) > 32 || !take_vector(&hello, 2, &suites) || length(&suites) < 2 ||
	    length(&suites) % 2 || !take_vector(&hello, 1, &compression) || !length(&compression))
		return false;
	if (!length(&hello))
		return true;
	return take_vector(&hello, 2, &extensions) && !length(&hello) && read_extensions(sni, extensions);
}

/* The start of what was fed, before any record is read. */
static enum egret_sni_state judge_start(const uint8_t *data, size_t len)
{
	if (data[0] == 0x16)
		return len < 2 || data[1] == 3 ? EGRET_SNI_NEED_MORE : EGRET_SNI_NOT_TLS;
	/* RFC 5246 E.2: an SSL 2 ClientHello carries no name, and servers still read it. */
	if (!(data[0] & 0x80) || (len > 2 && data[2] != 1) || (len > 3 && data[3] != 3))
		return EGRET_SNI_NOT_TLS;
	if (len < SSL2_HELLO)
		return EGRET_SNI_NEED_MORE;
	if (data[4] > 4 || (data[5] << 8 | data[6]) % 3 || data[7] || (data[8] && data[8] != 16) || data[9] || data[10] < 16 || data[10] > 32)
		return EGRET_SNI_NOT_TLS;
	return EGRET_SNI_MALFORMED;
}

/* The message so far: wrong type, too long, complete? */
static enum egret_sni_state judge_message(struct egret_sni *sni)
{
	const uint8_t *head = egret_buf_head(&sni->hello);
	size_t have = egret_buf_len(&sni->hello), len;

	if (have && head[0] != 1)
		return EGRET_SNI_MALFORMED;
	if (have < HANDSHAKE_HEADER)
		return EGRET_SNI_NEED_MORE;
	len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (len > EGRET_SNI_MAX)
		return EGRET_SNI_MALFORMED;
	if (have < HANDSHAKE_HEADER + len)
		return EGRET_SNI_NEED_MORE;
	return read_hello(sni, len) ? EGRET_SNI_HELLO : EGRET_SNI_MALFORMED;
}

/* Moves what came of the records into the message. False: not a handshake record, or memory is out. */
static bool unpack(struct egret_sni *sni)
{
	for (;;) {
		const uint8_t *at = egret_buf_head(&sni->raw) + sni->at;
		size_t have = egret_buf_len(&sni->raw) - sni->at;

		if (!sni->record_left) {
			if (have < RECORD_HEADER)
				return true;
			sni->record_left = (size_t)at[3] << 8 | at[4];
			if (at[0] != 0x16 || at[1] != 3 || !sni->record_left || sni->record_left > 16384)
				return false;
			sni->at += RECORD_HEADER;
			continue;
		}
		if (!have)
			return true;
		if (have > sni->record_left)
			have = sni->record_left;
		if (!egret_buf_append(&sni->hello, at, have))
			return false;
		sni->at += have;
		sni->record_left -= have;
		/* Behind a complete message anything may follow (early data): do not read it. */
		sni->state = judge_message(sni);
		if (sni->state != EGRET_SNI_NEED_MORE)
			return true;
	}
}

struct egret_sni *egret_sni_new(void)
{
	struct egret_sni *sni = calloc(1, sizeof(*sni));

	if (sni)
		sni->state = EGRET_SNI_NEED_MORE;
	return sni;
}

void egret_sni_free(struct egret_sni *sni)
{
	if (!sni)
		return;
	egret_buf_free(&sni->raw);
	egret_buf_free(&sni->hello);
	free(sni);
}

enum egret_sni_state egret_sni_feed(struct egret_sni *sni, const void *data, size_t len)
{
	if (sni->state != EGRET_SNI_NEED_MORE || !len)
		return sni->state;
	if (!egret_buf_append(&sni->raw, data, len))
		return sni->state = EGRET_SNI_MALFORMED;
	if (!sni->at) {
		sni->state = judge_start(egret_buf_head(&sni->raw), egret_buf_len(&sni->raw));
		if (sni->state != EGRET_SNI_NEED_MORE || egret_buf_head(&sni->raw)[0] != 0x16)
			return sni->state;
	}
	if (!unpack(sni) || (sni->state == EGRET_SNI_NEED_MORE && egret_buf_len(&sni->raw) > EGRET_SNI_MAX))
		sni->state = EGRET_SNI_MALFORMED;
	return sni->state;
}

const char *egret_sni_name(const struct egret_sni *sni, size_t *len)
{
	*len = sni->name_len;
	return sni->state == EGRET_SNI_HELLO && sni->has_name ? (const char *)sni->hello.data + sni->hello.start + sni->name_at : NULL;
}

bool egret_sni_encrypted(const struct egret_sni *sni)
{
	return sni->encrypted;
}

struct egret_hello egret_sni_hello(const struct egret_sni *sni, enum egret_sni_state state)
{
	struct egret_hello hello = { 0 };
	switch (state) {
	case EGRET_SNI_MALFORMED:
	case EGRET_SNI_NEED_MORE:
		break;
	case EGRET_SNI_HELLO:
		hello.kind = EGRET_HELLO_TLS;
		hello.encrypted = egret_sni_encrypted(sni);
		hello.name = egret_sni_name(sni, &hello.len);
		break;
	case EGRET_SNI_NOT_TLS:
		hello.kind = EGRET_HELLO_NONE;
		break;
	}
	return hello;
}

const uint8_t *egret_sni_held(const struct egret_sni *sni, size_t *len)
{
	*len = egret_buf_len(&sni->raw);
	return sni->raw.data + sni->raw.start;
}
