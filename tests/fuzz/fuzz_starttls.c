/* What servers and programs say before TLS, cut at the places that the first byte says; and MySQL's packets after it, which must come out
 * the same however they are cut. */
// objects: preload/starttls.c preload/starttls_smtp.c preload/starttls_imap.c preload/starttls_pop3.c
// objects: preload/starttls_ldap.c preload/starttls_postgres.c preload/starttls_mysql.c preload/renumber.c preload/buf.c
#include "preload/starttls.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void talk(enum egret_starttls protocol, const uint8_t *data, size_t size, size_t step)
{
	struct egret_addr local = { .family = EGRET_IPV4 };
	struct egret_starttls_dialogue *dialogue = egret_starttls_new(protocol, &local);
	struct egret_tls_error error = { 0 };
	struct egret_buf out = { 0 };
	enum egret_starttls_step result = EGRET_STARTTLS_MORE;
	size_t len = 0, words = size < EGRET_WORDS_MOST ? size : EGRET_WORDS_MOST;

	if (!dialogue)
		return;
	egret_starttls_step(dialogue, NULL, 0, &out, &error);
	for (size_t at = 0; at < size && result == EGRET_STARTTLS_MORE; at += step)
		result = egret_starttls_step(dialogue, data + at, size - at < step ? size - at : step, &out, &error);
	if (result == EGRET_STARTTLS_FAILED && !error.text[0])
		abort();
	egret_starttls_greeting(dialogue, &len);
	if (len > size)
		abort();
	if (egret_starttls_word(dialogue, data, words, &out, &error) == EGRET_WORD_BEGINS && words < EGRET_WORDS_MOST)
		abort();
	egret_starttls_free(dialogue);
	egret_buf_free(&out);
}

static void pass(void (*renumber)(struct egret_renumber *, uint8_t *, size_t), int by, const uint8_t *data, size_t size, size_t step)
{
	struct egret_renumber whole = { .by = (int8_t)by }, cut = whole;
	uint8_t *one = malloc(size + 1), *many = malloc(size + 1);

	memcpy(one, data, size);
	memcpy(many, data, size);
	renumber(&whole, one, size);
	for (size_t at = 0; at < size; at += step)
		renumber(&cut, many + at, size - at < step ? size - at : step);
	if (memcmp(one, many, size) != 0)
		abort();
	free(one);
	free(many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t step = data[0] % 17u + 1;

	talk((enum egret_starttls)(data[1] % 7u), data + 2, size - 2, step);
	pass(egret_renumber_up, 1, data + 2, size - 2, step);
	pass(egret_renumber_down, -1, data + 2, size - 2, step);
	return 0;
}
