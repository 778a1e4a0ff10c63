/* The dialogues before TLS: what is said, what is believed, what ends the connection. */
#include "preload/starttls.h"

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
	assert_string_equal(egret_starttls_refusal(EGRET_POSTGRES, (const uint8_t *)"\0\0\0\x08\x04\xd2\x16\x2f", 8), "N");
	assert_null(egret_starttls_refusal(EGRET_POSTGRES, (const uint8_t *)"\0\0\0\x08\0\x03\0\0", 8));
	assert_null(egret_starttls_refusal(EGRET_SMTP, (const uint8_t *)"\0\0\0\x08\x04\xd2\x16\x2f", 8));
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
		cmocka_unit_test(an_endless_answer_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
