/* What a write was accepted of goes out without another call of the program's, whatever becomes of the send buffer's room. */
#include "wire_link.h"

#include <linux/sock_diag.h>

#define MOST_WRITES 100000

/* Of more than the little that any writable socket takes. */
static void look_at_the_room(void)
{
	uint8_t data[2000] = { 0 };
	assert_int_equal(wire_write(data, sizeof data), sizeof data);
}

/* Writes of SIZE bytes until there is no room: the kernel has all that was accepted. */
static void write_until_full(size_t size)
{
	static uint8_t data[1 << 16];
	ssize_t n = 0;
	for (int i = 0; i < MOST_WRITES && n >= 0; i++) {
		n = wire_write(data, size);
		assert_int_equal(egret_buf_len(&it.wire.out), 0);
	}
	assert_int_equal(n, -EAGAIN);
}

static void a_send_buffer_made_smaller_leaves_no_accepted_byte_behind(void **state)
{
	int large = 2000000, smaller = 300000; /* so large that it cannot be made wider for the tail, socket(7) */
	(void)state;
	open_link(TLS1_3_VERSION, false);
	setsockopt(it.fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
	it.wire.resized = true;
	look_at_the_room();
	setsockopt(it.fd, SOL_SOCKET, SO_SNDBUFFORCE, &smaller, sizeof smaller);
	it.wire.resized = true;
	write_until_full(36430);
}

/* Each is a segment of its own until it is acknowledged, and costs the kernel as much. */
static void small_writes_use_up_what_the_kernel_needs_for_them(void **state)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t size = sizeof info;
	(void)state;
	open_link(TLS1_3_VERSION, false);
	look_at_the_room();
	for (int i = 0; i < 500; i++) {
		assert_int_equal(wire_write("x", 1), 1);
		assert_int_equal(getsockopt(it.fd, SOL_SOCKET, SO_MEMINFO, info, &size), 0);
		assert_true(2 * it.wire.credit <= info[SK_MEMINFO_SNDBUF] - info[SK_MEMINFO_WMEM_QUEUED]);
	}
}

#define on_a_link(test) cmocka_unit_test_teardown(test, close_link)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_link(a_send_buffer_made_smaller_leaves_no_accepted_byte_behind),
		on_a_link(small_writes_use_up_what_the_kernel_needs_for_them),
	};
	return cmocka_run_group_tests(tests, load_engine, NULL);
}
