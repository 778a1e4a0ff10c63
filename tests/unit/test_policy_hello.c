/* The verdict on a program's own TLS. */
#include "policy_test.h"

static const char entries[] = "[shop]\nhosts = shop.example, *.cdn.example\nports = 443\nprotocol = tls\n"
			      "[other]\nhosts = other.example\nports = 443\nprotocol = tls\n"
			      "[net]\nhosts = 192.0.2.0/24, 198.51.100.7, in-net.example\nports = 443\nprotocol = tls\n"
			      "[fixed]\nhosts = fixed.example\nports = 443\nprotocol = tls\naddresses = 203.0.113.7\n"
			      "[loose]\nhosts = loose.example, 203.0.113.0/28\nports = 22\n"
			      "[watched]\nhosts = watched.example\nports = 443\nprotocol = tls\nmode = audit\n"
			      "[wrapped]\nhosts = wrapped.example\nports = 80\ntls = originate\n";

static struct egret_hello asking(const char *name)
{
	return (struct egret_hello){.kind = EGRET_HELLO_TLS, .name = name, .len = name ? strlen(name) : 0};
}

/* The verdict on HELLO, which followed a connection to HOST (NULL: none) at ADDR. */
static struct egret_verdict after(const struct egret_policy *p, const char *host, const char *text, uint16_t port, struct egret_hello hello)
{
	struct egret_verdict connected = ask_tcp(p, host, text, port);
	struct egret_addr addr;

	assert_true(egret_addr_parse(text, &addr));
	assert_true(connected.allow);
	assert_true(egret_hello_matters(&connected));
	return egret_decide_hello(p, &connected, &addr, &hello, 0);
}

static void server_name_of_the_entry_passes(void **state)
{
	struct egret_policy *p = policy_of(entries);

	(void)state;
	assert_allowed(after(p, "shop.example", "203.0.113.99", 443, asking("SHOP.example")), "shop");
	assert_allowed(after(p, "shop.example", "203.0.113.99", 443, asking("a.b.cdn.example")), "shop");
	assert_allowed(after(p, "loose.example", "203.0.113.99", 22, asking("loose.example")), "loose");
	egret_policy_unref(p);
}

static void server_name_of_nobody_or_of_another_entry_is_denied(void **state)
{
	struct egret_policy *p = policy_of(entries);
	struct egret_hello nul = {.kind = EGRET_HELLO_TLS, .name = "shop.example\0.evil.example", .len = 26};

	(void)state;
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking("evil.example")), EGRET_REASON_SNI);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking("other.example")), EGRET_REASON_SNI);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking("cdn.example")), EGRET_REASON_SNI);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking("203.0.113.99")), EGRET_REASON_SNI);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking("")), EGRET_REASON_SNI);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, nul), EGRET_REASON_SNI);
	assert_denied(after(p, "loose.example", "203.0.113.99", 22, asking("evil.example")), EGRET_REASON_SNI);
	assert_denied(after(p, NULL, "192.0.2.7", 443, asking("evil.example")), EGRET_REASON_SNI);
	egret_policy_unref(p);
}

static void no_server_name_passes_only_where_the_entry_names_the_address(void **state)
{
	struct egret_policy *p = policy_of(entries);

	(void)state;
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, asking(NULL)), EGRET_REASON_NO_SNI);
	assert_denied(after(p, "in-net.example", "192.0.2.7", 443, asking(NULL)), EGRET_REASON_NO_SNI);
	assert_allowed(after(p, NULL, "192.0.2.7", 443, asking(NULL)), "net");
	assert_allowed(after(p, NULL, "198.51.100.7", 443, asking(NULL)), "net");
	assert_denied(after(p, NULL, "203.0.113.7", 443, asking(NULL)), EGRET_REASON_NO_SNI);
	assert_allowed(after(p, NULL, "203.0.113.7", 443, asking("fixed.example")), "fixed");
	egret_policy_unref(p);
}

static void hidden_and_broken_server_names_are_denied(void **state)
{
	struct egret_policy *p = policy_of(entries);
	struct egret_hello hidden = asking("shop.example");

	(void)state;
	hidden.encrypted = true;
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, hidden), EGRET_REASON_ECH);
	assert_denied(after(p, "loose.example", "203.0.113.99", 22, (struct egret_hello){0}), EGRET_REASON_BAD_HELLO);
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, (struct egret_hello){0}), EGRET_REASON_BAD_HELLO);
	egret_policy_unref(p);
}

static void what_is_no_tls_passes_on_tcp_and_not_on_tls(void **state)
{
	struct egret_policy *p = policy_of(entries);
	struct egret_hello none = {.kind = EGRET_HELLO_NONE};

	(void)state;
	assert_allowed(after(p, "loose.example", "203.0.113.99", 22, none), "loose");
	assert_denied(after(p, "shop.example", "203.0.113.99", 443, none), EGRET_REASON_NO_HELLO);
	egret_policy_unref(p);
}

static void audit_lets_a_foreign_server_name_pass_and_says_so(void **state)
{
	struct egret_policy *p = policy_of(entries);
	struct egret_verdict verdict = after(p, "watched.example", "203.0.113.99", 443, asking("evil.example"));

	(void)state;
	assert_reason(verdict, EGRET_REASON_SNI);
	assert_true(verdict.audited);
	egret_policy_unref(p);
}

static void only_named_tcp_and_tls_entries_look_at_what_a_program_begins_with(void **state)
{
	struct egret_policy *p = policy_of(entries);
	struct egret_verdict by_addr = ask_tcp(p, NULL, "203.0.113.1", 22), wrapped = ask_tcp(p, "wrapped.example", NULL, 80);
	struct egret_verdict internal = ask_tcp(p, NULL, "127.0.0.1", 22);

	(void)state;
	assert_true(by_addr.allow && wrapped.allow && internal.allow);
	assert_false(egret_hello_matters(&by_addr));
	assert_false(egret_hello_matters(&wrapped));
	assert_false(egret_hello_matters(&internal));
	egret_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_name_of_the_entry_passes),
		cmocka_unit_test(server_name_of_nobody_or_of_another_entry_is_denied),
		cmocka_unit_test(no_server_name_passes_only_where_the_entry_names_the_address),
		cmocka_unit_test(hidden_and_broken_server_names_are_denied),
		cmocka_unit_test(what_is_no_tls_passes_on_tcp_and_not_on_tls),
		cmocka_unit_test(audit_lets_a_foreign_server_name_pass_and_says_so),
		cmocka_unit_test(only_named_tcp_and_tls_entries_look_at_what_a_program_begins_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
