# Time-outs of the old kind: a signal handler that leaves a waiting call by siglongjmp. What is left behind, and what works afterwards.
# sanitized

export HOST=www.googleapis.com

# leaves WAY ROUNDS [OPTION...]: over TCP, then over TLS of both versions, the same.
leaves() {
	local way=$1 rounds=$2 version
	shift 2
	start_plain_echo
	status "$PROGRAMS/jumps" "$way" 127.0.0.1 "$PORT" "$rounds" "$@"
	expect_status 0
	equal "$(cat "$T/out")" right
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version
		originating $HOST "$PORT"
		status covered "$PROGRAMS/jumps" "$way" $HOST 80 "$rounds" "$@"
		expect_status 0
		equal "$(cat "$T/out")" right
		[ ! -s "$T/err" ] || fail "TLS $version: it said: $(head -c 4000 "$T/err")"
	done
}

# closed_lines: how many connections the log says are closed and gone.
closed_lines() { grep -c '"event":"close"' "$T/log" || true; }

test_a_connection_goes_on_after_a_handler_has_left_a_thousand_reads_of_it() { leaves reads 200; }
test_a_connection_goes_on_after_a_handler_on_a_stack_of_its_own_has_left_reads_of_it() { leaves reads 100 onstack; }
test_a_thread_whose_handler_has_left_reads_goes_on_and_ends_in_order() { leaves reads 100 thread; }
test_a_connection_whose_write_a_handler_has_left_sends_what_it_took_and_no_more() { leaves writes 3; }

test_a_connection_that_is_closed_after_a_handler_has_left_reads_of_it_is_gone_at_once() {
	leaves many 300
	equal "$(closed_lines)" $((2 * (31 + 300)))
}

test_connects_that_a_handler_has_left_are_given_up_and_cost_nothing() {
	python3 "$ROOT/tests/lib/unanswering.py" "$T/full.port" &
	announced "$T/full.port"
	status "$PROGRAMS/jumps" connects 127.0.0.1 "$PORT" 100
	expect_status 0
	equal "$(cat "$T/out")" right
	certificates
	originating $HOST "$PORT"
	status covered "$PROGRAMS/jumps" connects $HOST 80 100
	expect_status 0
	equal "$(cat "$T/out")" right
	[ ! -s "$T/err" ] || fail "it said: $(head -c 4000 "$T/err")"
	equal "$(grep -c 'the program gave it up' "$T/log")" 111
}

test_a_connection_whose_first_write_a_handler_has_left_goes_on_where_its_first_bytes_are_judged() {
	start_plain_echo
	originating $HOST "$PORT"
	sed -i 's/tls = originate/tls = off/' "$T/egret.ini"
	status covered timeout 30 "$PROGRAMS/jumps" writes $HOST 80 3
	expect_status 0
	equal "$(cat "$T/out")" right
}

test_a_connection_whose_sendfile_a_handler_has_left_sends_what_it_took_and_costs_nothing() { leaves files 3; }

test_a_connect_whose_handshake_a_handler_has_left_is_gone_on_with_by_the_next() {
	local version
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version --stall "$T/go"
		originating $HOST "$PORT"
		status covered "$PROGRAMS/jumps" goes_on $HOST 80 20 "$T/go"
		expect_status 0
		equal "$(cat "$T/out")" right
		[ ! -s "$T/err" ] || fail "TLS $version: it said: $(head -c 4000 "$T/err")"
	done
}

# left_lookups: names of googleapis.com lead to TLS, those of plain.example to the same in the clear.
left_lookups() {
	start_names www.plain.example=198.51.100.8 $HOST=198.51.100.7 \
		--silent=stalls.plain.example --late=late.plain.example --silent=stalls.googleapis.com --late=late.googleapis.com
	start_plain_echo 198.51.100.8 80
	start_tls right --echo --listen 198.51.100.7:80
	policy <<-INI
		[egret]
		log = $T/log
		[server]
		hosts = $HOST, *.googleapis.com
		ports = 80
		tls = originate
		tls_ca_file = $CERTS/ca.pem
	INI
	status timeout 50 "$PROGRAMS/jumps" "$1" www.plain.example 80 "$2"
	expect_status 0
	mv "$T/out" "$T/expected"
	status covered timeout 50 "$PROGRAMS/jumps" "$1" $HOST 80 "$2"
	expect_status 0
	diff "$T/expected" "$T/out" || fail "not as without the library"
	[ ! -s "$T/err" ] || fail "it said: $(head -c 4000 "$T/err")"
}

test_after_lookups_that_a_handler_has_left_all_threads_resolve_connect_and_speak() { # limit=120
	[[ "${EGRET_SANITIZER:-}" != *libtsan* ]] || skip "ThreadSanitizer keeps a signal back while its thread is in getaddrinfo, with or without the library"
	in_the_net left_lookups lookups 30
}

test_after_a_gethostbyname_that_a_handler_has_left_other_lookups_and_connects_go_on() { in_the_net left_lookups lookup_once 1; }
