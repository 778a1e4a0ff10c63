#include "policy_test.h"

#include "policy/edit.h"

#include <stdlib.h>

static const char before[] = "; my policy\n[egret]\nmode = enforce ; as it should be\n\n# the API\n[api]\nhosts = a.example ; one host\nports = 443\n\n"
			     "; the mail\n[mail]\nhosts = m.example,\n  n.example\nports = 25\n";

static void assert_edit(const struct egret_grant *grant, const char *expected)
{
	struct egret_err err = {0};
	char *after = egret_edit_allow("t.ini", before, strlen(before), grant, &err);
	char line[256] = "";

	if (err.count)
		egret_err_format(&err, 0, line, sizeof(line));
	if (expected) {
		assert_string_equal(line, "");
		assert_non_null(after);
		if (!strstr(after, expected))
			print_error("%s\n", after);
		assert_non_null(strstr(after, expected));
		assert_non_null(strstr(after, "; my policy\n[egret]\nmode = enforce ; as it should be\n\n# the API\n[api]\n"));
		egret_policy_unref(policy_of(after));
	} else {
		assert_null(after);
		assert_true(err.count > 0);
	}
	free(after);
	egret_err_free(&err);
}

static void allow_appends_an_entry_and_keeps_every_comment(void **state)
{
	(void)state;
	assert_edit(&(struct egret_grant){.host = "x.example", .port = 80, .originate = true},
		    "  n.example\nports = 25\n\n[x.example]\nhosts = x.example\nports = 80\ntls = originate\n");
	assert_edit(&(struct egret_grant){.host = "t.example", .port = 123, .protocol = "udp", .name = "ntp"},
		    "\n[ntp]\nhosts = t.example\nports = 123\nprotocol = udp\n");
}

static void allow_adds_a_port_before_the_comment_of_its_line(void **state)
{
	(void)state;
	assert_edit(&(struct egret_grant){.host = "A.example.", .port = 8443, .name = "api"}, "hosts = a.example ; one host\nports = 443, 8443\n");
	assert_edit(&(struct egret_grant){.host = "b.example", .port = 443, .name = "api"}, "hosts = a.example, b.example ; one host\nports = 443\n");
	assert_edit(&(struct egret_grant){.host = "o.example", .port = 25, .name = "mail"}, "hosts = m.example,\n  n.example, o.example\nports = 25\n");
}

static void allow_of_what_is_allowed_changes_nothing(void **state)
{
	(void)state;
	assert_edit(&(struct egret_grant){.host = "n.example", .port = 25, .name = "mail"}, before);
}

static void allow_never_opens_more_than_it_was_asked_for(void **state)
{
	(void)state;
	assert_edit(&(struct egret_grant){.host = "b.example", .port = 80, .name = "api"}, NULL);
	assert_edit(&(struct egret_grant){.host = "m.example", .port = 587, .name = "mail"}, NULL);
	assert_edit(&(struct egret_grant){.host = "a.example", .port = 80, .name = "api", .originate = true}, NULL);
}

static void host_that_would_start_a_section_is_refused(void **state)
{
	(void)state;
	assert_edit(&(struct egret_grant){.host = "a\n[b]", .port = 80}, NULL);
	assert_edit(&(struct egret_grant){.host = "a,b", .port = 80}, NULL);
	assert_edit(&(struct egret_grant){.host = "a", .port = 80, .name = "egret"}, NULL);
	assert_edit(&(struct egret_grant){.host = "a", .port = 80, .name = "x]"}, NULL);
}

static void delete_removes_one_entry_and_keeps_the_comments_of_the_next(void **state)
{
	struct egret_err err = {0};
	char *after = egret_edit_delete("t.ini", before, strlen(before), "api", &err);

	(void)state;
	assert_non_null(after);
	assert_string_equal(after, "; my policy\n[egret]\nmode = enforce ; as it should be\n\n# the API\n\n; the mail\n[mail]\nhosts = m.example,\n"
				   "  n.example\nports = 25\n");
	free(after);
	assert_null(egret_edit_delete("t.ini", before, strlen(before), "nobody", &err));
	assert_null(egret_edit_delete("t.ini", before, strlen(before), "egret", &err));
	assert_int_equal(err.count, 2);
	egret_err_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allow_appends_an_entry_and_keeps_every_comment),
		cmocka_unit_test(allow_adds_a_port_before_the_comment_of_its_line),
		cmocka_unit_test(allow_of_what_is_allowed_changes_nothing),
		cmocka_unit_test(allow_never_opens_more_than_it_was_asked_for),
		cmocka_unit_test(host_that_would_start_a_section_is_refused),
		cmocka_unit_test(delete_removes_one_entry_and_keeps_the_comments_of_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
