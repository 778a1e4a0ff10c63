#include "policy_test.h"

#include <arpa/inet.h>
#include <locale.h>
#include <netinet/in.h>

static const char *canonical(const char *text)
{
	static char buf[EGRET_ADDR_TEXT];
	struct egret_addr addr;

	return egret_addr_parse(text, &addr) ? egret_addr_format(&addr, -1, buf) : "refused";
}

static void addresses_have_one_form(void **state)
{
	(void)state;
	assert_string_equal(canonical("::ffff:192.0.2.1"), "192.0.2.1");
	assert_string_equal(canonical("[2001:DB8:0:0::1]"), "2001:db8::1");
	assert_string_equal(canonical("0.0.0.0"), "127.0.0.1");
	assert_string_equal(canonical("::"), "::1");
	assert_string_equal(canonical("::ffff:0.0.0.0"), "127.0.0.1");
	assert_string_equal(canonical("64:ff9b::c000:201"), "64:ff9b::c000:201");
	assert_string_equal(canonical("fe80::1%3"), "fe80::1%3");
}

static void other_texts_are_no_addresses(void **state)
{
	static const char *const texts[] = {"", "1.2.3", "01.2.3.4.5", "2130706433", "1.2.3.4 ", "[1.2.3.4]", "::1%", "fe80::1%eth0", "fe80::1%99999999999",
		"2001:db8::1%1", "[::1", "a.b", "1.2.3.4/8"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_string_equal(canonical(texts[i]), "refused");
}

static void short_socket_address_is_refused(void **state)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x0a000001)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};
	struct sockaddr_storage out;
	struct egret_addr addr;
	uint16_t port = 0;

	(void)state;
	assert_true(egret_addr_from_sockaddr((struct sockaddr *)&in4, sizeof(in4), &addr, &port));
	assert_int_equal(port, 80);
	assert_int_equal(egret_addr_to_sockaddr(&addr, 80, AF_INET, &out), sizeof(in4));
	assert_memory_equal(&out, &in4, sizeof(in4));
	assert_int_equal(egret_addr_to_sockaddr(&addr, 80, AF_INET6, &out), sizeof(in6));
	assert_true(egret_addr_from_sockaddr((struct sockaddr *)&out, sizeof(in6), &addr, &port));
	assert_int_equal(addr.family, EGRET_IPV4);
	assert_false(egret_addr_from_sockaddr((struct sockaddr *)&in4, sizeof(in4) - 1, &addr, &port));
	assert_int_equal(addr.family, EGRET_NO_ADDR);
	assert_false(egret_addr_from_sockaddr((struct sockaddr *)&in4, 1, &addr, &port));
	assert_true(egret_addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &addr, &port));
	assert_true(egret_addr_is_loopback(&addr));
	assert_int_equal(egret_addr_to_sockaddr(&addr, 1, AF_INET, &out), 0);
	in4.sin_family = AF_UNIX;
	assert_false(egret_addr_from_sockaddr((struct sockaddr *)&in4, sizeof(in4), &addr, &port));
}

static bool in_net(const char *text, const char *net_text, unsigned bits)
{
	struct egret_addr addr, net;

	assert_true(egret_addr_parse(text, &addr) && egret_addr_parse_net(net_text, &net));
	return egret_addr_in(&addr, &net, bits);
}

static void network_ends_at_its_prefix(void **state)
{
	(void)state;
	assert_true(in_net("10.0.0.127", "10.0.0.0", 25));
	assert_false(in_net("10.0.0.128", "10.0.0.0", 25));
	assert_true(in_net("203.0.113.1", "0.0.0.0", 0));
	assert_false(in_net("::1", "0.0.0.0", 0));
	assert_false(in_net("10.0.0.1", "10.0.0.1", 33));
	assert_true(in_net("fe80::1", "fe80::", 10));
}

static void ranges_are_those_of_the_registries(void **state)
{
	static const char *const privates[] = {"10.255.0.1", "172.31.0.1", "192.168.0.1", "100.127.0.1", "fd00::1"};
	static const char *const publics[] = {"11.0.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "fe00::1", "::2"};
	struct egret_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(privates) / sizeof(privates[0]); i++)
		assert_true(egret_addr_parse(privates[i], &addr) && egret_addr_is_private(&addr));
	for (size_t i = 0; i < sizeof(publics) / sizeof(publics[0]); i++)
		assert_true(egret_addr_parse(publics[i], &addr) && !egret_addr_is_private(&addr) && !egret_addr_is_loopback(&addr) &&
			    !egret_addr_is_link_local(&addr));
}

static const char *name_of(const char *name, size_t len)
{
	static char out[EGRET_NAME_MAX];

	return egret_name_canonical(name, len, out, sizeof(out)) ? out : "refused";
}

static void names_compare_without_case_and_trailing_dot(void **state)
{
	(void)state;
	assert_string_equal(name_of("WWW.Example.COM.", 16), "www.example.com");
	assert_string_equal(name_of("_srv._tcp.x", 11), "_srv._tcp.x");
}

static void what_is_no_host_name_is_refused(void **state)
{
	char label[80], name[300];

	(void)state;
	assert_string_equal(name_of("", 0), "refused");
	assert_string_equal(name_of(".", 1), "refused");
	assert_string_equal(name_of("a..b", 4), "refused");
	assert_string_equal(name_of("a\0b", 3), "refused");
	assert_string_equal(name_of("a\nb", 3), "refused");
	assert_string_equal(name_of("a b", 3), "refused");
	assert_string_equal(name_of("*.a", 3), "refused");
	memset(label, 'a', sizeof(label));
	assert_string_equal(name_of(label, 64), "refused");
	assert_int_equal(strlen(name_of(label, 63)), 63);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	assert_int_equal(strlen(name_of(name, 253)), 253);
	assert_string_equal(name_of(name, 255), "refused");
}

static void international_names_are_utf8_in_any_locale(void **state)
{
	struct egret_policy *p;

	(void)state;
	assert_non_null(setlocale(LC_ALL, "C"));
	assert_string_equal(name_of("B\xc3\xbc" "cher.example", 15), "xn--bcher-kva.example");
	assert_string_equal(name_of("fa\xc3\x9f.example", 12), "xn--fa-hia.example");
	assert_string_equal(name_of("\xff.example", 9), "refused");
	/* A last byte of 0xa0 is white space in ISO 8859. */
	setlocale(LC_ALL, "en_US.ISO-8859-1");
	p = policy_of("[a]\nports = 1\nhosts = b\xc3\xbc" "cher.example, voil\xc3\xa0\n");
	assert_string_equal(egret_policy_entry(p, 0)->hosts[0], "xn--bcher-kva.example");
	assert_string_equal(egret_policy_entry(p, 0)->hosts[1], "xn--voil-3na");
	egret_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_one_form),
		cmocka_unit_test(other_texts_are_no_addresses),
		cmocka_unit_test(short_socket_address_is_refused),
		cmocka_unit_test(network_ends_at_its_prefix),
		cmocka_unit_test(ranges_are_those_of_the_registries),
		cmocka_unit_test(names_compare_without_case_and_trailing_dot),
		cmocka_unit_test(what_is_no_host_name_is_refused),
		cmocka_unit_test(international_names_are_utf8_in_any_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
