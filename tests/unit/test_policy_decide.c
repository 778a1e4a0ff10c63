#include "policy_test.h"

#include <sys/utsname.h>

static const char basic[] = "[api]\nhosts = www.example.com, *.cdn.example.net\nports = 443, 8000-8100\n"
			    "[net]\nhosts = 192.0.2.0/24, 2001:db8::/32\nports = 80\n";

static void denied_host_has_the_reason_no_entry(void **state)
{
	struct egret_policy *p = policy_of(basic);

	(void)state;
	assert_denied(ask_tcp(p, "evil.example", "203.0.113.9", 443), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(p, NULL, "203.0.113.9", 443), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(p, "www.example.com", "203.0.113.9", 80), EGRET_REASON_PORT);
	assert_denied(ask(p, "www.example.com", "203.0.113.9", 443, EGRET_DATAGRAM), EGRET_REASON_PROTOCOL);
	egret_policy_unref(p);
}

static void zeroed_verdict_is_a_denial(void **state)
{
	struct egret_verdict verdict = {0};
	struct egret_request request = {0};

	(void)state;
	assert_false(verdict.allow);
	assert_denied(egret_decide(NULL, &request, EGRET_OFF), EGRET_REASON_NO_POLICY);
}

static void listed_host_is_allowed_on_its_ports(void **state)
{
	struct egret_policy *p = policy_of(basic);

	(void)state;
	assert_allowed(ask_tcp(p, "WWW.Example.COM.", "203.0.113.9", 443), "api");
	assert_allowed(ask_tcp(p, "www.example.com", NULL, 8050), "api");
	assert_denied(ask_tcp(p, "www.example.com", NULL, 8101), EGRET_REASON_PORT);
	assert_allowed(ask_tcp(p, NULL, "192.0.2.77", 80), "net");
	assert_allowed(ask_tcp(p, "any.name", "2001:db8:1::1", 80), "net");
	egret_policy_unref(p);
}

static void suffix_covers_any_depth_but_not_itself_nor_lookalikes(void **state)
{
	struct egret_policy *p = policy_of(basic);

	(void)state;
	assert_allowed(ask_tcp(p, "a.cdn.example.net", NULL, 443), "api");
	assert_allowed(ask_tcp(p, "a.b.c.cdn.example.net", NULL, 443), "api");
	assert_denied(ask_tcp(p, "cdn.example.net", NULL, 443), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(p, "evilcdn.example.net", NULL, 443), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
}

static void nul_in_a_name_is_refused(void **state)
{
	struct egret_policy *p = policy_of(basic);
	struct egret_request request = {.transport = EGRET_STREAM, .host = "evil.example\0.cdn.example.net", .host_len = 29, .port = 443};

	(void)state;
	assert_denied(egret_decide(p, &request, 0), EGRET_REASON_BAD_NAME);
	assert_denied(egret_decide_name(p, request.host, request.host_len, 0), EGRET_REASON_BAD_NAME);
	egret_policy_unref(p);
}

static void v4_mapped_address_is_judged_as_ipv4(void **state)
{
	struct egret_policy *p = policy_of(basic);

	(void)state;
	assert_allowed(ask_tcp(p, NULL, "::ffff:192.0.2.1", 80), "net");
	assert_denied(ask_tcp(p, NULL, "64:ff9b::192.0.2.1", 80), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
}

static void numeric_names_are_the_addresses_the_libc_makes_of_them(void **state)
{
	struct egret_policy *p = policy_of("[lo]\nhosts = 192.0.2.1\nports = 80\n[egret]\ninternal = none\n");

	(void)state;
	assert_allowed(ask_tcp(p, "3221225985", NULL, 80), "lo");
	assert_allowed(ask_tcp(p, "0300.0.2.1", NULL, 80), "lo");
	assert_denied(ask_tcp(p, "2130706433", NULL, 80), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(p, "0177.1", NULL, 80), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
}

static void deny_beats_allow_across_names_and_addresses(void **state)
{
	struct egret_policy *p = policy_of("[all]\nhosts = *.example.com\nports = *\n[no]\nhosts = secret.example.com, 203.0.113.0/24\naction = deny\n");

	(void)state;
	assert_allowed(ask_tcp(p, "a.example.com", "198.51.100.1", 443), "all");
	assert_denied(ask_tcp(p, "secret.example.com", "198.51.100.1", 443), EGRET_REASON_DENY_ENTRY);
	assert_denied(ask_tcp(p, "a.example.com", "203.0.113.4", 443), EGRET_REASON_DENY_ENTRY);
	assert_denied(ask(p, "secret.example.com", NULL, 53, EGRET_DATAGRAM), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void deny_of_a_suffix_beats_allow_of_a_name_below_it(void **state)
{
	struct egret_policy *p = policy_of("[one]\nhosts = a.example.com\nports = 443\n[no]\nhosts = *.example.com\nports = 443\naction = deny\n");

	(void)state;
	assert_denied(ask_tcp(p, "a.example.com", NULL, 443), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void most_specific_host_wins(void **state)
{
	struct egret_policy *p = policy_of("[cidr8]\nhosts = 198.0.0.0/8\nports = *\n[cidr24]\nhosts = 198.51.100.0/24\nports = *\n"
					   "[wide]\nhosts = *.com\nports = *\n[suffix]\nhosts = *.example.com\nports = *\n"
					   "[exact]\nhosts = a.example.com\nports = *\n");

	(void)state;
	assert_allowed(ask_tcp(p, "a.example.com", "198.51.100.1", 1), "exact");
	assert_allowed(ask_tcp(p, "b.example.com", "198.51.100.1", 1), "suffix");
	assert_allowed(ask_tcp(p, "b.other.com", "198.51.100.1", 1), "wide");
	assert_allowed(ask_tcp(p, "b.other.org", "198.51.100.1", 1), "cidr24");
	assert_allowed(ask_tcp(p, NULL, "198.1.1.1", 1), "cidr8");
	egret_policy_unref(p);
}

static void more_specific_host_without_the_port_does_not_compete(void **state)
{
	struct egret_policy *p = policy_of("[exact]\nhosts = a.example.com\nports = 80\n[suffix]\nhosts = *.example.com\nports = 443\n");

	(void)state;
	assert_allowed(ask_tcp(p, "a.example.com", NULL, 443), "suffix");
	egret_policy_unref(p);
}

static void loopback_is_internal_by_default_and_none_makes_it_external(void **state)
{
	struct egret_policy *p = policy_of("[egret]\n"), *none = policy_of("[egret]\ninternal = none\n");

	(void)state;
	assert_reason(ask_tcp(p, NULL, "127.0.0.1", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, NULL, "0.0.0.0", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, NULL, "::", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, "localhost", NULL, 80), EGRET_REASON_INTERNAL);
	assert_denied(ask_tcp(p, NULL, "10.0.0.1", 80), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(none, NULL, "127.0.0.1", 80), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(none, "localhost", "127.0.0.1", 80), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
	egret_policy_unref(none);
}

static void internal_takes_private_networks_names_and_suffixes(void **state)
{
	struct egret_policy *p = policy_of("[egret]\ninternal = private, 203.0.113.0/24, db, *.corp.example\n");

	(void)state;
	assert_reason(ask_tcp(p, NULL, "172.16.3.4", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, NULL, "100.64.0.1", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, NULL, "fd12::1", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, NULL, "203.0.113.200", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, "db", "198.51.100.1", 80), EGRET_REASON_INTERNAL);
	assert_reason(ask_tcp(p, "x.corp.example", "198.51.100.1", 80), EGRET_REASON_INTERNAL);
	assert_denied(ask_tcp(p, NULL, "127.0.0.1", 80), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
}

static void link_local_is_internal_to_nobody(void **state)
{
	struct egret_policy *p = policy_of("[egret]\ninternal = private, 0.0.0.0/0, ::/0, *.corp\n");

	(void)state;
	assert_denied(ask_tcp(p, NULL, "169.254.169.254", 80), EGRET_REASON_LINK_LOCAL);
	assert_denied(ask_tcp(p, NULL, "fe80::1", 80), EGRET_REASON_LINK_LOCAL);
	assert_denied(ask_tcp(p, NULL, "fd00:ec2::254", 80), EGRET_REASON_LINK_LOCAL);
	assert_denied(ask_tcp(p, "meta.corp", "169.254.169.254", 80), EGRET_REASON_LINK_LOCAL);
	egret_policy_unref(p);
}

static void entry_beats_internal(void **state)
{
	struct egret_policy *p = policy_of("[own]\nhosts = 127.0.0.1\nports = 80\n[no]\nhosts = 127.0.0.2\naction = deny\n");

	(void)state;
	assert_allowed(ask_tcp(p, NULL, "127.0.0.1", 80), "own");
	assert_reason(ask_tcp(p, NULL, "127.0.0.1", 81), EGRET_REASON_INTERNAL);
	assert_denied(ask_tcp(p, NULL, "127.0.0.2", 80), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void answer_never_carries_an_allowed_name_to_metadata(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a.example\nports = *\n[meta]\nhosts = m.example\naddresses = 169.254.169.254\nports = 80\n");

	(void)state;
	assert_denied(ask_tcp(p, "a.example", "169.254.169.254", 80), EGRET_REASON_LINK_LOCAL);
	assert_denied(ask_tcp(p, "a.example", "fe80::1", 80), EGRET_REASON_LINK_LOCAL);
	assert_denied(ask_tcp(p, "a.example", "100.100.100.200", 81), EGRET_REASON_LINK_LOCAL);
	assert_allowed(ask_tcp(p, "a.example", "10.0.0.1", 80), "a");
	assert_allowed(ask_tcp(p, "m.example", "169.254.169.254", 80), "meta");
	egret_policy_unref(p);
}

static void suffix_is_never_carried_to_a_private_address(void **state)
{
	struct egret_policy *p = policy_of("[s]\nhosts = *.example.com\nports = *\n");

	(void)state;
	assert_denied(ask_tcp(p, "a.example.com", "127.0.0.1", 80), EGRET_REASON_REBINDING);
	assert_denied(ask_tcp(p, "a.example.com", "192.168.1.1", 80), EGRET_REASON_REBINDING);
	assert_denied(ask_tcp(p, "a.example.com", "::1", 80), EGRET_REASON_REBINDING);
	assert_denied(ask_tcp(p, "a.example.com", "0.0.0.0", 80), EGRET_REASON_REBINDING);
	assert_allowed(ask_tcp(p, "a.example.com", "198.51.100.1", 80), "s");
	egret_policy_unref(p);
}

static void audit_allows_and_says_so(void **state)
{
	struct egret_policy *p = policy_of("[egret]\nmode = audit\n[no]\nhosts = b.example\naction = deny\nmode = enforce\n");
	struct egret_verdict v = ask_tcp(p, "evil.example", NULL, 443);

	(void)state;
	assert_true(v.allow && v.audited);
	assert_int_equal(v.reason, EGRET_REASON_NO_ENTRY);
	assert_denied(ask_tcp(p, "b.example", NULL, 443), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void off_allows_and_still_names_the_entry(void **state)
{
	struct egret_policy *p = policy_of("[egret]\nmode = off\n[a]\nhosts = a.example\nports = 1\n");

	(void)state;
	assert_reason(ask_tcp(p, "evil.example", NULL, 443), EGRET_REASON_OFF);
	assert_allowed(ask_tcp(p, "a.example", NULL, 1), "a");
	egret_policy_unref(p);
}

static void mode_of_the_call_beats_the_files(void **state)
{
	struct egret_policy *p = policy_of("[egret]\nmode = off\n");
	struct egret_request request = {.transport = EGRET_STREAM, .host = "x.example", .host_len = 9, .port = 1};

	(void)state;
	assert_denied(egret_decide(p, &request, EGRET_ENFORCE), EGRET_REASON_NO_ENTRY);
	egret_policy_unref(p);
}

static void unmatched_allow_lets_all_but_denied_pass(void **state)
{
	struct egret_policy *p = policy_of("[egret]\nunmatched = allow\n[no]\nhosts = b.example\naction = deny\n");

	(void)state;
	assert_reason(ask_tcp(p, "x.example", NULL, 443), EGRET_REASON_UNMATCHED);
	assert_denied(ask_tcp(p, "b.example", NULL, 443), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void missing_policy_denies_everything_external_in_every_mode(void **state)
{
	struct egret_policy *p = egret_policy_deny_all();
	struct egret_request request = {.transport = EGRET_STREAM, .host = "x.example", .host_len = 9, .port = 1};

	(void)state;
	assert_denied(egret_decide(p, &request, EGRET_OFF), EGRET_REASON_NO_POLICY);
	assert_denied(egret_decide_name(p, "x.example", 9, EGRET_AUDIT), EGRET_REASON_NO_POLICY);
	assert_reason(ask_tcp(p, NULL, "127.0.0.1", 1), EGRET_REASON_INTERNAL);
	egret_policy_unref(p);
}

static void udp_entry_covers_datagrams_only(void **state)
{
	struct egret_policy *p = policy_of("[ntp]\nhosts = time.example\nports = 123\nprotocol = udp\n");

	(void)state;
	assert_allowed(ask(p, "time.example", NULL, 123, EGRET_DATAGRAM), "ntp");
	assert_denied(ask_tcp(p, "time.example", NULL, 123), EGRET_REASON_PROTOCOL);
	egret_policy_unref(p);
}

static struct egret_verdict ask_path(const struct egret_policy *p, const char *path)
{
	struct egret_request request = {.transport = EGRET_LOCAL, .path = path};

	return egret_decide(p, &request, 0);
}

static void docker_socket_needs_an_entry(void **state)
{
	struct egret_policy *p = policy_of("[egret]\n"), *q = policy_of("[d]\nprotocol = unix\nhosts = /run/docker.sock, @bus/dbus-1\n");
	struct egret_policy *none = policy_of("[egret]\ninternal = none\n");

	(void)state;
	assert_reason(ask_path(p, "/dev/log"), EGRET_REASON_INTERNAL);
	assert_denied(ask_path(none, "/dev/log"), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_path(p, "/var/run/docker.sock"), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_path(p, "docker.sock"), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_path(p, "/run/dbus/system_bus_socket"), EGRET_REASON_NO_ENTRY);
	assert_denied(ask_path(p, "/run/user/1000/bus"), EGRET_REASON_NO_ENTRY);
	assert_allowed(ask_path(q, "/var//run/./docker.sock"), "d");
	assert_allowed(ask_path(q, "@bus/dbus-1"), "d");
	egret_policy_unref(p);
	egret_policy_unref(q);
	egret_policy_unref(none);
}

static void uncovered_name_does_not_resolve(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a.example, *.b.example\nports = 1\n[no]\nhosts = c.b.example\naction = deny\n"
					   "[part]\nhosts = d.b.example\nports = 25\naction = deny\n");
	struct utsname uts;

	(void)state;
	assert_denied(egret_decide_name(p, "evil.example", 12, 0), EGRET_REASON_NO_ENTRY);
	assert_denied(egret_decide_name(p, "b.example", 9, 0), EGRET_REASON_NO_ENTRY);
	assert_denied(egret_decide_name(p, "c.b.example", 11, 0), EGRET_REASON_DENY_ENTRY);
	assert_allowed(egret_decide_name(p, "d.b.example", 11, 0), "a");
	assert_allowed(egret_decide_name(p, "A.Example.", 10, 0), "a");
	assert_reason(egret_decide_name(p, "localhost", 9, 0), EGRET_REASON_INTERNAL);
	assert_reason(egret_decide_name(p, "203.0.113.9", 11, 0), EGRET_REASON_INTERNAL);
	assert_int_equal(uname(&uts), 0);
	assert_reason(egret_decide_name(p, uts.nodename, strlen(uts.nodename), 0), EGRET_REASON_INTERNAL);
	egret_policy_unref(p);
}

static void open_dns_resolves_every_name_but_denied_ones(void **state)
{
	struct egret_policy *p = policy_of("[egret]\ndns = open\n[no]\nhosts = c.example\naction = deny\n");

	(void)state;
	assert_reason(egret_decide_name(p, "evil.example", 12, 0), EGRET_REASON_UNMATCHED);
	assert_denied(egret_decide_name(p, "c.example", 9, 0), EGRET_REASON_DENY_ENTRY);
	egret_policy_unref(p);
}

static void foreign_sni_is_not_covered(void **state)
{
	struct egret_policy *p = policy_of(basic);
	const struct egret_entry *e = egret_policy_entry(p, 0), *net = egret_policy_entry(p, 1);

	(void)state;
	assert_true(egret_entry_covers_name(e, "WWW.example.com", 15));
	assert_true(egret_entry_covers_name(e, "x.cdn.example.net", 17));
	assert_false(egret_entry_covers_name(e, "cdn.example.net", 15));
	assert_false(egret_entry_covers_name(e, "evil.example", 12));
	assert_false(egret_entry_covers_name(e, NULL, 0));
	assert_false(egret_entry_covers_name(net, "192.0.2.1", 9));
	egret_policy_unref(p);
}

static void dial_applies_addresses_and_connect_port(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a.example\nports = 80\nconnect_port = 443\naddresses = 192.0.2.7, [2001:db8::8]:8443\n"
					   "[b]\nhosts = b.example\nports = 80\nconnect_port = 444\n");
	struct egret_request request = {.transport = EGRET_STREAM, .host = "a.example", .host_len = 9, .port = 80};
	struct egret_verdict v = egret_decide(p, &request, 0);
	struct egret_endpoint out[4];
	char text[EGRET_ADDR_TEXT];

	(void)state;
	assert_int_equal(egret_dial(&v, &request, out, 4), 2);
	assert_string_equal(egret_addr_format(&out[0].addr, out[0].port, text), "192.0.2.7:443");
	assert_string_equal(egret_addr_format(&out[1].addr, out[1].port, text), "[2001:db8::8]:8443");
	request.host = "b.example";
	v = egret_decide(p, &request, 0);
	assert_int_equal(egret_dial(&v, &request, out, 4), 1);
	assert_int_equal(out[0].port, 444);
	v = (struct egret_verdict){0};
	assert_int_equal(egret_dial(&v, &request, out, 4), 0);
	egret_policy_unref(p);
}

static void fixed_address_has_its_entrys_name(void **state)
{
	struct egret_policy *p = policy_of("[a]\nhosts = a.example\nports = 80\naddresses = 198.51.100.7\n");

	(void)state;
	assert_allowed(ask_tcp(p, NULL, "198.51.100.7", 80), "a");
	assert_denied(ask_tcp(p, NULL, "198.51.100.7", 81), EGRET_REASON_PORT);
	egret_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_host_has_the_reason_no_entry),
		cmocka_unit_test(zeroed_verdict_is_a_denial),
		cmocka_unit_test(listed_host_is_allowed_on_its_ports),
		cmocka_unit_test(suffix_covers_any_depth_but_not_itself_nor_lookalikes),
		cmocka_unit_test(nul_in_a_name_is_refused),
		cmocka_unit_test(v4_mapped_address_is_judged_as_ipv4),
		cmocka_unit_test(numeric_names_are_the_addresses_the_libc_makes_of_them),
		cmocka_unit_test(deny_beats_allow_across_names_and_addresses),
		cmocka_unit_test(deny_of_a_suffix_beats_allow_of_a_name_below_it),
		cmocka_unit_test(most_specific_host_wins),
		cmocka_unit_test(more_specific_host_without_the_port_does_not_compete),
		cmocka_unit_test(loopback_is_internal_by_default_and_none_makes_it_external),
		cmocka_unit_test(internal_takes_private_networks_names_and_suffixes),
		cmocka_unit_test(link_local_is_internal_to_nobody),
		cmocka_unit_test(entry_beats_internal),
		cmocka_unit_test(answer_never_carries_an_allowed_name_to_metadata),
		cmocka_unit_test(suffix_is_never_carried_to_a_private_address),
		cmocka_unit_test(audit_allows_and_says_so),
		cmocka_unit_test(off_allows_and_still_names_the_entry),
		cmocka_unit_test(mode_of_the_call_beats_the_files),
		cmocka_unit_test(unmatched_allow_lets_all_but_denied_pass),
		cmocka_unit_test(missing_policy_denies_everything_external_in_every_mode),
		cmocka_unit_test(udp_entry_covers_datagrams_only),
		cmocka_unit_test(docker_socket_needs_an_entry),
		cmocka_unit_test(uncovered_name_does_not_resolve),
		cmocka_unit_test(open_dns_resolves_every_name_but_denied_ones),
		cmocka_unit_test(foreign_sni_is_not_covered),
		cmocka_unit_test(dial_applies_addresses_and_connect_port),
		cmocka_unit_test(fixed_address_has_its_entrys_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
