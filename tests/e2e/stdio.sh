# glibc's streams over a connection: what they write is TLS on the wire, whichever way they came to it.
# sanitized

HOST=www.googleapis.com

serving() {
	start_recording_tls right --http
	originating $HOST "$PORT"
}

# asks MODE: the program asks over stdio and is answered; the wire carried TLS.
asks() {
	serving
	status covered "$PROGRAMS/streams" "$1" $HOST
	expect_status 0
	expect "$T/err" "hello over tls"
	expect "$T/plain" "GET /secret"
	wire_is_tls
}

# tells MODE: the program only writes; the server receives the request.
tells() {
	serving
	status covered "$PROGRAMS/streams" "$1" $HOST
	expect_status 0
	wait_for 10 grep -q "GET /secret" "$T/plain"
	wire_is_tls
}

test_a_stream_opened_on_a_connection_reads_writes_and_closes_it() { asks fdopen; }
test_a_stream_opened_before_its_socket_connects_never_carries_plaintext() { asks before_connect; }
test_an_unbuffered_stream_speaks_tls() { asks unbuffered; }
test_dprintf_speaks_tls() { asks dprintf; }
test_printf_to_a_connection_on_stdout_speaks_tls() { asks stdout; }
test_a_connection_on_the_number_of_another_stream_never_carries_plaintext() { asks other_stream; }
test_a_stream_in_memory_closes_without_a_trace() {
	[[ "${EGRET_SANITIZER:-}" != *libtsan* ]] || skip "ThreadSanitizer's own fclose sets errno"
	asks memory
}
test_a_stream_that_is_only_flushed_at_exit_arrives() { tells at_exit; }
test_fcloseall_flushes_a_connection() { tells fcloseall; }

test_an_exit_handler_still_writes_to_a_connection() {
	tells exit_handler
	wait_for 10 grep -q "X: late" "$T/plain"
}

test_a_stream_reopened_on_a_file_leaves_its_connection() {
	serving
	status covered "$PROGRAMS/streams" freopen $HOST
	expect_status 0
	expect "$T/err" "still running"
	wire_is_tls
	[ ! -s "$T/plain" ] || fail "the server received: $(cat "$T/plain")"
}

test_a_number_closed_past_the_libc_and_used_again_is_not_taken_for_a_connection() {
	serving
	status covered "$PROGRAMS/streams" number_again $HOST
	expect_status 0
	expect "$T/err" "both plain"
}
