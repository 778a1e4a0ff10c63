/* DNS messages as programs send them and servers answer them. */
#include "preload/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t msg[1024];
static size_t len;

static void put(const void *data, size_t n)
{
	memcpy(msg + len, data, n);
	len += n;
}

static void put_name(const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		uint8_t label = (uint8_t)n;

		put(&label, 1);
		put(name, n);
		name += n + (name[n] == '.');
	}
	put("", 1);
}

/* Id 0x1234, FLAGS, one question for NAME's addresses, ANSWERS records that are to follow. */
static void begin(unsigned flags, const char *name, unsigned answers)
{
	uint8_t head[12] = { 0x12, 0x34, (uint8_t)(flags >> 8), (uint8_t)flags, 0, 1, 0, (uint8_t)answers };

	len = 0;
	put(head, 12);
	put_name(name);
	put("\0\1\0\1", 4);
}

static void put_a(const char *owner, const char *four)
{
	put_name(owner);
	put("\0\1\0\1\0\0\0\74\0\4", 10);
	put(four, 4);
}

static void put_cname(const char *owner, const char *target)
{
	uint8_t head[10] = { 0, 5, 0, 1, 0, 0, 0, 60, 0, (uint8_t)(strlen(target) + 2) };

	put_name(owner);
	put(head, 10);
	put_name(target);
}

static struct egret_dns_question asked(const char *name)
{
	struct egret_dns_question question;

	begin(0x0100, name, 0);
	assert_true(egret_dns_question(msg, len, &question));
	return question;
}

static char told[256];

static void tell(void *data, const struct egret_addr *addr, uint32_t ttl)
{
	char text[EGRET_ADDR_TEXT];

	(void)data;
	(void)ttl;
	strncat(told, told[0] ? " " : "", sizeof(told) - strlen(told) - 1);
	strncat(told, egret_addr_format(addr, -1, text), sizeof(told) - strlen(told) - 1);
}

/* What msg tells about QUESTION; NULL: it is no answer to it. */
static const char *told_by(const struct egret_dns_question *question)
{
	told[0] = '\0';
	return egret_dns_addresses(msg, len, question, question->id, tell, NULL) ? told : NULL;
}

static void test_a_query_tells_its_name_in_the_case_it_was_asked(void **state)
{
	struct egret_dns_question question = asked("wWw.Example.com");

	(void)state;
	assert_string_equal(question.name, "wWw.Example.com");
	assert_int_equal(question.id, 0x1234);
	assert_int_equal(question.type, EGRET_DNS_A);
}

static void test_a_query_that_is_no_plain_question_is_refused(void **state)
{
	struct egret_dns_question question;

	(void)state;
	begin(0x8180, "www.example.com", 0); /* a response */
	assert_false(egret_dns_question(msg, len, &question));
	begin(0x2800, "www.example.com", 0); /* an update */
	assert_false(egret_dns_question(msg, len, &question));
	begin(0x0100, "www.example.com", 0);
	msg[5] = 2; /* two questions */
	assert_false(egret_dns_question(msg, len, &question));
	for (size_t cut = 0; cut < len; cut++)
		assert_false(egret_dns_question(msg, cut, &question));
	begin(0x0100, "a b.example.com", 0);
	assert_false(egret_dns_question(msg, len, &question));
}

static void test_an_answer_tells_the_addresses_of_the_name_that_was_asked(void **state)
{
	struct egret_dns_question question = asked("www.example.com");

	(void)state;
	begin(0x8180, "WWW.EXAMPLE.COM", 2);
	put_a("www.example.com", "\xcb\0\x71\1");
	put_a("wwW.example.com", "\xcb\0\x71\2");
	assert_string_equal(told_by(&question), "203.0.113.1 203.0.113.2");
}

static void test_an_alias_is_followed_in_whatever_order_it_comes(void **state)
{
	struct egret_dns_question question = asked("www.example.com");

	(void)state;
	begin(0x8180, "www.example.com", 3);
	put_a("edge.cdn.example", "\xcb\0\x71\7");
	put_cname("b.example.net", "edge.cdn.example");
	put_cname("www.example.com", "b.example.net");
	assert_string_equal(told_by(&question), "203.0.113.7");
}

static void test_records_of_another_name_are_not_believed(void **state)
{
	struct egret_dns_question question = asked("www.example.com");

	(void)state;
	begin(0x8180, "www.example.com", 2);
	put_a("evil.example", "\xcb\0\x71\1");
	put_a("www.example.com.evil.example", "\xcb\0\x71\2");
	assert_string_equal(told_by(&question), "");
}

static void test_an_answer_to_another_question_is_none(void **state)
{
	struct egret_dns_question question = asked("www.example.com");

	(void)state;
	begin(0x8180, "evil.example", 1);
	put_a("evil.example", "\xcb\0\x71\1");
	assert_null(told_by(&question));
	begin(0x8180, "www.example.com", 1);
	put_a("www.example.com", "\xcb\0\x71\1");
	msg[1] ^= 1; /* another id */
	assert_null(told_by(&question));
	begin(0x0100, "www.example.com", 0); /* a query */
	assert_null(told_by(&question));
}

static void test_aliases_in_a_circle_end(void **state)
{
	struct egret_dns_question question = asked("www.example.com");

	(void)state;
	begin(0x8180, "www.example.com", 2);
	put_cname("www.example.com", "b.example.net");
	put_cname("b.example.net", "www.example.com");
	assert_string_equal(told_by(&question), "");
}

static void test_a_cut_answer_tells_what_is_whole(void **state)
{
	struct egret_dns_question question = asked("www.example.com");
	size_t first, whole;

	(void)state;
	begin(0x8180, "www.example.com", 2);
	put_a("www.example.com", "\xcb\0\x71\1");
	first = len;
	put_a("www.example.com", "\xcb\0\x71\2");
	whole = len;
	for (len = first; len < whole; len++)
		assert_string_equal(told_by(&question), "203.0.113.1");
}

static void test_compression_that_goes_in_circles_ends(void **state)
{
	struct egret_dns_question question;

	(void)state;
	begin(0x0100, "x", 0);
	msg[12] = 0xc0;
	msg[13] = 12; /* points at itself */
	assert_false(egret_dns_question(msg, len, &question));
}

static void test_reverse_names_are_addresses(void **state)
{
	struct egret_addr addr;
	char text[EGRET_ADDR_TEXT];

	(void)state;
	assert_true(egret_dns_reverse("9.113.0.203.in-addr.arpa", &addr));
	assert_string_equal(egret_addr_format(&addr, -1, text), "203.0.113.9");
	assert_true(egret_dns_reverse("9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", &addr));
	assert_string_equal(egret_addr_format(&addr, -1, text), "2001:db8::9");
	assert_false(egret_dns_reverse("113.0.203.in-addr.arpa", &addr));
	assert_false(egret_dns_reverse("www.example.com", &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_query_tells_its_name_in_the_case_it_was_asked),
		cmocka_unit_test(test_a_query_that_is_no_plain_question_is_refused),
		cmocka_unit_test(test_an_answer_tells_the_addresses_of_the_name_that_was_asked),
		cmocka_unit_test(test_an_alias_is_followed_in_whatever_order_it_comes),
		cmocka_unit_test(test_records_of_another_name_are_not_believed),
		cmocka_unit_test(test_an_answer_to_another_question_is_none),
		cmocka_unit_test(test_aliases_in_a_circle_end),
		cmocka_unit_test(test_a_cut_answer_tells_what_is_whole),
		cmocka_unit_test(test_compression_that_goes_in_circles_ends),
		cmocka_unit_test(test_reverse_names_are_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
