/* Record I/O over a real TCP connection: readiness, counts, ends. The server is OpenSSL between memory BIOs. */
#include "wire_link.h"

#include <poll.h>

static void wait_for(short events)
{
	struct pollfd pfd = { .fd = it.fd, .events = events };
	assert_int_equal(poll(&pfd, 1, 5000), 1);
}

static bool shows_readable(void)
{
	struct pollfd pfd = { .fd = it.fd, .events = POLLIN };
	return poll(&pfd, 1, 0) == 1;
}

static void say_bytes(const void *data, size_t count)
{
	assert_int_equal(SSL_write(it.peer.ssl, data, (int)count), (int)count);
	speak();
}

static ssize_t wire_read(void *data, size_t size, int flags)
{
	struct iovec iov = { data, size };
	return egret_wire_read(&it.wire, &iov, 1, flags);
}

static void fill(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 131 >> 3 ^ i);
}

static void tickets_do_not_make_a_program_read(void **state)
{
	uint8_t byte;
	(void)state;
	open_link(TLS1_3_VERSION, false);
	assert_true(shows_readable()); /* the tickets are there */
	assert_int_equal(egret_wire_readable(&it.wire), 0);
	assert_false(shows_readable());
	assert_int_equal(wire_read(&byte, 1, 0), -EAGAIN);
	assert_int_equal(it.wire.wants, POLLIN);
}

static void data_behind_the_handshake_stays_visible(void **state)
{
	uint8_t data[16];
	(void)state;
	open_link(TLS1_2_VERSION, false);
	say_bytes("hello", 5);
	assert_true(shows_readable());
	assert_true(egret_wire_readable(&it.wire) & POLLIN);
	assert_true(shows_readable());
	assert_int_equal(wire_read(data, sizeof data, 0), 5);
	assert_memory_equal(data, "hello", 5);
	assert_false(shows_readable());
}

static void the_descriptor_stays_readable_while_plaintext_is_undelivered(void **state)
{
	static uint8_t data[60000], got[sizeof data];
	static const size_t sizes[] = { 1, 7, 1000, 4096, 16384, 70000 };
	(void)state;
	fill(data, sizeof data);
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		open_link(TLS1_3_VERSION, false);
		say_bytes(data, sizeof data);
		size_t done = 0;
		while (done < sizeof data) {
			assert_true(shows_readable());
			size_t want = sizes[s] < 1000 && done > 20000 ? 5000 : sizes[s];
			ssize_t n = wire_read(got + done, want < sizeof got - done ? want : sizeof got - done, 0);
			assert_true(n > 0);
			done += (size_t)n;
		}
		assert_memory_equal(got, data, sizeof data);
		assert_false(shows_readable());
		assert_int_equal(wire_read(got, 1, 0), -EAGAIN);
		close_link(NULL);
	}
}

static void records_in_single_bytes_arrive_whole(void **state)
{
	static uint8_t wire[4096];
	uint8_t got[64];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	egret_wire_readable(&it.wire);
	SSL_write(it.peer.ssl, "first", 5);
	SSL_write(it.peer.ssl, "second", 6);
	int count = BIO_read(it.peer.out, wire, sizeof wire);
	ssize_t total = 0;
	for (int i = 0; i < count; i++) {
		deliver(wire + i, 1);
		ssize_t n = i % 2 ? wire_read(got + total, sizeof got - (size_t)total, 0) : egret_wire_readable(&it.wire) ? 0 : -EAGAIN;
		if (n > 0)
			total += n;
		else if (n == -EAGAIN)
			assert_false(shows_readable());
	}
	if (total < 11)
		total += wire_read(got + total, sizeof got - (size_t)total, 0);
	assert_int_equal(total, 11);
	assert_memory_equal(got, "firstsecond", 11);
}

static void a_short_read_leaves_no_complete_record(void **state)
{
	uint8_t got[64];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	for (int i = 0; i < 20; i++)
		SSL_write(it.peer.ssl, "x", 1);
	speak();
	assert_int_equal(wire_read(got, sizeof got, 0), 20);
	for (int i = 0; i < 20; i++)
		SSL_write(it.peer.ssl, "y", 1);
	speak();
	assert_int_equal(wire_read(got, 10, 0), 10);
	assert_true(shows_readable());
	assert_int_equal(wire_read(got, sizeof got, 0), 10);
}

static void a_peek_sees_across_records_and_takes_nothing(void **state)
{
	uint8_t got[64];
	int bytes = 0;
	(void)state;
	open_link(TLS1_3_VERSION, false);
	say_bytes("abc", 3);
	assert_int_equal(wire_read(got, 2, MSG_PEEK), 2);
	assert_int_equal(wire_read(got, sizeof got, MSG_PEEK), 3);
	say_bytes("defg", 4);
	assert_int_equal(wire_read(got, sizeof got, MSG_PEEK), 7);
	assert_memory_equal(got, "abcdefg", 7);
	assert_int_equal(egret_wire_available(&it.wire), 7);
	assert_int_equal(wire_read(got, 5, 0), 5);
	assert_true(shows_readable());
	assert_int_equal(egret_wire_available(&it.wire), 2);
	struct iovec iov[3] = { { got, 1 }, { NULL, 0 }, { got + 1, 9 } };
	assert_int_equal(egret_wire_read(&it.wire, iov, 3, 0), 2);
	assert_memory_equal(got, "fg", 2);
	assert_false(shows_readable());
	ioctl(it.fd, FIONREAD, &bytes);
	assert_int_equal(bytes, 0);
}

static void an_end_without_close_notify_is_a_reset(void **state)
{
	uint8_t got[8];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	say_bytes("abc", 3);
	shutdown(it.peer_fd, SHUT_WR);
	assert_int_equal(wire_read(got, sizeof got, 0), 3);
	wait_for(POLLIN | POLLRDHUP);
	assert_int_equal(wire_read(got, sizeof got, 0), -ECONNRESET);
	assert_non_null(strstr(it.wire.failure.text, "tls_truncation"));
	assert_int_equal(wire_read(got, sizeof got, 0), -ECONNRESET);
	assert_int_equal(wire_write("x", 1), -EPIPE);
}

static void an_end_without_close_notify_is_the_end_when_the_entry_says_so(void **state)
{
	uint8_t got[8];
	(void)state;
	open_link(TLS1_3_VERSION, true);
	egret_wire_readable(&it.wire);
	shutdown(it.peer_fd, SHUT_WR);
	wait_for(POLLRDHUP);
	assert_int_equal(wire_read(got, sizeof got, 0), 0);
}

static void close_notify_is_the_end_and_stays_visible(void **state)
{
	uint8_t got[8];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	SSL_write(it.peer.ssl, "abc", 3);
	SSL_shutdown(it.peer.ssl);
	speak();
	assert_int_equal(wire_read(got, sizeof got, 0), 3);
	assert_true(shows_readable()); /* the peer keeps TCP open, poll must tell the end */
	assert_true(egret_wire_readable(&it.wire) & POLLIN);
	assert_int_equal(wire_read(got, sizeof got, 0), 0);
	assert_int_equal(wire_read(got, sizeof got, 0), 0);
	assert_int_equal(wire_write("still", 5), 5);
	usleep(1000);
	hear();
	char text[8];
	assert_int_equal(SSL_read(it.peer.ssl, text, sizeof text), 5);
}

static void a_changed_record_is_a_reset_and_writes_end(void **state)
{
	uint8_t wire[256], got[8];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	egret_wire_readable(&it.wire);
	SSL_write(it.peer.ssl, "abc", 3);
	int count = BIO_read(it.peer.out, wire, sizeof wire);
	wire[count - 1] ^= 1;
	deliver(wire, (size_t)count);
	assert_true(egret_wire_readable(&it.wire) & POLLIN);
	assert_int_equal(wire_read(got, sizeof got, 0), -ECONNRESET);
	assert_int_equal(wire_write("x", 1), -EPIPE);
}

static void a_reset_is_told_once_and_then_the_end(void **state)
{
	uint8_t got[8];
	struct linger now = { 1, 0 };
	(void)state;
	open_link(TLS1_3_VERSION, false);
	egret_wire_readable(&it.wire);
	setsockopt(it.peer_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(it.peer_fd);
	it.peer_fd = -1;
	wait_for(POLLIN);
	assert_int_equal(wire_read(got, sizeof got, 0), -ECONNRESET);
	assert_int_equal(wire_read(got, sizeof got, 0), 0);
	assert_int_equal(wire_write("x", 1), -EPIPE);
}

static void a_key_update_is_answered_and_seen_by_nobody(void **state)
{
	uint8_t got[16];
	char text[16];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	egret_wire_readable(&it.wire);
	assert_int_equal(SSL_key_update(it.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	SSL_do_handshake(it.peer.ssl);
	speak();
	assert_int_equal(egret_wire_readable(&it.wire), 0);
	assert_false(shows_readable());
	say_bytes("new keys", 8);
	assert_int_equal(wire_read(got, sizeof got, 0), 8);
	assert_int_equal(wire_write("too", 3), 3);
	usleep(1000);
	hear();
	assert_int_equal(SSL_read(it.peer.ssl, text, sizeof text), 3);
}

/* Writes SIZE bytes through small buffers; each EAGAIN must go away when the kernel says writable. */
static void transfer_out(const uint8_t *data, size_t size, size_t step)
{
	static uint8_t got[3000000];
	size_t done = 0, heard = 0;
	for (int rounds = 0; heard < size && rounds < 200000; rounds++) {
		ssize_t n = done < size ? wire_write(data + done, step < size - done ? step : size - done) : egret_wire_flush(&it.wire);
		assert_true(n >= 0 || n == -EAGAIN);
		if (done < size && n > 0)
			done += (size_t)n;
		if (n == -EAGAIN || done == size) {
			hear();
			int count;
			while ((count = SSL_read(it.peer.ssl, got + heard, (int)(sizeof got - heard))) > 0)
				heard += (size_t)count;
			usleep(heard < size ? 50 : 0);
		}
	}
	assert_int_equal(heard, size);
	assert_memory_equal(got, data, size);
}

static void big_writes_arrive_through_tiny_buffers(void **state)
{
	static uint8_t data[2000000];
	static const size_t steps[] = { 100, 3000, 65536, 1000000 };
	(void)state;
	fill(data, sizeof data);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		open_link(i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION, false);
		int small = 4608;
		setsockopt(it.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
		setsockopt(it.peer_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		transfer_out(data, steps[i] < 1000 ? 100000 : sizeof data, steps[i]);
		close_link(NULL);
	}
}

static void eagain_means_that_nothing_of_it_was_sent(void **state)
{
	static uint8_t data[1 << 20], got[1 << 22];
	size_t accepted = 0, heard = 0;
	ssize_t n;
	(void)state;
	open_link(TLS1_3_VERSION, false);
	int small = 65536;
	setsockopt(it.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	memset(data, 'a', sizeof data);
	while ((n = wire_write(data, sizeof data)) > 0)
		accepted += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(it.wire.wants, POLLOUT);
	for (int i = 0; i < 2000 && heard < accepted; i++) {
		egret_wire_flush(&it.wire);
		hear();
		int count;
		while ((count = SSL_read(it.peer.ssl, got + heard, (int)(sizeof got - heard))) > 0)
			heard += (size_t)count;
		usleep(200);
	}
	assert_int_equal(heard, accepted);
	usleep(2000);
	hear();
	assert_true(SSL_read(it.peer.ssl, got, 1) < 0);
}

static void no_byte_of_plaintext_is_on_the_wire(void **state)
{
	static const char secret[] = "THE-SECRET-OF-THE-PROGRAM";
	char got[64];
	(void)state;
	open_link(TLS1_3_VERSION, false);
	struct iovec iov[3] = { { (void *)(uintptr_t)secret, 10 }, { NULL, 0 }, { (void *)(uintptr_t)(secret + 10), sizeof secret - 10 } };
	assert_int_equal(egret_wire_write(&it.wire, iov, 3), sizeof secret);
	assert_int_equal(egret_wire_close_notify(&it.wire), 0);
	assert_int_equal(wire_write(secret, sizeof secret), -EPIPE);
	usleep(1000);
	hear();
	assert_int_equal(SSL_read(it.peer.ssl, got, sizeof got), sizeof secret);
	assert_memory_equal(got, secret, sizeof secret);
	assert_int_equal(SSL_read(it.peer.ssl, got, sizeof got), 0);
	assert_int_equal(SSL_get_shutdown(it.peer.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	assert_null(memmem(it.seen, it.seen_len, "SECRET", 6));
}

static void the_close_of_a_drained_connection_is_no_reset(void **state)
{
	char byte;
	(void)state;
	open_link(TLS1_3_VERSION, false);
	assert_int_equal(wire_write("last words", 10), 10);
	assert_int_equal(egret_wire_close_notify(&it.wire), 0);
	egret_wire_drain(&it.wire); /* the tickets nobody read */
	close(it.fd);
	it.fd = -1;
	struct pollfd pfd = { .fd = it.peer_fd, .events = POLLRDHUP };
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_false(pfd.revents & POLLERR);
	hear();
	assert_int_equal(recv(it.peer_fd, &byte, 1, 0), 0);
}

#define on_a_link(test) cmocka_unit_test_teardown(test, close_link)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_link(tickets_do_not_make_a_program_read),
		on_a_link(data_behind_the_handshake_stays_visible),
		on_a_link(the_descriptor_stays_readable_while_plaintext_is_undelivered),
		on_a_link(records_in_single_bytes_arrive_whole),
		on_a_link(a_short_read_leaves_no_complete_record),
		on_a_link(a_peek_sees_across_records_and_takes_nothing),
		on_a_link(an_end_without_close_notify_is_a_reset),
		on_a_link(an_end_without_close_notify_is_the_end_when_the_entry_says_so),
		on_a_link(close_notify_is_the_end_and_stays_visible),
		on_a_link(a_changed_record_is_a_reset_and_writes_end),
		on_a_link(a_reset_is_told_once_and_then_the_end),
		on_a_link(a_key_update_is_answered_and_seen_by_nobody),
		on_a_link(big_writes_arrive_through_tiny_buffers),
		on_a_link(eagain_means_that_nothing_of_it_was_sent),
		on_a_link(no_byte_of_plaintext_is_on_the_wire),
		on_a_link(the_close_of_a_drained_connection_is_no_reset),
	};
	return cmocka_run_group_tests(tests, load_engine, NULL);
}
