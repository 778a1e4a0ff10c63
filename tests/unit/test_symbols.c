/* What stands behind the library is found as dlsym finds it, without dlsym. */
#include "preload/hook_types.h"
#include "preload/symbols.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_every_hooked_function_is_found_where_dlsym_finds_it(void **state)
{
#define HOOK(ret, name, handler, params, args, early) #name,
#define HAND(ret, name, params, early) #name,
	static const char *const names[] = {
#include "preload/hooks.def"
	};
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char list[64] = "";
		void *mine = NULL;

		snprintf(list, sizeof list - 1, "%s", names[i]);
		egret_symbols_find(list, &mine);
		if (mine != dlsym(RTLD_NEXT, names[i]))
			print_message("%s\n", names[i]);
		assert_ptr_equal(mine, dlsym(RTLD_NEXT, names[i]));
		found += mine != NULL;
	}
	assert_true(found > 100);
}

static void test_a_function_that_no_library_has_stays_null(void **state)
{
	void *mine[2] = { NULL, NULL };

	(void)state;
	egret_symbols_find("egret_no_such_function\0" "connect\0", mine);
	assert_null(mine[0]);
	assert_ptr_equal(mine[1], dlsym(RTLD_NEXT, "connect"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_hooked_function_is_found_where_dlsym_finds_it),
		cmocka_unit_test(test_a_function_that_no_library_has_stays_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
