/* The name in a ClientHello, however it is cut. */
#include "preload/sni.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t wire[4096];
static size_t wire_len;

static void put(const void *data, size_t len)
{
	memcpy(wire + wire_len, data, len);
	wire_len += len;
}

static void put16(size_t value)
{
	uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(bytes, 2);
}

/* A ClientHello as one handshake message in `wire`; NAMES times the extension server_name with NAME. */
static void make_message(const char *name, unsigned names)
{
	size_t name_len = strlen(name), extension = name_len + 9;
	uint8_t random[32] = { 7 };

	wire_len = 0;
	put("\1\0", 2);
	put16(2 + 32 + 1 + 4 + 2 + 2 + 5 + names * extension);
	put("\3\3", 2);
	put(random, sizeof(random));
	put("\0", 1);             /* session id */
	put("\0\2\x13\1", 4);     /* suites */
	put("\1\0", 2);           /* compression */
	put16(5 + names * extension);
	put("\0\x2b\0\1\0", 5);   /* some other extension */
	while (names--) {
		put16(0);
		put16(name_len + 5);
		put16(name_len + 3);
		put("\0", 1);
		put16(name_len);
		put(name, name_len);
	}
}

/* The message in records of at most SIZE bytes. */
static void make_records(size_t size)
{
	static uint8_t message[4096];
	size_t len = wire_len;

	memcpy(message, wire, len);
	wire_len = 0;
	for (size_t at = 0; at < len; at += size) {
		size_t part = len - at < size ? len - at : size;

		put("\x16\3\1", 3);
		put16(part);
		put(message + at, part);
	}
}

static enum egret_sni_state feed(struct egret_sni *sni, size_t step)
{
	enum egret_sni_state state = EGRET_SNI_NEED_MORE;

	for (size_t at = 0; at < wire_len && state == EGRET_SNI_NEED_MORE; at += step)
		state = egret_sni_feed(sni, wire + at, wire_len - at < step ? wire_len - at : step);
	return state;
}

static enum egret_sni_state verdict(const void *data, size_t len)
{
	struct egret_sni *sni = egret_sni_new();
	enum egret_sni_state state = egret_sni_feed(sni, data, len);

	egret_sni_free(sni);
	return state;
}

static void a_name_is_found_however_records_and_writes_are_cut(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 5, 7, 64, 4096 };
	(void)state;
	for (size_t r = 0; r < 7; r++)
		for (size_t w = 0; w < 7; w++) {
			struct egret_sni *sni = egret_sni_new();
			size_t len;

			make_message("www.example.org", 1);
			make_records(steps[r] < 4 ? 3 + steps[r] : steps[r]);
			assert_int_equal(feed(sni, steps[w]), EGRET_SNI_HELLO);
			assert_memory_equal(egret_sni_name(sni, &len), "www.example.org", 15);
			assert_int_equal(len, 15);
			assert_memory_equal(egret_sni_held(sni, &len), wire, wire_len);
			assert_int_equal(len, wire_len);
			egret_sni_free(sni);
		}
}

static void a_hello_without_a_name_is_told_from_one_with(void **state)
{
	struct egret_sni *sni = egret_sni_new();
	size_t len;

	(void)state;
	make_message("", 0);
	make_records(4096);
	assert_int_equal(feed(sni, 4096), EGRET_SNI_HELLO);
	assert_null(egret_sni_name(sni, &len));
	egret_sni_free(sni);
}

static void two_names_are_malformed(void **state)
{
	(void)state;
	make_message("a.example", 2);
	make_records(4096);
	assert_int_equal(verdict(wire, wire_len), EGRET_SNI_MALFORMED);
}

static void an_empty_name_is_malformed(void **state)
{
	(void)state;
	make_message("", 1);
	make_records(4096);
	assert_int_equal(verdict(wire, wire_len), EGRET_SNI_MALFORMED);
}

static void lengths_that_lie_are_malformed(void **state)
{
	static const size_t at[] = { 8, 43, 45, 48, 51 };
	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		make_message("a.example", 1);
		make_records(4096);
		wire[at[i]] = (uint8_t)(wire[at[i]] + 0x21);
		if (at[i] == 8) /* shorter than what is in it */
			wire[8] = 40;
		assert_int_equal(verdict(wire, wire_len), EGRET_SNI_MALFORMED);
	}
}

static void an_empty_or_huge_record_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(verdict("\x16\3\1\0\0", 5), EGRET_SNI_MALFORMED);
	assert_int_equal(verdict("\x16\3\1\xff\xff", 5), EGRET_SNI_MALFORMED);
}

static void a_hello_without_end_is_malformed(void **state)
{
	static uint8_t record[5 + 1] = { 0x16, 3, 1, 0, 1, 1 };
	struct egret_sni *sni = egret_sni_new();
	enum egret_sni_state got = EGRET_SNI_NEED_MORE;
	size_t fed = 0;

	(void)state;
	assert_int_equal(egret_sni_feed(sni, record, sizeof(record)), EGRET_SNI_NEED_MORE);
	record[5] = 0;
	assert_int_equal(egret_sni_feed(sni, record, sizeof(record)), EGRET_SNI_NEED_MORE);
	record[5] = 0xff;
	for (; got == EGRET_SNI_NEED_MORE && fed < 2 * EGRET_SNI_MAX; fed += sizeof(record))
		got = egret_sni_feed(sni, record, sizeof(record));
	assert_int_equal(got, EGRET_SNI_MALFORMED);
	assert_true(fed <= EGRET_SNI_MAX);
	egret_sni_free(sni);
}

static void other_protocols_are_not_tls(void **state)
{
	(void)state;
	assert_int_equal(verdict("G", 1), EGRET_SNI_NOT_TLS);
	assert_int_equal(verdict("\x16\2", 2), EGRET_SNI_NOT_TLS);
	assert_int_equal(verdict("\x80\0\0\x64", 4), EGRET_SNI_NOT_TLS);
}

static void a_hello_of_ssl_2_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(verdict("\x80\x2e\1\3\3\0\x15\0\0\0\x10", 11), EGRET_SNI_MALFORMED);
	assert_int_equal(verdict("\x80\x2e\1\3", 4), EGRET_SNI_NEED_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_however_records_and_writes_are_cut),
		cmocka_unit_test(a_hello_without_a_name_is_told_from_one_with),
		cmocka_unit_test(two_names_are_malformed),
		cmocka_unit_test(an_empty_name_is_malformed),
		cmocka_unit_test(lengths_that_lie_are_malformed),
		cmocka_unit_test(an_empty_or_huge_record_is_malformed),
		cmocka_unit_test(a_hello_without_end_is_malformed),
		cmocka_unit_test(other_protocols_are_not_tls),
		cmocka_unit_test(a_hello_of_ssl_2_is_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
