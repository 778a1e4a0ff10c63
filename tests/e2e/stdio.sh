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

# early.py: what is said by each of a socket's numbers, those that it got before it was connected as well, comes back.
early_numbers() {
	cat >"$T/early.py" <<-'PY'
		import ctypes, os, select, socket, sys
		libc, host = ctypes.CDLL(None), sys.argv[1]
		def says(write, number, what):
		    write(what)
		    assert os.read(number, 100) == what
		def printed(what):
		    libc.printf(what)
		    libc.fflush(None)
		def early(waits, number):
		    s = socket.socket()
		    copy = os.dup(s.fileno()) if number is None else os.dup2(s.fileno(), number)
		    os.set_blocking(copy, waits)
		    s.connect_ex((host, 80))
		    assert select.select([], [copy], [], 20)[1]
		    os.set_blocking(copy, True)
		    says(lambda what: os.write(copy, what), copy, b"secret of the copy")
		    says(s.send, copy, b"secret of the first")
		    says(lambda what: libc.dprintf(copy, what), copy, b"secret of dprintf")
		    if number is not None:
		        says(printed, copy, b"secret of printf")
		    s.close()
		    os.write(copy, b"secret of the last")
		    assert os.read(copy, 100) == b"secret of the last"
		    os.close(copy)
		for waits in True, False:
		    early(waits, None)
		    early(waits, 1)
		    s = socket.socket() # gets the number that is free now
		    s.setblocking(waits)
		    s.connect_ex((host, 80))
		    assert s.fileno() == 1 and select.select([], [s], [], 20)[1]
		    s.setblocking(True)
		    says(printed, 1, b"secret of another printf")
		    os.dup2(2, s.detach())
	PY
}

test_what_is_written_to_a_copy_that_was_made_before_the_connect_is_never_plaintext() { # quick
	local version
	early_numbers
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version
		record_wire_before "$PORT"
		originating good.example "$PORT"
		status covered python3 "$T/early.py" good.example
		expect_status 0
		expect_not "$T/wire" secret
		expect "$T/plain" "secret of another printf"
	done
}
