# Threads on wrapped sockets: both ways at once, many at once, closed, cancelled and interrupted while they wait; every byte compared.
# sanitized

HOST=www.googleapis.com

# start_echo: the bench's threaded TLS server, told to echo by what tests/programs/threads.c says first.
start_echo() {
	certificates
	rm -f "$T/echo.port"
	"$EGRET_BUILD/bench/server" "$T/echo.port" "$CERTS/right.pem" "$CERTS/right.key" &
	wait_for 10 test -s "$T/echo.port"
	PORT=$(cut -d' ' -f2 "$T/echo.port")
}

# threads MODE [MIB]: the server's port speaks nothing but TLS.
threads() {
	start_echo
	originating $HOST "$PORT"
	status covered "$PROGRAMS/threads" "$1" $HOST "${2:-8}"
	expect_status 0
	expect "$T/out" right
	[ ! -s "$T/err" ] || fail "it said: $(head -c 4000 "$T/err")"
}

test_one_thread_reads_while_another_writes_and_no_byte_is_lost() { # limit=600
	threads duplex "${EGRET_THREADS_MIB:-64}"
}
test_many_threads_on_many_connections_get_their_own_bytes() { threads many; }
test_a_connection_closed_while_a_thread_reads_gives_its_number_away_but_no_bytes() { threads closing; }
test_a_thread_cancelled_while_it_reads_or_writes_leaves_the_connection_whole() { threads cancel; }
test_a_thread_cancelled_already_goes_where_the_libcs_does_and_leaves_the_connection_whole() {
	[[ "${EGRET_SANITIZER:-}" != *libasan* ]] || skip "AddressSanitizer goes on guarding the frames that a cancelled thread has left"
	threads pending
}
test_a_connection_that_other_threads_look_at_while_it_is_made_is_made() { threads looked; }

test_a_connection_whose_first_server_refuses_is_made_also_while_other_threads_look_at_it() {
	local port tls
	for tls in originate off; do
		if [ $tls = originate ]; then start_echo; else start_plain_echo; fi
		port=$PORT
		free_port
		PROTOCOL=$([ $tls = originate ] && echo tcp || echo http) originating $HOST "$PORT, 127.0.0.1:$port"
		sed -i "s/tls = originate/tls = $tls/" "$T/egret.ini"
		status covered "$PROGRAMS/threads" looked $HOST
		expect_status 0
		expect "$T/out" right
		[ $tls = off ] || [ ! -s "$T/err" ] || fail "it said: $(head -c 4000 "$T/err")"
	done
}

test_signals_that_restart_calls_are_not_seen_by_reads_and_writes() { threads restart; }
test_signals_that_do_not_restart_end_calls_but_lose_no_byte() { threads eintr; }

test_a_thread_of_the_smallest_stack_connects_speaks_and_is_refused() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's own frames need more than that"
	start_echo
	originating $HOST "$PORT"
	status covered "$PROGRAMS/threads" stack $HOST
	expect_status 0
	expect "$T/out" right
	expect "$T/err" "egret: denied tcp www.googleapis.com:9"
	status "$EGRET" run --sandbox=off -- "$PROGRAMS/threads" stack $HOST
	expect_status 0
	expect "$T/out" right
}

# together MODE: over TCP, then over TLS of both versions, the same.
together() {
	local version
	start_plain_echo
	status "$PROGRAMS/together" "$1" 127.0.0.1 "$PORT"
	expect_status 0
	equal "$(cat "$T/out")" right
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version
		originating $HOST "$PORT"
		status covered "$PROGRAMS/together" "$1" $HOST 80
		expect_status 0
		equal "$(cat "$T/out")" right
		[ ! -s "$T/err" ] || fail "TLS $version: it said: $(head -c 4000 "$T/err")"
	done
}

test_of_two_readers_and_two_writers_of_one_connection_each_byte_is_read_by_one() { together bytes; }
test_short_records_of_four_writers_of_one_connection_are_whole_and_in_order() { together records; }
test_a_connection_that_is_closed_among_readers_and_writers_is_gone_and_the_next_ones_work() { together closing; }

test_what_threads_write_while_another_one_closes_never_leaves_in_the_clear() {
	local round
	for round in 1 2 3; do
		start_recording_tls right --echo
		originating $HOST "$PORT"
		status covered "$PROGRAMS/together" closing $HOST 80
		expect_status 0
		wire_is_tls
	done
}
