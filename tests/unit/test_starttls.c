/* The dialogues before TLS: what is said, what is believed, what ends the connection. */
#include "preload/starttls.h"
#include "preload/renumber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct egret_tls_error error;
static struct egret_buf out;
static struct egret_starttls_dialogue *talk;

static void begin(enum egret_starttls protocol)
{
	struct egret_addr local = { .family = EGRET_IPV4, .bytes = { 192, 0, 2, 9 } };
	egret_starttls_free(talk);
	egret_buf_free(&out);
	memset(&error, 0, sizeof error);
	talk = egret_starttls_new(protocol, &local);
	assert_non_null(talk);
	assert_int_equal(egret_starttls_step(talk, NULL, 0, &out, &error), EGRET_STARTTLS_MORE);
}

static enum egret_starttls_step hear_bytes(const char *data, size_t len) { return egret_starttls_step(talk, (const uint8_t *)data, len, &out, &error); }
static enum egret_starttls_word word(const char *data, size_t len) { return egret_starttls_word(talk, (const uint8_t *)data, len, &out, &error); }
static enum egret_starttls_step hear(const char *text) { return hear_bytes(text, strlen(text)); }

static void assert_said(const char *text)
{
	assert_int_equal(egret_buf_len(&out), strlen(text));
	if (*text)
		assert_memory_equal(egret_buf_head(&out), text, strlen(text));
	egret_buf_free(&out);
}

static void assert_greeting(const char *text)
{
	size_t len;
	const uint8_t *greeting = egret_starttls_greeting(talk, &len);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(greeting, text, len);
}

static void assert_failed(enum egret_starttls_step step, const char *text)
{
	assert_int_equal(step, EGRET_STARTTLS_FAILED);
	if (!strstr(error.text, text))
		fail_msg("\"%s\" does not say \"%s\"", error.text, text);
	assert_int_equal(egret_buf_len(&out), 0);
}

static void smtp_says_ehlo_and_starttls_and_keeps_the_greeting(void **state)
{
	(void)state;
	begin(EGRET_SMTP);
	assert_said("");
	assert_int_equal(hear("220-mail.example\r\n22"), EGRET_STARTTLS_MORE);
	assert_int_equal(hear("0 ESMTP\r\n"), EGRET_STARTTLS_MORE);
	assert_said("EHLO [192.0.2.9]\r\n");
	assert_int_equal(hear("250-mail.example\r\n250-PIPELINING\r\n250-starttls\r\n250 8BITMIME\r\n"), EGRET_STARTTLS_MORE);
	assert_said("STARTTLS\r\n");
	assert_int_equal(hear("220 go ahead\r\n"), EGRET_STARTTLS_UPGRADE);
	assert_said("");
	assert_greeting("220-mail.example\r\n220 ESMTP\r\n");
}

static void smtp_server_that_offers_no_tls_is_refused(void **state)
{
	(void)state;
	begin(EGRET_SMTP);
	hear("220 mail.example\r\n");
	egret_buf_free(&out);
	assert_failed(hear("250-mail.example\r\n250-XSTARTTLS\r\n250-STARTTLSX\r\n250 8BITMIME\r\n"), "does not offer STARTTLS");
	begin(EGRET_SMTP);
	assert_failed(hear("554 go away\r\n"), "it answered \"554 go away\"");
	begin(EGRET_SMTP);
	hear("220 mail.example\r\n");
	hear("250 STARTTLS\r\n");
	egret_buf_free(&out);
	assert_failed(hear("454 not now\r\n"), "it answered \"454 not now\"");
}

static void injected_bytes_are_refused_in_every_protocol(void **state)
{
	(void)state;
	begin(EGRET_SMTP);
	hear("220 mail.example\r\n");
	hear("250 STARTTLS\r\n");
	egret_buf_free(&out);
	assert_failed(hear("220 go ahead\r\n250 injected\r\n"), "injected");
	begin(EGRET_SMTP);
	assert_failed(hear("220 mail.example\r\n250 early\r\n"), "injected");
	begin(EGRET_IMAP);
	hear("* OK hi\r\n");
	egret_buf_free(&out);
	assert_failed(hear("egret OK\r\n* PREAUTH you\r\n"), "injected");
	begin(EGRET_POP3);
	hear("+OK hi\r\n");
	egret_buf_free(&out);
	assert_failed(hear("+OK\r\n+OK injected\r\n"), "injected");
	begin(EGRET_POSTGRES);
	egret_buf_free(&out);
	assert_failed(hear("SE"), "injected");
	begin(EGRET_LDAP);
	egret_buf_free(&out);
	assert_failed(hear_bytes("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00\x30", 15), "injected");
}

static void imap_capabilities_from_before_tls_are_not_told(void **state)
{
	(void)state;
	begin(EGRET_IMAP);
	assert_int_equal(hear("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready.\r\n"), EGRET_STARTTLS_MORE);
	assert_said("egret STARTTLS\r\n");
	assert_int_equal(hear("* OK whatever\r\n"), EGRET_STARTTLS_MORE);
	assert_int_equal(hear("egret OK begin\r\n"), EGRET_STARTTLS_UPGRADE);
	assert_greeting("* OK ready.\r\n");
	begin(EGRET_IMAP);
	assert_failed(hear("* PREAUTH welcome\r\n"), "PREAUTH");
	begin(EGRET_IMAP);
	hear("* OK\r\n");
	egret_buf_free(&out);
	assert_failed(hear("egret NO never\r\n"), "egret NO never");
}

static void pop3_says_stls(void **state)
{
	(void)state;
	begin(EGRET_POP3);
	hear("+OK <1@pop.example>\r\n");
	assert_said("STLS\r\n");
	assert_int_equal(hear("+OK\r\n"), EGRET_STARTTLS_UPGRADE);
	assert_greeting("+OK <1@pop.example>\r\n");
	begin(EGRET_POP3);
	hear("+OK\r\n");
	egret_buf_free(&out);
	assert_failed(hear("-ERR no\r\n"), "-ERR no");
}

static void ldap_reads_the_result_of_its_request(void **state)
{
	static const char good[] = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
	static const char bad[] = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
	static const char other[] = "\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
	(void)state;
	begin(EGRET_LDAP);
	assert_int_equal(egret_buf_len(&out), 31);
	for (size_t i = 0; i < sizeof good - 2; i++)
		assert_int_equal(hear_bytes(good + i, 1), EGRET_STARTTLS_MORE);
	assert_int_equal(hear_bytes(good + sizeof good - 2, 1), EGRET_STARTTLS_UPGRADE);
	begin(EGRET_LDAP);
	egret_buf_free(&out);
	assert_failed(hear_bytes(bad, sizeof bad - 1), "ExtendedResponse");
	begin(EGRET_LDAP);
	egret_buf_free(&out);
	assert_failed(hear_bytes(other, sizeof other - 1), "ExtendedResponse");
	begin(EGRET_LDAP);
	egret_buf_free(&out);
	assert_failed(hear("HTTP/1.1 400"), "HTTP/1.1 400");
}

static void postgres_reads_one_byte_and_answers_the_programs_own_request(void **state)
{
	(void)state;
	begin(EGRET_POSTGRES);
	assert_int_equal(egret_buf_len(&out), 8);
	assert_int_equal(hear("S"), EGRET_STARTTLS_UPGRADE);
	begin(EGRET_POSTGRES);
	egret_buf_free(&out);
	assert_failed(hear("N"), "it answered \"N\"");
	assert_true(egret_starttls_hears(talk));
	assert_int_equal(word("\0\0\0\x08\x04\xd2\x16\x2f", 8), EGRET_WORD_KEPT);
	assert_said("N");
	assert_int_equal(word("\0\0\0\x08\0\x03\0\0", 8), EGRET_WORD_PASSES);
	begin(EGRET_SMTP);
	assert_false(egret_starttls_hears(talk));
	assert_int_equal(word("\0\0\0\x08\x04\xd2\x16\x2f", 8), EGRET_WORD_PASSES);
	assert_said("");
}

/* A greeting of protocol 10: version text, thread, 8 bytes, filler, flags ff ff (CLIENT_SSL is 08 of the second), the rest. */
static const char mysql_hi[] = "\x1e\0\0\0" "\x0a" "5.5\0" "\1\0\0\0" "saltsalt" "\0" "\xff\xff" "\x2d" "\2\0" "\xff\x81" "\x15" "salt";
#define MYSQL_HI (sizeof mysql_hi - 1)
#define MYSQL_FLAG 23 /* where CLIENT_SSL is */
/* A handshake response: flags 05 a6 0f 00, largest packet, charset, 23 bytes, the name. */
static const char mysql_me[] = "\x26\0\0\1" "\x05\xa6\x0f\0" "\0\0\0\1" "\x2d" "12345678901234567890123" "user\0\0";
#define MYSQL_ME (sizeof mysql_me - 1)

static void mysql_hides_tls_in_the_greeting_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t cut = 1; cut <= MYSQL_HI; cut++) {
		size_t len;
		begin(EGRET_MYSQL);
		assert_said("");
		for (size_t at = 0; at < MYSQL_HI; at += cut) {
			size_t count = MYSQL_HI - at < cut ? MYSQL_HI - at : cut;
			assert_int_equal(hear_bytes(mysql_hi + at, count), at + count == MYSQL_HI ? EGRET_STARTTLS_LISTEN : EGRET_STARTTLS_MORE);
		}
		assert_said("");
		const uint8_t *greeting = egret_starttls_greeting(talk, &len);
		assert_int_equal(len, MYSQL_HI);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(greeting[i], i == MYSQL_FLAG ? 0xf7 : (uint8_t)mysql_hi[i]);
	}
}

static void mysql_believes_no_greeting_but_one_of_protocol_10_with_tls(void **state)
{
	char bad[MYSQL_HI];
	(void)state;
	memcpy(bad, mysql_hi, MYSQL_HI);
	bad[MYSQL_FLAG] = (char)0xf7;
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes(bad, MYSQL_HI), "does not offer TLS");
	memcpy(bad, mysql_hi, MYSQL_HI);
	bad[4] = 9;
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes(bad, MYSQL_HI), "a greeting of protocol 10");
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes("\x05\0\0\0\x0a" "5.5\0", 9), "a greeting of protocol 10");
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes("\x05\0\0\0\x0a" "5.5x", 9), "a greeting of protocol 10");
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes("\0\0\0\0", 4), "a greeting of protocol 10");
	begin(EGRET_MYSQL);
	assert_failed(hear_bytes("\xff\xff\xff\0\x0a", 5), "a greeting of protocol 10");
	begin(EGRET_MYSQL);
	assert_failed(hear("HTTP/1.1 400 Bad Request\r\n"), "it answered \"HTTP/1.1 400 Bad Request\"");
	memcpy(bad, mysql_hi, MYSQL_HI);
	begin(EGRET_MYSQL);
	assert_int_equal(hear_bytes(bad, MYSQL_HI - 1), EGRET_STARTTLS_MORE);
	assert_failed(hear_bytes("t\x07", 2), "injected");
}

static void mysql_asks_for_tls_with_the_programs_own_flags(void **state)
{
	char me[MYSQL_ME];
	(void)state;
	begin(EGRET_MYSQL);
	for (size_t len = 1; len < 36; len++)
		assert_int_equal(word(mysql_me, len), EGRET_WORD_KEPT);
	assert_int_equal(egret_buf_len(&out), 0);
	assert_int_equal(word(mysql_me, 36), EGRET_WORD_BEGINS);
	assert_int_equal(egret_buf_len(&out), 36);
	assert_memory_equal(egret_buf_head(&out), "\x20\0\0\1\x05\xae\x0f\0\0\0\0\1\x2d" "12345678901234567890123", 36);
	egret_buf_free(&out);
	memcpy(me, mysql_me, MYSQL_ME);
	me[0] = 0x20; /* an SSLRequest of its own */
	assert_int_equal(word(me, 36), EGRET_WORD_REFUSED);
	assert_non_null(strstr(error.text, "asks for TLS by itself"));
	me[0] = 0x26;
	me[5] = 0x04; /* without CLIENT_PROTOCOL_41 */
	assert_int_equal(word(me, 36), EGRET_WORD_REFUSED);
	me[3] = 0;
	assert_int_equal(word(me, 4), EGRET_WORD_REFUSED);
	assert_int_equal(word("GET / HTTP/1.0\r\n", 16), EGRET_WORD_REFUSED);
	assert_int_equal(egret_buf_len(&out), 0);
}

/* What FROM becomes, cut into pieces of CUT bytes. */
static void assert_renumbered(void (*pass)(struct egret_renumber *, uint8_t *, size_t), int by, const char *from, const char *to, size_t len)
{
	for (size_t cut = 1; cut <= len; cut++) {
		struct egret_renumber it = { .by = (int8_t)by };
		uint8_t data[256];
		memcpy(data, from, len);
		for (size_t at = 0; at < len; at += cut)
			pass(&it, data + at, len - at < cut ? len - at : cut);
		assert_memory_equal(data, to, len);
	}
}

static void packets_are_numbered_one_higher_until_a_command(void **state)
{
	/* the handshake response, which also says CLIENT_SSL; an answer; an empty one; a command, and what follows it */
	static const char from[] = "\3\0\0\1\x05\xa6\x0f" "\2\0\0\3\xa6\xa6" "\0\0\0\5" "\1\0\0\0\3" "\1\0\0\1\0";
	static const char to[] = "\3\0\0\2\x05\xae\x0f" "\2\0\0\4\xa6\xa6" "\0\0\0\6" "\1\0\0\0\3" "\1\0\0\1\0";
	(void)state;
	assert_renumbered(egret_renumber_up, 1, from, to, sizeof from - 1);
	assert_renumbered(egret_renumber_up, 0, from, from, sizeof from - 1);
}

static void packets_are_numbered_one_lower_until_the_server_says_ok_or_error(void **state)
{
	/* another method; more data; nothing; OK, and what follows it */
	static const char from[] = "\2\0\0\3\xfe\0" "\3\0\0\5\1\0\xff" "\0\0\0\7" "\2\0\0\x9\0\xff" "\1\0\0\1\1";
	static const char to[] = "\2\0\0\2\xfe\0" "\3\0\0\4\1\0\xff" "\0\0\0\6" "\2\0\0\x8\0\xff" "\1\0\0\1\1";
	static const char no[] = "\2\0\0\3\xff\0" "\1\0\0\1\1", no_to[] = "\2\0\0\2\xff\0" "\1\0\0\1\1";
	(void)state;
	assert_renumbered(egret_renumber_down, -1, from, to, sizeof from - 1);
	assert_renumbered(egret_renumber_down, -1, no, no_to, sizeof no - 1);
}

static void an_endless_answer_is_refused(void **state)
{
	(void)state;
	begin(EGRET_POP3);
	enum egret_starttls_step step = EGRET_STARTTLS_MORE;
	for (int i = 0; i < 70000 && step == EGRET_STARTTLS_MORE; i++)
		step = hear("x");
	assert_failed(step, "it answered \"xxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smtp_says_ehlo_and_starttls_and_keeps_the_greeting),
		cmocka_unit_test(smtp_server_that_offers_no_tls_is_refused),
		cmocka_unit_test(injected_bytes_are_refused_in_every_protocol),
		cmocka_unit_test(imap_capabilities_from_before_tls_are_not_told),
		cmocka_unit_test(pop3_says_stls),
		cmocka_unit_test(ldap_reads_the_result_of_its_request),
		cmocka_unit_test(postgres_reads_one_byte_and_answers_the_programs_own_request),
		cmocka_unit_test(mysql_hides_tls_in_the_greeting_however_it_is_cut),
		cmocka_unit_test(mysql_believes_no_greeting_but_one_of_protocol_10_with_tls),
		cmocka_unit_test(mysql_asks_for_tls_with_the_programs_own_flags),
		cmocka_unit_test(packets_are_numbered_one_higher_until_a_command),
		cmocka_unit_test(packets_are_numbered_one_lower_until_the_server_says_ok_or_error),
		cmocka_unit_test(an_endless_answer_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
