/* Thousands of changed files, each noticed, loaded and put in force while threads decide by what they hold. */
#include "policy_test.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define RELOADS 2000

static char dir[64], ini[96], new_ini[96];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct egret_policy *in_force; /* one reference, under the lock */
static _Atomic bool stop;
static _Atomic size_t decided, wrong;

static void put(int generation)
{
	FILE *file = fopen(new_ini, "w");

	assert_non_null(file);
	fprintf(file, "[always]\nhosts = always.example\nports = 443\n[never]\nhosts = never.example\naction = deny\n[generation%d]\nhosts = %s.example\nports = %d\n",
		generation, generation % 2 ? "odd" : "even", 1 + generation);
	for (int i = 0; i < 40; i++)
		fprintf(file, "[filler%d]\nhosts = *.filler%d.example\nports = 443\n", i, i);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(new_ini, ini), 0);
}

static struct egret_policy *load(void)
{
	struct egret_err err = {0};
	struct egret_policy *policy = egret_policy_load(ini, &err, NULL);

	egret_err_free(&err);
	assert_non_null(policy);
	return policy;
}

/* Is what POLICY says of one generation, whichever that is? */
static bool is_right(const struct egret_policy *policy)
{
	int generation = (int)strtol(egret_policy_entry(policy, 2)->name + strlen("generation"), NULL, 10);
	const char *mine = generation % 2 ? "odd.example" : "even.example", *other = generation % 2 ? "even.example" : "odd.example";
	uint16_t port = (uint16_t)(1 + generation);

	return ask_tcp(policy, "always.example", NULL, 443).allow && !ask_tcp(policy, "never.example", NULL, 443).allow &&
	       ask_tcp(policy, mine, NULL, port).allow && !ask_tcp(policy, mine, NULL, (uint16_t)(port + 1)).allow &&
	       !ask_tcp(policy, other, NULL, port).allow;
}

static void *decide(void *data)
{
	(void)data;
	while (!stop) {
		pthread_mutex_lock(&lock);
		struct egret_policy *policy = egret_policy_ref(in_force);
		pthread_mutex_unlock(&lock);
		if (!is_right(policy))
			wrong++;
		decided++;
		egret_policy_unref(policy);
	}
	return NULL;
}

static void reload(int generation)
{
	put(generation);
	assert_true(egret_policy_changed(in_force));
	struct egret_policy *fresh = load(), *old = in_force;

	assert_false(egret_policy_changed(fresh));
	pthread_mutex_lock(&lock);
	in_force = fresh;
	pthread_mutex_unlock(&lock);
	egret_policy_unref(old);
}

static size_t descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

static void thousands_of_reloads_under_load_give_no_wrong_verdict_and_leave_no_memory_or_descriptor(void **state)
{
	pthread_t threads[3];
	size_t fds, bytes;

	(void)state;
	put(0);
	in_force = load();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, decide, NULL), 0);
	for (int i = 1; i <= 100; i++)
		reload(i);
	fds = descriptors();
	bytes = mallinfo2().uordblks;
	for (int i = 101; i <= RELOADS; i++)
		reload(i);
	stop = true;
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_true(decided > 0);
	assert_int_equal(descriptors(), fds);
	/* One policy more or less; a policy of this size a reload would be a hundred times that. */
	assert_true(mallinfo2().uordblks < bytes + 300000);
	egret_policy_unref(in_force);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/egret-reload.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(ini, sizeof(ini), "%s/egret.ini", dir);
	snprintf(new_ini, sizeof(new_ini), "%s/new", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(ini);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(thousands_of_reloads_under_load_give_no_wrong_verdict_and_leave_no_memory_or_descriptor, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
