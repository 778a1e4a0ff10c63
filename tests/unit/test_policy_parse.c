#include "policy_test.h"

#include <errno.h>

/* An entry with one more line. */
#define WITH(line) "[a]\nhosts = a.example\nports = 443\n" line "\n"
#define REFUSED_BYTES(bytes, place, message) assert_refused_bytes(bytes, sizeof(bytes) - 1, place, message)

static void unknown_key_names_the_nearest_one(void **state)
{
	(void)state;
	assert_refused(WITH("prots = 80"), "t.ini:4:", "did you mean \"ports\"?");
	assert_refused(WITH("tls_ca = x"), "t.ini:4:", "unknown key");
	assert_refused(WITH("Hosts = b"), "t.ini:4:", "did you mean \"hosts\"?");
	assert_refused(WITH("tls-verify = none"), "t.ini:4:", "did you mean \"tls_verify\"?");
	assert_refused("[egret]\nunmached = allow\n", "t.ini:2:", "did you mean \"unmatched\"?");
	assert_refused("[egret]\nhosts = a\n", "t.ini:2:", "belongs into an entry");
	assert_refused(WITH("dns = open"), "t.ini:4:", "belongs into [egret]");
	assert_refused("hosts = a\n", "t.ini:1:", "before the first [title]");
}

static void every_error_is_listed(void **state)
{
	static const char text[] = "[egret]\nmode = maybe\n[a]\nhosts = a..b\nports = 0\nbogus = 1\n[b]\nports = 99999\n[a]\nhosts = x\nports = 1\n";
	struct egret_err err = {0};

	(void)state;
	assert_null(egret_policy_parse("t.ini", text, strlen(text), &err, NULL));
	/* mode, a..b, 0, bogus; [a] and [b] lack hosts and ports as a consequence; 99999; the second [a] */
	assert_true(err.count >= 6);
	egret_err_free(&err);
	assert_refused(text, "t.ini:2:", "expected enforce, audit or off, got \"maybe\"");
	assert_refused(text, "t.ini:4:", "\"a..b\" has an empty label");
	assert_refused(text, "t.ini:5:", "got \"0\"");
	assert_refused(text, "t.ini:8:", "got \"99999\"");
	assert_refused(text, "t.ini:9:", "[a] was given in t.ini:3 already");
}

static void nul_cannot_hide_the_rest(void **state)
{
	(void)state;
	REFUSED_BYTES("[a]\nhosts = a\nports = 1\n\0[egret]\nmode = off\n", "t.ini:4:", "NUL");
	REFUSED_BYTES("[a]\nhosts = a\0.evil\nports = 1\n", "t.ini:2:", "NUL");
}

static void long_title_is_refused_since_two_would_merge(void **state)
{
	(void)state;
	assert_refused("[12345678901234567890123456789012345678901234567890]\nhosts = a\nports = 1\n", "t.ini:1:", "at most 49");
	egret_policy_unref(policy_of("[1234567890123456789012345678901234567890123456789]\nhosts = a\nports = 1\n"));
}

static void text_behind_a_title_is_refused(void **state)
{
	(void)state;
	assert_refused("[a] hosts = b\nhosts = a\nports = 1\n", "t.ini:1:", "unexpected text after `]`");
	assert_refused("[a\nhosts = a\nports = 1\n", "t.ini:1:", "expected `]`");
	assert_refused("[]\nhosts = a\nports = 1\n", "t.ini:1:", "name without white space");
	assert_refused("[a ;b]\nhosts = a\nports = 1\n", "t.ini:1:", "without ` ;`");
	egret_policy_unref(policy_of("[a] ; a comment\nhosts = a\nports = 1\n"));
}

static void indented_key_is_no_value_of_the_key_above(void **state)
{
	(void)state;
	assert_refused("[a]\nhosts = a\nports = 1\n  action = deny\n", "t.ini:4:", "a key must begin its line");
	assert_refused("[a]\n  hosts = a\nports = 1\n", "t.ini:2:", "a key must begin its line");
	assert_refused("[a]\nhosts = a\n  ports: 1\n", "t.ini:3:", "a key must begin its line");
	assert_refused("[a]\nhosts = a\nports = 1\n [b]\n", "t.ini:4:", "must begin its line");
	assert_refused("[a]\nhosts = a\nports = 1\ntls = off\n  originate\n", "t.ini:5:", "tls takes one value");
}

static void continuation_lines_take_comments(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a.example, ; first\n\n  b.example ; second\n ; none\n\tc.example\nports = 1\n");

	(void)state;
	assert_int_equal(egret_policy_entry(p, 0)->host_count, 3);
	assert_string_equal(egret_policy_entry(p, 0)->hosts[1], "b.example");
	egret_policy_unref(p);
}

static void hash_inside_a_line_is_refused_not_read_as_value(void **state)
{
	(void)state;
	assert_refused(WITH("tls_ciphers = HIGH # strong"), "t.ini:4:", "begins no comment");
}

static void repeated_key_is_refused(void **state)
{
	(void)state;
	assert_refused(WITH("hosts = b.example"), "t.ini:4:", "hosts was given in line 2 already");
	assert_refused("[egret]\n[egret]\n", "t.ini:2:", "given in line 1 already");
}

static void lines_longer_than_inihs_default_are_read_whole(void **state)
{
	char text[3000] = "[a]\nports = 1\nhosts = ";
	struct egret_policy *p;

	(void)state;
	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "host%03d.example, ", i);
	p = policy_of(text);
	assert_int_equal(egret_policy_entry(p, 0)->host_count, 100);
	egret_policy_unref(p);
}

static void carriage_returns_byte_order_mark_and_missing_newline_are_read(void **state)
{
	struct egret_policy *p = policy_of("\xef\xbb\xbf[a]\r\nhosts = a.example\r\nports = 1");

	(void)state;
	assert_string_equal(egret_policy_entry(p, 0)->hosts[0], "a.example");
	egret_policy_unref(p);
	assert_refused("[a]\rb = c\n", "t.ini:1:", "control character");
	assert_refused("[a]\nhosts = \xff\xfe\nports = 1\n", "t.ini:2:", "not UTF-8");
}

static void empty_lists_mean_nothing_and_are_refused(void **state)
{
	(void)state;
	assert_refused("[a]\nhosts =\nports = 1\n", "t.ini:2:", "empty");
	assert_refused("[a]\nhosts = a\nports =\n", "t.ini:3:", "empty");
	assert_refused("[a]\nhosts = a\naction = deny\nports = ,\n", "t.ini:4:", "empty");
	assert_refused(WITH("protocol = http\nhttp_allow ="), "t.ini:5:", "empty");
	assert_refused("[a]\nhosts = a\n", "t.ini:1:", "has no ports");
	assert_refused("[a]\n", "t.ini:1:", "has no hosts");
}

static void errors_stand_in_the_order_of_their_lines(void **state)
{
	static const char text[] = "[a]\nhosts = a..b\nbogus = 1\nprotocol = no\n[b]\nports = 1\n[egret]\nmode = maybe\n[egret]\n[c]\naddresses = x\nhosts = y z\nports = 0, 0\n[d] junk\n";
	struct egret_err err = {0};

	(void)state;
	assert_null(egret_policy_parse("t.ini", text, strlen(text), &err, NULL));
	assert_true(err.count >= 9);
	for (size_t i = 1; i < err.count; i++)
		assert_true(err.items[i - 1].line <= err.items[i].line);
	egret_err_free(&err);
}

static void errors_of_one_line_keep_their_order_and_included_files_come_behind(void **state)
{
	struct egret_err err = {0};
	char text[4096] = "", line[64];

	(void)state;
	egret_err_add(&err, "a.ini", 1, "f");
	egret_err_add(&err, "m.ini", 2, "c");
	egret_err_add(&err, "m.ini", 2, "d");
	egret_err_add(&err, "m.ini", 1, "b");
	egret_err_add(&err, NULL, 0, "a");
	egret_err_add(&err, "m.ini", 2, "e");
	egret_err_sort(&err, "m.ini");
	for (size_t i = 0; i < err.count; i++) {
		egret_err_format(&err, i, line, sizeof(line));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s|", line);
	}
	assert_string_equal(text, "a|m.ini:1: b|m.ini:2: c|m.ini:2: d|m.ini:2: e|a.ini:1: f|");
	egret_err_free(&err);
}

static void one_mistake_is_one_error(void **state)
{
	static const char *const mistakes[] = {
		"[a] junk\nhosts = a\nports = 1\n", "[a\nhosts = a\nports = 1\n", "[]\nhosts = a\nports = 1\n", "[a]\nhosts = a..b\nports = 1\n",
		"[a]\nhosts = a\nports = 0\n", "[a]\nhots = a\nports = 1\n", "[a]\nhosts = \xff\nports = 1\n", "[a]\nhosts = a # b\nports = 1\n",
		"[a]\nhosts = a\nports =\n", "[a]\nhosts = a\n\tports = 1\n", "mode = audit\n[a]\nhosts = a\nports = 1\n",
		"[a]\nhosts = a\nports = 1\n[b\x01]\nhosts = b\nports = 1\n", "[egret] junk\nmode = off\n[a]\nhosts = a\nports = 1\n",
		"[a]\nhosts = a\nports = 1\n[egret]\nmode = of\n[b]\nhosts = b\nports = 1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct egret_err err = {0};

		assert_null(egret_policy_parse("t.ini", mistakes[i], strlen(mistakes[i]), &err, NULL));
		if (err.count != 1)
			print_error("%s\n", mistakes[i]);
		assert_int_equal(err.count, 1);
		egret_err_free(&err);
	}
}

static void unix_entry_may_say_every_port_and_no_other(void **state)
{
	struct egret_err err = {0};
	const char *text = "[a]\nhosts = /run/a.sock\nports = *\nprotocol = unix\n";
	struct egret_policy *policy = egret_policy_parse("t.ini", text, strlen(text), &err, NULL);

	(void)state;
	assert_non_null(policy);
	egret_policy_unref(policy);
	assert_refused("[a]\nhosts = /run/a.sock\nports = 80\nprotocol = unix\n", "t.ini:1:", "unix entry");
}

static void hosts_that_no_name_matches_are_refused(void **state)
{
	(void)state;
	assert_refused("[a]\nports = 1\nhosts = *\n", "t.ini:3:", "is no host");
	assert_refused("[a]\nports = 1\nhosts = a.*.example\n", "t.ini:3:", "only *.suffix is known");
	assert_refused("[a]\nports = 1\nhosts = a.example:443\n", "t.ini:3:", "ports belong into");
	assert_refused("[a]\nports = 1\nhosts = 2130706433\n", "t.ini:3:", "dotted quad");
	assert_refused("[a]\nports = 1\nhosts = 10.1.2.3/8\n", "t.ini:3:", "did you mean 10.0.0.0/8?");
	assert_refused("[a]\nports = 1\nhosts = 10.0.0.0/33\n", "t.ini:3:", "is not a network");
	assert_refused("[a]\nports = 1\nhosts = http://a.example/\n", "t.ini:3:", "is a URL");
	assert_refused("[a]\nports = 1\nhosts = a b\n", "t.ini:3:", "character");
}

static void bad_values_say_what_was_expected(void **state)
{
	(void)state;
	assert_refused(WITH("tls = on"), "t.ini:4:", "expected off or originate, got \"on\"");
	assert_refused(WITH("protocol = https"), "t.ini:4:", "expected tcp, udp, tls, http or unix");
	assert_refused(WITH("connect_port = 0"), "t.ini:4:", "expected a number");
	assert_refused(WITH("addresses = a.example"), "t.ini:4:", "expected IP addresses");
	assert_refused(WITH("tls_min_version = 1.1"), "t.ini:4:", "expected 1.2 or 1.3");
	assert_refused(WITH("tls_handshake_timeout = 10"), "t.ini:4:", "a duration");
	assert_refused(WITH("tls_handshake_timeout = 0s"), "t.ini:4:", "a duration");
	assert_refused(WITH("tls_pin_sha256 = abc"), "t.ini:4:", "base64");
	assert_refused(WITH("tls_ca_file = /nonexistent/ca.pem"), "t.ini:4:", "cannot be read");
	assert_refused(WITH("tls_ca_file = /etc"), "t.ini:4:", "is a directory");
	assert_refused(WITH("protocol = http\nhttp_allow = GET"), "t.ini:5:", "METHOD path-glob");
	assert_refused("[egret]\ndeny_errno = EAGAIN\n", "t.ini:2:", "expected EACCES");
	assert_refused("[egret]\ndns_min_ttl = 5\n", "t.ini:2:", "expected a duration");
	assert_refused("[egret]\ninternal = loopback, none\n", "t.ini:2:", "none stands alone");
	assert_refused("[egret]\ninternal = 169.254.169.254\n", "t.ini:2:", "internal to nobody");
	assert_refused("[a]\nhosts = a\nports = 80-20\n", "t.ini:3:", "got \"80-20\"");
	assert_refused(WITH("no value"), "t.ini:4:", "expected `key = value`");
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
	(void)state;
	assert_refused(WITH("protocol = tls\ntls = originate"), "t.ini:1:", "needs no origination");
	assert_refused(WITH("protocol = udp\ntls = originate"), "t.ini:1:", "protocol = tcp or http");
	assert_refused(WITH("http_allow = GET /**"), "t.ini:1:", "need protocol = http");
	assert_refused(WITH("action = deny\nconnect_port = 1"), "t.ini:1:", "dials nothing");
	assert_refused(WITH("tls = originate\ntls_min_version = 1.3\ntls_max_version = 1.2"), "t.ini:1:", "above");
	assert_refused(WITH("protocol = unix"), "t.ini:2:", "absolute path");
	assert_refused("[a]\nprotocol = unix\nhosts = /run/x\nports = 1\n", "t.ini:1:", "neither ports");
}

static void ambiguous_allow_entries_are_refused(void **state)
{
	(void)state;
	assert_refused("[a]\nhosts = x.example\nports = 1-100\n[b]\nhosts = X.example\nports = 90\ntls = originate\n", "t.ini:4:", "different settings");
	assert_refused("[a]\nhosts = *.x.example\nports = *\n[b]\nhosts = *.x.example\nports = 90\nprotocol = tls\n", "t.ini:4:", "[a] (t.ini:1)");
	assert_refused("[a]\nhosts = 10.0.0.0/8\nports = 90\n[b]\nhosts = 10.0.0.0/8\nports = 90\nconnect_port = 91\n", "t.ini:4:", "different settings");
	egret_policy_unref(policy_of("[a]\nhosts = x.example\nports = 1-100\n[b]\nhosts = x.example\nports = 90\n"));
	egret_policy_unref(policy_of("[a]\nhosts = x.example\nports = 80\n[b]\nhosts = x.example\nports = 443\nprotocol = tls\n"));
	egret_policy_unref(policy_of("[a]\nhosts = x.example\nports = 53\n[b]\nhosts = x.example\nports = 53\nprotocol = udp\n"));
}

static void defaults_of_egret_reach_every_entry(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a\nports = 1\n[b]\nhosts = b\nports = 1\ntls_verify = full\n[c]\nhosts = c\nports = 1\n"
					   "[egret]\ntls_verify = chain\ntls_handshake_timeout = 500ms\ndeny_errno = EPERM\nlog = out.log\n"
					   "tls_pin_sha256 = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n");
	const struct egret_entry *a = egret_policy_entry(p, 0), *b = egret_policy_entry(p, 1), *c = egret_policy_entry(p, 2);

	(void)state;
	assert_int_equal(a->settings->verify, EGRET_VERIFY_CHAIN);
	assert_int_equal(b->settings->verify, EGRET_VERIFY_FULL);
	assert_int_equal(b->settings->handshake_timeout_ms, 500);
	assert_int_equal(a->settings->pin_count, 1);
	assert_int_equal(b->settings->pin_count, 1);
	assert_int_equal(b->settings->pins[0].sha256[31], 1);
	assert_ptr_equal(a->settings, c->settings);
	assert_int_equal(egret_policy_defaults(p)->deny_errno, EPERM);
	assert_string_equal(egret_policy_defaults(p)->log, "out.log");
	egret_policy_unref(p);
}

static void settings_may_stand_anywhere_and_errors_keep_their_lines(void **state)
{
	(void)state;
	assert_refused("\xef\xbb\xbf[egret]\nmode = maybe\n[a]\nhosts = a\nports = 1\n", "t.ini:2:", "got \"maybe\"");
	assert_refused("; comment\n\n[a]\nhosts = a\nports = 1\n\n[egret]\n; [b]\nmode = maybe\n[c]\nhosts = c\nports = 1\n", "t.ini:9:", "got \"maybe\"");
	assert_refused("[egret]\nmode = audit\n ; comment\n\n[a]\nhosts = a..b\nports = 1\n", "t.ini:6:", "empty label");
	assert_refused("[a]\nhosts = a\nports = 1\n[egret]\nmode = audit\n[[egret]\nhosts = a..b\nports = 1\n", "t.ini:7:", "empty label");
	assert_refused("[a]\nhosts = a\nports = 1\n[egret]\n[a]\nhosts = b\nports = 1\n[egret]\n", "t.ini:5:", "[a] was given in t.ini:1 already");
	assert_refused("[a]\nhosts = a\nports = 1\n[egret]\n[a]\nhosts = b\nports = 1\n[egret]\n", "t.ini:8:", "[egret] was given in line 4 already");
}

/* The warnings of TEXT contain WANTED. */
static void assert_warned(const char *text, const char *wanted)
{
	struct egret_err err = {0}, warn = {0};
	struct egret_policy *p = egret_policy_parse("t.ini", text, strlen(text), &err, &warn);
	int found = 0;

	for (size_t i = 0; i < warn.count; i++)
		found |= strstr(warn.items[i].text, wanted) != NULL;
	for (size_t i = 0; !found && i < warn.count; i++)
		print_error("%s\n", warn.items[i].text);
	assert_non_null(p);
	assert_true(found);
	egret_policy_unref(p);
	egret_err_free(&err);
	egret_err_free(&warn);
}

static void check_warns_of_what_looks_unsafe(void **state)
{
	(void)state;
	assert_warned("[a]\nhosts = a.x\nports = *\n", "opens every port");
	assert_warned("[a]\nhosts = a.x\nports = 1\ntls = originate\ntls_verify = none\n", "tls_verify = none");
	assert_warned("[a]\nhosts = a.x\nports = 1\ntls_verify = none\n", "no effect");
	assert_warned("[a]\nhosts = 169.254.169.254\nports = 80\n", "metadata");
	assert_warned("[a]\nhosts = 0.0.0.0/0\nports = 80\n", "metadata");
	assert_warned("[a]\nhosts = /var/run/docker.sock\nprotocol = unix\n", "any connection");
	assert_warned("[a]\nhosts = *.com\nports = 80\n", "top-level");
	assert_warned("[egret]\nunmatched = allow\n", "what no entry covers is allowed");
	assert_warned("[egret]\nmode = audit\n", "nothing is denied");
	assert_warned("[a]\nhosts = a.b.x\nports = 80\n[d]\nhosts = *.b.x\naction = deny\n", "shadowed by the deny entry [d] (t.ini:4)");
}

static void deny_entry_may_leave_ports_out(void **state)
{
	struct egret_policy *p = policy_of("[no]\nhosts = a.x\naction = deny\n");

	(void)state;
	assert_int_equal(egret_policy_entry(p, 0)->ports[0].last, 65535);
	assert_true(egret_policy_entry(p, 0)->any_transport);
	egret_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_key_names_the_nearest_one),
		cmocka_unit_test(every_error_is_listed),
		cmocka_unit_test(nul_cannot_hide_the_rest),
		cmocka_unit_test(long_title_is_refused_since_two_would_merge),
		cmocka_unit_test(text_behind_a_title_is_refused),
		cmocka_unit_test(indented_key_is_no_value_of_the_key_above),
		cmocka_unit_test(continuation_lines_take_comments),
		cmocka_unit_test(hash_inside_a_line_is_refused_not_read_as_value),
		cmocka_unit_test(repeated_key_is_refused),
		cmocka_unit_test(lines_longer_than_inihs_default_are_read_whole),
		cmocka_unit_test(carriage_returns_byte_order_mark_and_missing_newline_are_read),
		cmocka_unit_test(empty_lists_mean_nothing_and_are_refused),
		cmocka_unit_test(errors_stand_in_the_order_of_their_lines),
		cmocka_unit_test(errors_of_one_line_keep_their_order_and_included_files_come_behind),
		cmocka_unit_test(one_mistake_is_one_error),
		cmocka_unit_test(unix_entry_may_say_every_port_and_no_other),
		cmocka_unit_test(hosts_that_no_name_matches_are_refused),
		cmocka_unit_test(bad_values_say_what_was_expected),
		cmocka_unit_test(keys_that_contradict_each_other_are_refused),
		cmocka_unit_test(ambiguous_allow_entries_are_refused),
		cmocka_unit_test(defaults_of_egret_reach_every_entry),
		cmocka_unit_test(settings_may_stand_anywhere_and_errors_keep_their_lines),
		cmocka_unit_test(check_warns_of_what_looks_unsafe),
		cmocka_unit_test(deny_entry_may_leave_ports_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
