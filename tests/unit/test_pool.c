/* The memory that needs no malloc: whoever is interrupted, no block is two's. */
#include "preload/pool.c"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define HELD 64
#define THREADS 4
#define ROUNDS 300000

/* Blocks that one user holds, each filled with the user's own byte. */
struct user {
	uint8_t *blocks[HELD];
	size_t sizes[HELD];
	uint8_t mark;
	uint32_t random;
	unsigned broken;
};

static uint32_t next_random(struct user *user)
{
	user->random ^= user->random << 13;
	user->random ^= user->random >> 17;
	return user->random ^= user->random << 5;
}

static bool is_all(const uint8_t *block, uint8_t mark, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != mark)
			return false;
	return true;
}

/* Gives one back, takes another. */
static void step(struct user *user)
{
	unsigned at = next_random(user) % HELD;
	size_t size = next_random(user) % 16 ? next_random(user) % 200 : next_random(user) % 20000;
	if (user->blocks[at] && !is_all(user->blocks[at], user->mark, user->sizes[at]))
		user->broken++;
	egret_pool.release(user->blocks[at]);
	user->blocks[at] = egret_pool.allocate(size);
	user->sizes[at] = size;
	if (user->blocks[at])
		memset(user->blocks[at], user->mark, size);
	else
		user->broken++;
}

static _Thread_local struct user *interrupting; /* a user of each thread's handler */

static void on_signal(int number)
{
	(void)number;
	for (int i = 0; interrupting && i < 8; i++)
		step(interrupting);
}

static void *run(void *mark)
{
	struct user own = { .mark = (uint8_t)(uintptr_t)mark, .random = 7 + (uint32_t)(uintptr_t)mark };
	struct user handler = { .mark = (uint8_t)(own.mark + 100), .random = 99 + own.mark };
	interrupting = &handler;
	for (int i = 0; i < ROUNDS; i++) {
		step(&own);
		if (i % 64 == 0)
			pthread_kill(pthread_self(), SIGUSR1);
	}
	interrupting = NULL;
	return (void *)(uintptr_t)(own.broken + handler.broken);
}

static void no_block_is_given_to_two_threads_or_to_a_handler_of_one(void **state)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { 0 };
	pthread_t threads[THREADS];
	(void)state;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		void *broken;
		pthread_join(threads[i], &broken);
		assert_null(broken);
	}
	setitimer(ITIMER_PROF, &never, NULL);
}

static void a_block_has_room_for_what_was_asked_and_stands_aligned(void **state)
{
	(void)state;
	for (size_t size = 0; size <= MOST; size += size < 5000 ? 1 : size / 7) {
		char *block = egret_pool.allocate(size);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % UNIT, 0);
		assert_true(egret_pool.size(block) >= size);
		assert_true(size < 128 || egret_pool.size(block) <= size + size / 4);
		memset(block, 0xff, size);
		egret_pool.release(block);
	}
}

static void what_is_given_back_is_used_again(void **state)
{
	void *blocks[1000];
	size_t used = 0;
	(void)state;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 1000; i++)
			assert_non_null(blocks[i] = egret_pool.allocate((size_t)(i * 37 % 3000)));
		for (int i = 0; i < 1000; i++)
			egret_pool.release(blocks[i]);
		size_t now = areas[area_count - 1]->used;
		assert_true(round == 0 || now == used);
		used = now;
	}
}

static void what_is_mallocs_goes_back_to_malloc(void **state)
{
	void *block = malloc(100), *large = egret_pool.allocate(MOST + 1);
	(void)state;
	assert_int_equal(egret_pool.size(block), malloc_usable_size(block));
	assert_true(egret_pool.size(large) > MOST);
	egret_pool.release(block);
	egret_pool.release(large);
	egret_pool.release(NULL);
}

static void areas_are_added_until_there_is_no_more_memory(void **state)
{
	size_t taken = 0;
	(void)state;
	while (taken < ((size_t)64 << 20)) {
		uint8_t *block = egret_pool.allocate(MOST);
		assert_non_null(block);
		block[0] = block[MOST - 1] = 1;
		taken += MOST;
	}
	assert_true(area_count >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_has_room_for_what_was_asked_and_stands_aligned),
		cmocka_unit_test(no_block_is_given_to_two_threads_or_to_a_handler_of_one),
		cmocka_unit_test(what_is_given_back_is_used_again),
		cmocka_unit_test(what_is_mallocs_goes_back_to_malloc),
		cmocka_unit_test(areas_are_added_until_there_is_no_more_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
