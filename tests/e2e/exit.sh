# How programs end, and what the server has received then.
# sanitized

HOST=www.googleapis.com

serving() {
	start_recording_tls right --http "$@"
	originating $HOST "$PORT"
}

# ends HOW [ARGS of tls_server.py]: a program that writes 2 MB with unread tickets and ends: the server receives every byte.
ends() {
	local how=$1
	shift
	serving --tickets 8 "$@"
	cat >"$T/program.py" <<-PY
		import ctypes, os, socket
		libc = ctypes.CDLL(None)
		s = socket.create_connection(("$HOST", 80), 10)
		s.settimeout(None)
		s.sendall(b"secret " * 300000)
		$how
	PY
	status covered python3 "$T/program.py"
	wait_for 20 holds 2100000
	wire_is_tls
}

holds() {
	[ "$(stat -c %s "$T/plain")" = "$1" ]
}

ended_well() {
	sleep 0.3
	[ ! -s "$T/tls.err" ] || fail "the server says: $(cat "$T/tls.err")"
}

test_the_server_receives_everything_when_a_program_closes_at_once() {
	ends 's.close(); os._exit(0)'
	ended_well
}

test_a_close_behind_a_small_write_starts_no_process() {
	need strace
	need_library
	serving
	strace -f -qq -o "$T/calls" -e trace=process,connect -E LD_PRELOAD="$EGRET_LIB" python3 -c "
import socket
for i in range(20):
    s = socket.create_connection(('$HOST', 80))
    s.sendall(b'secret')
    s.sendall(b'secret')
    s.close()"
	wait_for 20 holds 240
	equal "$(grep -c 'connect(.*AF_INET' "$T/calls") $(grep -cE 'fork|clone' "$T/calls" || true)" "20 0"
}

test_the_server_receives_everything_when_a_tls_1_2_program_closes_at_once() {
	ends 's.close(); os._exit(0)' --max-version 1.2
	ended_well
}

test_the_server_receives_everything_and_the_end_of_tls_when_a_program_exits() {
	ends 'libc.exit(0)'
	ended_well
}

test_the_server_receives_everything_and_the_end_of_tls_after_underscore_exit() {
	ends 'libc._exit(0)'
	ended_well
}

test_the_server_receives_everything_and_the_end_of_tls_after_quick_exit() {
	ends 'libc.quick_exit(0)'
	ended_well
}

test_what_a_program_writes_at_quick_exit_goes_out_before_the_end_of_tls() {
	serving --tickets 8
	status covered "$PROGRAMS/leaves" $HOST
	expect_status 0
	wait_for 20 holds 23
	equal "$(cat "$T/plain")" "secret firstsecret last"
	ended_well
}

# ends_by_signal WAY STATUS [BYTES]: a program that writes more than the server takes at once, and ends with tickets unread: the server receives every byte.
ends_by_signal() {
	start_tls right --tickets 8 --slow
	originating $HOST "$PORT"
	status covered "$PROGRAMS/ends" $HOST "$1"
	expect_status "$2"
	wait_for 20 holds "${3:-700000}"
}

test_the_server_receives_what_was_sent_before_an_abort() {
	ends_by_signal abort 134
}

test_an_abort_runs_the_programs_handler_which_may_write_and_loses_nothing() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's malloc is not for handlers"
	ends_by_signal handler 134 700008
	equal "$(tail -c 8 "$T/plain")" "handler "
}

test_the_server_receives_what_was_sent_before_a_failed_assert() {
	ends_by_signal assert 134
	expect "$T/err" "Assertion"
}

test_the_server_receives_what_was_sent_before_an_abort_inside_the_programs_malloc() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer has a malloc of its own"
	ends_by_signal malloc 134
}

test_the_server_receives_what_was_sent_before_a_signal_that_the_program_sends_itself() {
	ends_by_signal group 137
	local way
	for way in kill raise thread tgkill number; do
		ends_by_signal $way 143
	done
}

test_a_program_that_only_writes_has_its_tickets_read_in_time_for_a_kill() {
	serving --tickets 8
	cat >"$T/program.py" <<-PY
		import signal, socket, time
		s = socket.create_connection(("$HOST", 80))
		for i in range(20):
		    s.sendall(b"secret ")
		    time.sleep(0.1)
		s.sendall(b"secret " * 300000)
		signal.setitimer(signal.ITIMER_REAL, 0.001)
		time.sleep(60)
	PY
	status covered python3 "$T/program.py"
	expect_status 142
	wait_for 20 holds 2100140
}

test_the_server_receives_what_was_sent_before_a_sigkill() {
	ends 's.setblocking(False); import select; select.select([s], [], [], 0.3); os.kill(os.getpid(), 9)'
}

# closes_when_full [ARGS of tls_server.py]: writes what fits while the server does not read, and closes: the server receives all of it.
closes_when_full() {
	serving "$@"
	cat >"$T/program.py" <<-PY
		import os, socket
		s = socket.create_connection(("$HOST", 80), 10)
		s.setblocking(False)
		count = 0
		try:
		    while True:
		        count += s.send(b"s" * 50000)
		except BlockingIOError:
		    pass
		s.close()
		print(count, flush=True)
		os._exit(0)
	PY
	covered python3 "$T/program.py" >"$T/out"
	wait_for 40 holds "$(cat "$T/out")"
	wire_is_tls
	ended_well
}

test_a_close_with_a_full_send_buffer_does_not_wait_and_loses_nothing() { # alone
	closes_when_full --slow
}

# The kernel would answer such tickets with a reset, and drop what it has not sent yet.
test_tickets_that_come_after_a_close_eat_nothing_of_what_was_written() { # alone
	closes_when_full --late-tickets
}

# Nothing is done 10 000 times here that could not go wrong in 1 000; `make soak-connects` does it.
test_thousands_of_connections_leave_no_descriptor_and_no_byte_behind() { # limit=300
	certificates
	"$EGRET_BUILD/bench/server" "$T/echo.port" "$CERTS/right.pem" "$CERTS/right.key" &
	wait_for 10 test -s "$T/echo.port"
	originating $HOST "$(cut -d' ' -f2 "$T/echo.port")"
	# A sanitizer keeps what was freed for a while.
	status covered "$PROGRAMS/connects" $HOST "${EGRET_CONNECTS:-1000}" "$([ -n "${EGRET_SANITIZER:-}" ] && echo 400000 || echo 600)"
	tee "${EGRET_CONNECTS_TOLD:-/dev/null}" <"$T/out"
	expect_status 0
}
