/* The wire when memory is out: what was said to be sent is sent, what was not is not, and no end is told that is none. */
#include "preload/memory.h"
#include "wire_link.h"

#include <malloc.h>

/* The wire's memory, not the engine's: none is left while this is set. */
static bool starved;
void *__real_malloc(size_t size);
void __real_free(void *block);
static void *allocate(size_t size) { return starved ? NULL : __real_malloc(size); }
static const struct egret_memory scarce = { allocate, __real_free, malloc_usable_size };

static void starve(void)
{
	egret_buf_free(&it.wire.out); /* what it keeps for the next record */
	starved = true;
}

static int heard(char *text, int size)
{
	usleep(1000);
	hear();
	return SSL_read(it.peer.ssl, text, size);
}

static void a_write_without_memory_is_enomem_and_none_of_it_is_sent(void **state)
{
	char text[16];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	starve();
	assert_int_equal(wire_write("lost", 4), -ENOMEM);
	starved = false;
	assert_int_equal(wire_write("kept", 4), 4);
	assert_int_equal(heard(text, sizeof text), 4);
	assert_memory_equal(text, "kept", 4);
}

static void close_starved(int version)
{
	char text[16];
	open_link(version, false);
	assert_int_equal(wire_write("last", 4), 4);
	starve();
	assert_int_equal(egret_wire_close_notify(&it.wire), -ENOMEM);
	starved = false;
	assert_int_equal(heard(text, sizeof text), 4);
	assert_int_equal(SSL_get_shutdown(it.peer.ssl) & SSL_RECEIVED_SHUTDOWN, 0);
	assert_int_equal(egret_wire_close_notify(&it.wire), 0);
	assert_int_equal(heard(text, sizeof text), 0);
	assert_int_equal(SSL_get_shutdown(it.peer.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

static void a_close_without_memory_is_put_off_and_not_taken_for_done(void **state)
{
	(void)state;
	close_starved(TLS1_2_VERSION);
	close_link(NULL);
	close_starved(TLS1_3_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_write_without_memory_is_enomem_and_none_of_it_is_sent, close_link),
		cmocka_unit_test_teardown(a_close_without_memory_is_put_off_and_not_taken_for_done, close_link),
	};
	egret_memory_use(&scarce);
	return cmocka_run_group_tests(tests, load_engine, NULL);
}
