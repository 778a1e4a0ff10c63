# What another thread does to the socket of a call that waits, shutdown and signals: as over TCP.
# sanitized

HOST=www.googleapis.com

# over_tcp MODE: what is expected.
over_tcp() {
	start_plain_echo
	status "$PROGRAMS/beside" "$1" 127.0.0.1 "$PORT"
	expect_status 0
	mv "$T/out" "$T/expected"
}

# beside MODE: over TLS of both versions what it is over TCP.
beside() {
	local version
	over_tcp "$1"
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version
		originating $HOST "$PORT"
		status covered "$PROGRAMS/beside" "$1" $HOST 80
		diff "$T/expected" "$T/out" || fail "TLS $version: not as over TCP: $(head -c 4000 "$T/err")"
		[ ! -s "$T/err" ] || fail "TLS $version: it said: $(head -c 4000 "$T/err")"
	done
}

test_a_reader_beside_a_shutdown_wakes_as_over_tcp() { beside readers; }
test_a_writer_beside_a_shutdown_wakes_as_over_tcp_and_what_it_sent_arrives() { beside writers; }
test_signals_end_calls_that_wait_as_over_tcp_and_lose_no_byte() { beside signals; }

test_a_first_write_that_is_judged_holds_up_no_shutdown_of_another_thread() {
	over_tcp writers
	originating $HOST "$PORT"
	sed -i 's/tls = originate/tls = off/' "$T/egret.ini"
	status covered "$PROGRAMS/beside" writers $HOST 80
	diff "$T/expected" "$T/out" || fail "not as over TCP: $(head -c 4000 "$T/err")"
}

test_signals_end_a_connect_that_waits_as_over_tcp_and_it_goes_on() {
	local version
	python3 "$ROOT/tests/lib/unanswering.py" "$T/full.port" "$T/go" &
	announced "$T/full.port"
	status "$PROGRAMS/beside" connecting 127.0.0.1 "$PORT" "$T/go"
	expect_status 0
	mv "$T/out" "$T/expected"
	for version in 1.2 1.3; do
		rm -f "$T/go"
		start_tls right --echo --max-version $version --stall "$T/go"
		originating $HOST "$PORT"
		status covered "$PROGRAMS/beside" connecting $HOST 80 "$T/go"
		diff "$T/expected" "$T/out" || fail "TLS $version: not as over TCP: $(head -c 4000 "$T/err")"
	done
}
