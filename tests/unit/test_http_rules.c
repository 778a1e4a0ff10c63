/* Which HTTP requests an entry's rules let pass. */
#include "policy/http_rules.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct egret_policy *policy;
static const struct egret_entry *entry;

static const char text[] = "[api]\n"
			   "hosts = api.example.com, *.wild.example, 192.0.2.7\n"
			   "ports = 80\n"
			   "protocol = http\n"
			   "http_allow = GET /books/*/pages, GET /tree/**, POST /form?kind=a*, * /open/**, GET /media/*?alt=media, GET /deep/**?alt=media, CONNECT *.tunnel.example:443, GET /café/*\n"
			   "http_deny = * /tree/admin/**, * /open/v1/*:delete, * /open/é/**, GET /open/%C3%BC, GET /open/a%3Ab, GET /open/q?x=*!\n"
			   "[free]\n"
			   "hosts = free.example.com\n"
			   "ports = 80\n"
			   "protocol = http\n"
			   "[some]\n"
			   "hosts = api.example.com\n"
			   "ports = 81\n"
			   "protocol = http\n"
			   "http_deny = * /admin/**, POST /**\n"
			   "[most]\n"
			   "hosts = api.example.com\n"
			   "ports = 82\n"
			   "protocol = http\n"
			   "http_deny = OPTIONS /**\n"
			   "[whole]\n"
			   "hosts = api.example.com\n"
			   "ports = 83\n"
			   "protocol = http\n"
			   "http_allow = OPTIONS *\n";

static enum egret_http_reason judge(struct egret_http_request request)
{
	struct egret_http_verdict verdict;

	if (!request.method)
		request.method = "GET";
	if (!request.host) {
		request.host = "api.example.com";
		request.host_count = 1;
	}
	request.host_len = strlen(request.host);
	request.target_len = strlen(request.target);
	request.port = 80;
	verdict = egret_http_decide(entry, &request);
	assert_int_equal(verdict.allow, verdict.reason == EGRET_HTTP_ALLOWED);
	return verdict.reason;
}

#define TARGET(path) judge((struct egret_http_request){ .target = path })
#define HOST(name) judge((struct egret_http_request){ .target = "/tree/", .host = name, .host_count = 1, .dialled = "api.example.com" })

static void a_star_stays_within_its_segment(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/books/7/pages"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/books/7/8/pages"), EGRET_HTTP_NO_RULE);
	assert_int_equal(TARGET("/books/7/pages/1"), EGRET_HTTP_NO_RULE);
}

static void two_stars_cross_segments_and_cover_the_folder_itself(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/tree"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/tree/a/b/c?q=1"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/treehouse"), EGRET_HTTP_NO_RULE);
}

static void a_deny_rule_wins_over_an_allow_rule(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/tree/admin"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/tree/admin/x"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/tree/administrator"), EGRET_HTTP_ALLOWED);
}

static void a_deny_rule_covers_a_path_however_it_is_escaped(void **state)
{
	static const char *const denied[] = { "/open/v1/x:delete", "/open/v1/x%3Adelete", "/open/v1/x%3adelete", "/open/v1/%40%3adelete", "/open/%C3%A9/x",
		"/open/%c3%a9", "/open/%C3%a9/%20", "/open/%C3%BC", "/open/%c3%bc", "/open/a:b", "/open/a%3ab", "/open/q?x=a!", "/open/q?x=%2521%21",
		"/open/q?%78=a%21" };
	static const char *const allowed[] = { "/open/v1/x:get", "/open/v1/x%3Aget", "/open/v1/x%20:delete/y", "/open/%C3%A8/x", "/open/a%20b", "/caf%C3%A9/x", "/caf%c3%a9/%20" };

	(void)state;
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (TARGET(denied[i]) != EGRET_HTTP_DENY_RULE)
			fail_msg("%s", denied[i]);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (TARGET(allowed[i]) != EGRET_HTTP_ALLOWED)
			fail_msg("%s", allowed[i]);
	/* An allow rule means a path as it is written, since servers need not read its other forms alike. */
	assert_int_equal(judge((struct egret_http_request){ .method = "POST", .target = "/form%3Fkind=a" }), EGRET_HTTP_NO_RULE);
	assert_int_equal(TARGET("/caf%c3%a9%2A"), EGRET_HTTP_NO_RULE);
}

static void a_method_is_compared_as_it_stands(void **state)
{
	(void)state;
	assert_int_equal(judge((struct egret_http_request){ .method = "POST", .target = "/tree/x" }), EGRET_HTTP_NO_RULE);
	assert_int_equal(judge((struct egret_http_request){ .method = "get", .target = "/tree/x" }), EGRET_HTTP_NO_RULE);
	assert_int_equal(judge((struct egret_http_request){ .method = "PATCH", .target = "/open/x" }), EGRET_HTTP_ALLOWED);
}

static void a_rule_with_a_query_judges_the_query(void **state)
{
	(void)state;
	assert_int_equal(judge((struct egret_http_request){ .method = "POST", .target = "/form?kind=abc" }), EGRET_HTTP_ALLOWED);
	assert_int_equal(judge((struct egret_http_request){ .method = "POST", .target = "/form?kind=b" }), EGRET_HTTP_NO_RULE);
	assert_int_equal(judge((struct egret_http_request){ .method = "POST", .target = "/form" }), EGRET_HTTP_NO_RULE);
}

static void a_star_of_a_rules_path_ends_where_the_query_begins(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/media/x?alt=media"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/media/x?alt=full&y=?alt=media"), EGRET_HTTP_NO_RULE);
	assert_int_equal(TARGET("/deep/x/y?alt=media"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/deep/x/y?alt=full&y=/?alt=media"), EGRET_HTTP_NO_RULE);
}

static void a_fragment_hides_no_query_from_a_deny_rule(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/open/q?x=a!"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/open/q?x=a!#y"), EGRET_HTTP_AMBIGUOUS_PATH);
}

static void a_deny_rule_covers_a_path_that_an_escaped_question_mark_would_end(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/tree/admin%3fx"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/tree/admin%3F/x?y"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/tree/admin%23"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/open/v1/x%3adelete%3f"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/tree/administrator%3f"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/tree/what%3f"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("/tree/x/admin%3fy"), EGRET_HTTP_ALLOWED);
}

static void a_deny_rule_with_a_query_covers_an_escaped_question_mark_too(void **state)
{
	(void)state;
	assert_int_equal(TARGET("/open/q%3Fx=a!"), EGRET_HTTP_DENY_RULE);
	assert_int_equal(TARGET("/media/x%3Falt=media"), EGRET_HTTP_NO_RULE);
}

static void a_path_that_servers_read_in_two_ways_is_refused(void **state)
{
	static const char *const paths[] = { "/tree/../admin", "/tree/./x", "/tree//x", "/tree/%2e%2e/x", "/tree/%2Fx", "/tree/x;y",
					     "/tree/\\x", "/tree/..", "/tree/.", "/tree/%61dmin", "/tree/%x", "/tree/%00", "/tree/a%", "tree",
					     "/tree/..%c0%af../x", "/tree/%C1%9c", "/tree/%e0%80%af", "/tree/%f0%80%80%af", "/tree/%f8%80%80%80%af", "/tree/%u002f" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(TARGET(paths[i]), EGRET_HTTP_AMBIGUOUS_PATH);
	assert_int_equal(TARGET("/tree/a.b/..c/%20%C3%A9?x=../%2f//"), EGRET_HTTP_ALLOWED);
}

static void a_host_header_names_a_host_of_the_entry_on_the_port_asked_for(void **state)
{
	(void)state;
	assert_int_equal(HOST("API.example.com"), EGRET_HTTP_ALLOWED);
	assert_int_equal(HOST("api.example.com:80"), EGRET_HTTP_ALLOWED);
	assert_int_equal(HOST("a.wild.example"), EGRET_HTTP_ALLOWED);
	assert_int_equal(HOST("api.example.com:81"), EGRET_HTTP_WRONG_HOST);
	assert_int_equal(HOST("evil.example"), EGRET_HTTP_WRONG_HOST);
	assert_int_equal(HOST("api.example.com.evil.example"), EGRET_HTTP_WRONG_HOST);
	assert_int_equal(HOST("api.example.com:80x"), EGRET_HTTP_WRONG_HOST);
}

static void two_host_headers_are_refused(void **state)
{
	(void)state;
	assert_int_equal(judge((struct egret_http_request){ .target = "/tree/", .host = "api.example.com", .host_count = 2 }),
			 EGRET_HTTP_WRONG_HOST);
}

static void an_absolute_target_is_judged_by_its_authority_and_path(void **state)
{
	(void)state;
	assert_int_equal(TARGET("http://api.example.com/tree/x"), EGRET_HTTP_ALLOWED);
	assert_int_equal(TARGET("http://evil.example/tree/x"), EGRET_HTTP_WRONG_HOST);
	assert_int_equal(TARGET("http://api.example.com/other"), EGRET_HTTP_NO_RULE);
	assert_int_equal(TARGET("http://api.example.com"), EGRET_HTTP_NO_RULE);
}

static void a_target_of_no_form_is_refused_also_where_there_are_no_rules(void **state)
{
	static const char *const targets[] = { "ftp://evil.example/x", "evil.example/x", "evil.example:443", "?x", "**" };
	const struct egret_entry *ruled = entry;

	(void)state;
	entry = egret_policy_entry(policy, 1);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		assert_int_equal(judge((struct egret_http_request){ .target = targets[i], .host = "free.example.com", .host_count = 1 }),
				 EGRET_HTTP_AMBIGUOUS_PATH);
	assert_int_equal(judge((struct egret_http_request){ .target = "*", .host = "free.example.com", .host_count = 1 }), EGRET_HTTP_ALLOWED);
	assert_int_equal(judge((struct egret_http_request){ .target = "http://free.example.com?q", .host = "free.example.com", .host_count = 1 }),
			 EGRET_HTTP_ALLOWED);
	assert_int_equal(judge((struct egret_http_request){ .target = "/a/../b;c", .host = "free.example.com", .host_count = 1 }), EGRET_HTTP_ALLOWED);
	entry = ruled;
}

/* What entry INDEX says of METHOD and TARGET. */
static enum egret_http_reason judge_at(size_t index, const char *method, const char *target)
{
	const struct egret_entry *first = entry;
	enum egret_http_reason reason;

	entry = egret_policy_entry(policy, index);
	reason = judge((struct egret_http_request){ .method = method, .target = target });
	entry = first;
	return reason;
}

static void the_server_as_a_whole_is_asked_of_where_its_root_is_not_denied_and_a_rule_says_so(void **state)
{
	static const char *const forms[] = { "*", "http://api.example.com" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(judge_at(2, "OPTIONS", forms[i]), EGRET_HTTP_ALLOWED);
		assert_int_equal(judge_at(3, "OPTIONS", forms[i]), EGRET_HTTP_DENY_RULE);
		assert_int_equal(judge_at(4, "OPTIONS", forms[i]), EGRET_HTTP_ALLOWED);
		assert_int_equal(judge_at(0, "OPTIONS", forms[i]), EGRET_HTTP_NO_RULE);
	}
	assert_int_equal(judge_at(4, "OPTIONS", "/"), EGRET_HTTP_NO_RULE);
	assert_int_equal(judge_at(2, "GET", "*"), EGRET_HTTP_AMBIGUOUS_PATH);
	assert_int_equal(judge_at(4, "GET", "*"), EGRET_HTTP_AMBIGUOUS_PATH);
}

static void tunnels_and_h2c_are_refused(void **state)
{
	(void)state;
	assert_int_equal(judge((struct egret_http_request){ .method = "CONNECT", .target = "api.example.com" }), EGRET_HTTP_CONNECT);
	assert_int_equal(judge((struct egret_http_request){ .method = "CONNECT", .target = "a.tunnel.example:443", .host = "a.tunnel.example:443",
							    .host_count = 1 }), EGRET_HTTP_ALLOWED);
	assert_int_equal(judge((struct egret_http_request){ .method = "CONNECT", .target = "a.tunnel.example:443", .host = "b.example",
							    .host_count = 1 }), EGRET_HTTP_WRONG_HOST);
	assert_int_equal(judge((struct egret_http_request){ .target = "/tree/", .upgrade = true, .upgrade_h2c = true }), EGRET_HTTP_H2C);
	assert_int_equal(judge((struct egret_http_request){ .target = "/tree/", .upgrade = true }), EGRET_HTTP_ALLOWED);
}

static void a_request_that_is_none_is_refused(void **state)
{
	(void)state;
	assert_int_equal(judge((struct egret_http_request){ .method = "GE T", .target = "/tree/" }), EGRET_HTTP_MALFORMED);
	assert_int_equal(TARGET(""), EGRET_HTTP_MALFORMED);
}

static int load(void **state)
{
	struct egret_err err = { 0 };

	(void)state;
	policy = egret_policy_parse("test.ini", text, sizeof(text) - 1, &err, NULL);
	egret_err_free(&err);
	if (!policy)
		return -1;
	entry = egret_policy_entry(policy, 0);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	egret_policy_unref(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_stays_within_its_segment),
		cmocka_unit_test(two_stars_cross_segments_and_cover_the_folder_itself),
		cmocka_unit_test(a_deny_rule_wins_over_an_allow_rule),
		cmocka_unit_test(a_deny_rule_covers_a_path_however_it_is_escaped),
		cmocka_unit_test(a_method_is_compared_as_it_stands),
		cmocka_unit_test(a_rule_with_a_query_judges_the_query),
		cmocka_unit_test(a_star_of_a_rules_path_ends_where_the_query_begins),
		cmocka_unit_test(a_fragment_hides_no_query_from_a_deny_rule),
		cmocka_unit_test(a_deny_rule_covers_a_path_that_an_escaped_question_mark_would_end),
		cmocka_unit_test(a_deny_rule_with_a_query_covers_an_escaped_question_mark_too),
		cmocka_unit_test(a_path_that_servers_read_in_two_ways_is_refused),
		cmocka_unit_test(a_host_header_names_a_host_of_the_entry_on_the_port_asked_for),
		cmocka_unit_test(two_host_headers_are_refused),
		cmocka_unit_test(an_absolute_target_is_judged_by_its_authority_and_path),
		cmocka_unit_test(a_target_of_no_form_is_refused_also_where_there_are_no_rules),
		cmocka_unit_test(the_server_as_a_whole_is_asked_of_where_its_root_is_not_denied_and_a_rule_says_so),
		cmocka_unit_test(tunnels_and_h2c_are_refused),
		cmocka_unit_test(a_request_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
