/* Which programs a preloaded library reaches, told from the file. */
#include "preload/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/egret-elf.XXXXXX";
static char path[64], why[128];

static const char *put(const char *name, const void *bytes, size_t size, int mode)
{
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, (mode_t)mode), 0);
	return path;
}

/* A copy of this very program, in which one byte may differ. */
static const char *put_changed(const char *name, size_t offset, unsigned char byte)
{
	static unsigned char buf[1 << 20];
	FILE *self = fopen("/proc/self/exe", "r");
	size_t size;

	assert_non_null(self);
	size = fread(buf, 1, sizeof(buf), self);
	fclose(self);
	if (offset)
		buf[offset] = byte;
	return put(name, buf, size, 0755);
}

static void a_dynamic_program_is_covered(void **state)
{
	(void)state;
	assert_int_equal(egret_elf_cover(put_changed("self", 0, 0), why, sizeof(why)), EGRET_COVERED);
}

static void a_script_is_judged_by_its_interpreter(void **state)
{
	char text[128];

	(void)state;
	assert_int_equal(egret_elf_cover(put("script", "#!/bin/sh -e\n", 13, 0755), why, sizeof(why)), EGRET_COVERED);
	put_changed("other", 18, 0x28);
	snprintf(text, sizeof(text), "#! %s/other x\n", dir);
	assert_int_equal(egret_elf_cover(put("script", text, strlen(text), 0755), why, sizeof(why)), EGRET_UNCOVERED);
	assert_non_null(strstr(why, "architecture"));
}

static void a_script_without_an_interpreter_line_runs_in_a_covered_shell(void **state)
{
	(void)state;
	assert_int_equal(egret_elf_cover(put("plain", "echo\n", 5, 0755), why, sizeof(why)), EGRET_COVERED);
}

static void a_script_that_names_itself_ends(void **state)
{
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "#!%s/loop\n", dir);
	assert_int_equal(egret_elf_cover(put("loop", text, strlen(text), 0755), why, sizeof(why)), EGRET_UNCOVERED);
	assert_non_null(strstr(why, "too deep"));
}

static void another_width_is_uncovered(void **state)
{
	(void)state;
	assert_int_equal(egret_elf_cover(put_changed("narrow", 4, 1), why, sizeof(why)), EGRET_UNCOVERED);
	assert_non_null(strstr(why, "width"));
}

static void a_cut_program_is_uncovered(void **state)
{
	static unsigned char buf[100] = "\177ELF\2\1\1";

	(void)state;
	buf[18] = 62;
	buf[56] = 9;
	assert_int_equal(egret_elf_cover(put("cut", buf, sizeof(buf), 0755), why, sizeof(why)), EGRET_UNCOVERED);
}

static void what_cannot_run_is_no_program(void **state)
{
	(void)state;
	assert_int_equal(egret_elf_cover("/nonexistent/x", why, sizeof(why)), EGRET_NO_PROGRAM);
	assert_int_equal(egret_elf_cover(dir, why, sizeof(why)), EGRET_NO_PROGRAM);
	assert_int_equal(egret_elf_cover(put("data", "x", 1, 0644), why, sizeof(why)), EGRET_NO_PROGRAM);
}

static void a_setuid_program_of_another_user_is_uncovered(void **state)
{
	(void)state;
	put_changed("setuid", 0, 0);
	if (geteuid() != 0 || chown(path, 65534, 65534) || chmod(path, 04755))
		skip();
	assert_int_equal(egret_elf_cover(path, why, sizeof(why)), EGRET_UNCOVERED);
	assert_string_equal(why, "is setuid");
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "self", "script", "other", "plain", "loop", "narrow", "cut", "data", "setuid" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dynamic_program_is_covered),
		cmocka_unit_test(a_script_is_judged_by_its_interpreter),
		cmocka_unit_test(a_script_without_an_interpreter_line_runs_in_a_covered_shell),
		cmocka_unit_test(a_script_that_names_itself_ends),
		cmocka_unit_test(another_width_is_uncovered),
		cmocka_unit_test(a_cut_program_is_uncovered),
		cmocka_unit_test(what_cannot_run_is_no_program),
		cmocka_unit_test(a_setuid_program_of_another_user_is_uncovered),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
