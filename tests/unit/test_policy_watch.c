/* Policies from real files: includes, rights, and how a change is noticed. */
#include "policy_test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/egret-watch.XXXXXX");
	return mkdtemp(dir) && mkdir(path_of("conf.d"), 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static struct egret_policy *load(void)
{
	struct egret_err err = {0};
	struct egret_policy *policy = egret_policy_load(path_of("egret.ini"), &err, NULL);

	for (size_t i = 0; i < err.count; i++)
		print_error("%s:%u: %s\n", err.items[i].file, err.items[i].line, err.items[i].text);
	egret_err_free(&err);
	assert_non_null(policy);
	return policy;
}

static void assert_load_refused(const char *message)
{
	struct egret_err err = {0};

	assert_null(egret_policy_load(path_of("egret.ini"), &err, NULL));
	assert_int_equal(err.count, 1);
	assert_non_null(strstr(err.items[0].text, message));
	egret_err_free(&err);
}

static void missing_file_is_an_error(void **state)
{
	(void)state;
	assert_load_refused("cannot be opened: No such file");
}

static void world_writable_policy_is_refused(void **state)
{
	(void)state;
	put("egret.ini", "[egret]\n");
	assert_int_equal(chmod(path_of("egret.ini"), 0646), 0);
	assert_load_refused("everybody may write");
}

static void world_writable_private_key_is_refused(void **state)
{
	(void)state;
	put("key.pem", "k");
	put("egret.ini", "[a]\nhosts = a\nports = 1\ntls = originate\ntls_client_cert = key.pem\ntls_client_key = key.pem\n");
	egret_policy_unref(load());
	assert_int_equal(chmod(path_of("key.pem"), 0602), 0);
	assert_load_refused("everybody may write");
}

static void directory_or_device_is_no_policy(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("egret.ini"), 0755), 0);
	assert_load_refused("not a regular file");
}

static void includes_are_sorted_and_relative_to_the_file(void **state)
{
	struct egret_policy *p;

	(void)state;
	put("egret.ini", "[egret]\ninclude = conf.d/*.ini, more.ini\n[main]\nhosts = a\nports = 1\n");
	put("conf.d/20.ini", "[second]\nhosts = b\nports = 1\n");
	put("conf.d/10.ini", "[first]\nhosts = c\nports = 1\n");
	put("conf.d/x.txt", "junk\n");
	put("more.ini", "[more]\nhosts = d\nports = 1\n");
	p = load();
	assert_int_equal(egret_policy_entry_count(p), 4);
	assert_string_equal(egret_policy_entry(p, 1)->name, "first");
	assert_string_equal(egret_policy_entry(p, 2)->name, "second");
	assert_string_equal(egret_policy_entry(p, 3)->name, "more");
	assert_non_null(strstr(egret_policy_entry(p, 1)->file, "conf.d/10.ini"));
	egret_policy_unref(p);
}

static void missing_literal_include_is_an_error(void **state)
{
	(void)state;
	put("egret.ini", "[egret]\ninclude = none.d/*.ini\n");
	egret_policy_unref(load());
	put("egret.ini", "[egret]\ninclude = none.ini\n");
	assert_load_refused("cannot be opened");
}

static void included_file_holds_entries_only(void **state)
{
	(void)state;
	put("egret.ini", "[egret]\ninclude = conf.d/*.ini\n");
	put("conf.d/a.ini", "[egret]\nmode = off\n");
	assert_load_refused("holds entries only");
	put("conf.d/a.ini", "[a]\nhosts = a\nports = 1\n");
	put("conf.d/b.ini", "[a]\nhosts = b\nports = 1\n");
	assert_load_refused("[a] was given in");
}

/* A change of any file counts, and loading again settles it. */
static void assert_changed(struct egret_policy **p)
{
	assert_true(egret_policy_changed(*p));
	egret_policy_unref(*p);
	*p = load();
	assert_false(egret_policy_changed(*p));
}

static void every_change_is_noticed(void **state)
{
	struct egret_policy *p;

	(void)state;
	put("ca.pem", "one");
	put("egret.ini", "[egret]\ninclude = conf.d/*.ini\n[a]\nhosts = a\nports = 1\ntls = originate\ntls_ca_file = ca.pem\n");
	p = load();
	assert_false(egret_policy_changed(p));
	put("ca.pem", "three");
	assert_changed(&p);
	put("conf.d/b.ini", "[b]\nhosts = b\nports = 1\n");
	assert_changed(&p);
	put("conf.d/b.ini", "[b]\nhosts = bb\nports = 1\n");
	assert_changed(&p);
	assert_int_equal(unlink(path_of("conf.d/b.ini")), 0);
	assert_changed(&p);
	put("egret.ini", "[egret]\n");
	assert_changed(&p);
	egret_policy_unref(p);
}

static void swapped_symlink_is_noticed(void **state)
{
	struct egret_policy *p;
	char link[128];

	(void)state;
	put("one", "[a]\nhosts = a\nports = 1\n");
	put("two", "[a]\nhosts = b\nports = 1\n");
	assert_int_equal(symlink("one", path_of("egret.ini")), 0);
	p = load();
	assert_false(egret_policy_changed(p));
	assert_int_equal(symlink("two", path_of("new")), 0);
	snprintf(link, sizeof(link), "%s", path_of("egret.ini"));
	assert_int_equal(rename(path_of("new"), link), 0);
	assert_changed(&p);
	assert_string_equal(egret_policy_entry(p, 0)->hosts[0], "b");
	egret_policy_unref(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing_file_is_an_error),
		TEST(world_writable_policy_is_refused),
		TEST(world_writable_private_key_is_refused),
		TEST(directory_or_device_is_no_policy),
		TEST(includes_are_sorted_and_relative_to_the_file),
		TEST(missing_literal_include_is_an_error),
		TEST(included_file_holds_entries_only),
		TEST(every_change_is_noticed),
		TEST(swapped_symlink_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
