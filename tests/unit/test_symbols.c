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
		void *mine = NULL;
		const struct egret_symbol symbol = { names[i], &mine };

		egret_symbols_find(&symbol, 1);
		if (mine != dlsym(RTLD_NEXT, names[i]))
			print_message("%s\n", names[i]);
		assert_ptr_equal(mine, dlsym(RTLD_NEXT, names[i]));
		found += mine != NULL;
	}
	assert_true(found > 100);
}

static void test_a_function_that_no_library_has_stays_null(void **state)
{
	void *mine = NULL;
	const struct egret_symbol symbol = { "egret_no_such_function", &mine };

	(void)state;
	egret_symbols_find(&symbol, 1);
	assert_null(mine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_hooked_function_is_found_where_dlsym_finds_it),
		cmocka_unit_test(test_a_function_that_no_library_has_stays_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
