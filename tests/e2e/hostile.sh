# Servers that break TLS, stall, or end at the worst moment: the errno of the promise, no crash, bounded memory, and not one byte in the clear.
# sanitized

# against BEHAVIOUR [KEYS]: a server that behaves like that stands where good.example does.
against() {
	python3 -c 'import cryptography' 2>/dev/null || skip "python3-cryptography is not installed"
	certificates
	rm -f "$T/hostile.port"
	: >"$T/wire"
	python3 "$ROOT/tests/lib/hostile_server.py" --port-file "$T/hostile.port" --cert "$CERTS/right.pem" --key "$CERTS/right.key" \
		--wire "$T/wire" $1 >>"$T/hostile.log" 2>&1 &
	SERVER=$!
	announced "$T/hostile.port"
	originating good.example "$PORT" "tls_handshake_timeout = ${PATIENCE:-20s}
		${2:-}"
}

# The server did what its behaviour says, and did not fall over itself.
behaved() {
	expect_not "$T/hostile.log" Traceback
}

# ways: of waiting; under a sanitizer, where each costs seconds, one in turn.
ways() {
	local all=(blocking poll epoll)
	TURN=$((${TURN:-0} + 1))
	WAYS=("${all[@]}")
	[ -z "${EGRET_SANITIZER:-}" ] || WAYS=("${all[TURN % 3]}")
}

# meets BEHAVIOUR SENTENCE: each way of waiting ends so: "EPROTO" for connect, "read ECONNRESET" after a handshake.
meets() {
	local way
	against "$1"
	ways
	for way in "${WAYS[@]}"; do
		status covered python3 "$ROOT/tests/lib/hostile_client.py" "$way" good.example 80
		[ "$STATUS" = 0 ] || { show_output; fail "$way, $1: exit status $STATUS"; }
		behaved
		equal "$way, $1: $(found)" "$way, $1: $2"
	done
	kill "$SERVER"
	expect_not "$T/wire" secret
}

# each_meets ERRNO BEHAVIOUR...: one connection to each, from one program: connect ends so.
each_meets() {
	local errno=$1
	shift
	against "$*"
	status covered python3 "$ROOT/tests/lib/hostile_client.py" all good.example 80 $#
	expect_status 0
	behaved
	equal "$(printf '%s\n' "$@" | paste - <(sed -n 's/^connect //p' "$T/out"))" "$(printf "%s\t$errno\n" "$@")"
	expect_not "$T/out" "write sent"
	expect_not "$T/wire" secret
}

# behind_records HOW: the names of such ends at every state of both versions' handshakes.
behind_records() {
	echo "$1"_behind_record_{1..6}_of_tls12 "$1"_behind_record_{1..5}_of_tls13
}

# What the program met, in short: how connect failed, else how its reading ended.
found() {
	if grep -qx "connect done" "$T/out"; then
		sed -n '/^read /p' "$T/out"
		return
	fi
	sed -n 's/^connect //p' "$T/out"
	sed -n 's/^write sent/and a write went out/p' "$T/out"
}

test_a_server_that_speaks_no_tls_gives_eproto() { # limit=120
	meets garbage EPROTO
	meets garbage_in_a_record EPROTO
	meets data_for_hello EPROTO
	meets oversized_hello EPROTO
	meets endless_hello EPROTO
}

test_an_alert_instead_of_a_hello_gives_eproto() { # limit=120
	meets alert EPROTO
	meets alerts EPROTO
}

test_a_server_that_sends_single_bytes_is_understood() { # limit=120
	meets byte_by_byte "read hello over tls"
}

test_a_server_that_ends_at_any_moment_of_the_handshake_gives_econnreset() { # limit=300
	local how moment
	for how in close rst; do
		for moment in at_once after_client_hello within_server_hello within_flight_of_tls12 before_finished_of_tls12 within_finished_of_tls12; do
			meets "${how}_$moment" ECONNRESET
		done
	done
}

test_a_server_that_stalls_at_any_moment_of_the_handshake_gives_etimedout() { # limit=300
	local moment
	for moment in at_once after_client_hello within_server_hello within_flight_of_tls12 before_finished_of_tls12 within_finished_of_tls12; do
		PATIENCE=1s meets "stall_$moment" ETIMEDOUT
	done
}

test_a_server_that_ends_behind_any_message_of_the_handshake_gives_econnreset() { # limit=120
	each_meets ECONNRESET $(behind_records close) $(behind_records rst)
}

test_an_alert_behind_any_message_of_the_handshake_gives_eproto() { # limit=120
	each_meets EPROTO $(behind_records alert) encrypted_alert
}

test_a_server_that_stalls_behind_any_message_of_the_handshake_gives_etimedout() { # limit=120
	PATIENCE=1s each_meets ETIMEDOUT $(behind_records stall)
}

test_a_server_that_ends_without_close_notify_gives_econnreset_to_who_reads() { # limit=120
	local how
	for how in close rst; do
		meets "${how}_after_handshake" "read ECONNRESET"
		meets "${how}_within_a_record" "read ECONNRESET"
	done
}

test_a_server_that_stalls_after_the_handshake_wakes_nobody() { # limit=120
	meets stall_after_handshake "read silence"
	meets stall_within_a_record "read silence"
}

test_bad_records_after_the_handshake_give_econnreset() { # limit=120
	meets plaintext_later "read ECONNRESET"
	meets plaintext_record_later "read ECONNRESET"
	meets oversized_later "read ECONNRESET"
	meets alert_later "read ECONNRESET"
	meets oversized_plaintext "read ECONNRESET"
}

# What can be read and means nothing there is the server's mistake, no broken record.
test_messages_that_have_no_place_behind_the_handshake_give_eproto() { # limit=120
	meets hello_request_of_tls13 "read EPROTO"
	meets late_certificate_request "read EPROTO"
	meets second_server_hello "read EPROTO"
	meets odd_key_update "read EPROTO"
}

test_a_second_request_to_say_hello_again_gives_eproto() { # limit=120
	meets hello_again EPROTO
	meets hello_again_with_the_same_group EPROTO
}

test_an_alert_after_the_handshake_gives_eproto_to_who_reads() { # limit=120
	meets encrypted_alert_later "read EPROTO"
}

test_a_flood_of_tickets_is_passed_over() { # limit=120
	meets many_tickets "read hello over tls"
}

test_floods_of_records_without_data_end_in_bounded_memory() { # limit=120
	meets empty_records "read ECONNRESET"
	meets key_updates "read hello over tls"
}

# openssl's server as the user of its terminal, who asks for one as soon as something was said.
test_a_renegotiation_request_under_tls12_is_refused() { # limit=60
	certificates
	free_port
	mkfifo "$T/keys"
	openssl s_server -accept "$PORT" -tls1_2 -cert "$CERTS/right.pem" -key "$CERTS/right.key" <"$T/keys" >"$T/plain" 2>&1 &
	exec 7>"$T/keys"
	wait_for 10 grep -q ACCEPT "$T/plain"
	record_wire_before "$PORT"
	originating good.example "$PORT"
	(wait_for 20 grep -q secret "$T/plain"; echo R) >&7 &
	status covered python3 "$ROOT/tests/lib/hostile_client.py" poll good.example 80
	expect_status 0
	equal "$(found)" "read EPROTO"
	expect_not "$T/wire" secret
}

# More than 100 KiB of certificates are not even read.
test_a_chain_of_ten_thousand_certificates_is_refused() { # limit=120
	each_meets EPROTO huge_chain_of_tls12 huge_chain_of_tls13
	equal "$(grep -c "excessive message size" "$T/log")" 2
}

# idles poll|select|epoll: a program waits a second while tickets come and nothing else, then another second with nothing at all. The system
# calls of both waits, marks included, into $TICKETS and $CALLS.
idles() {
	status strace -f -o "$T/calls" -E LD_PRELOAD="$EGRET_LIB" python3 - "$1" <<-'PY'
		import os, select, socket, sys
		s = socket.create_connection(("good.example", 80))
		waiter = select.epoll() if sys.argv[1] == "epoll" else select.poll()
		waiter.register(s, 1)
		def wait():
		    if sys.argv[1] == "select":
		        return select.select([s], [], [], 1)[0]
		    return waiter.poll(1000 if sys.argv[1] == "poll" else 1)
		os.write(1, b"tickets\n")
		found = wait()
		os.write(1, b"idle\n")
		found += wait()
		os.write(1, b"end\n")
		sys.exit(bool(found))
	PY
	expect_status 0
	TICKETS=$(sed -n '/write(1, "tickets/,/write(1, "idle/p' "$T/calls" | wc -l)
	CALLS=$(sed -n '/write(1, "idle/,/write(1, "end/p' "$T/calls" | wc -l)
}

test_a_program_that_waits_does_not_spin_while_only_tickets_come() { # limit=60
	local way
	need strace
	need_library
	against tickets_alone
	for way in poll select epoll; do
		idles "$way"
		[ "$TICKETS" -gt 2 ] && [ "$CALLS" -gt 2 ] || fail "$way: the marks of the waits are missing"
		# Each of the eight tickets may wake the wait by itself: looked at, taken, found to be all, waited again; twice memory.
		[ "$TICKETS" -le 36 ] || { cat "$T/calls"; fail "$way: $TICKETS system calls while tickets came"; }
		# Two marks and the wait: with nothing to come nothing wakes it. One more where python puts its list at a new place (reach.h).
		[ "$CALLS" -le 4 ] || { cat "$T/calls"; fail "$way: $CALLS system calls while nothing came"; }
	done
}

test_registrations_that_share_their_data_with_a_connections_tell_nothing_of_its_tickets() { # limit=60
	need strace
	need_library
	against tickets_alone
	status strace -f -o "$T/calls" -E LD_PRELOAD="$EGRET_LIB" "$PROGRAMS/shared_data" good.example
	expect_status 0
	expect "$T/out" "0 events"
	# Where none of them is a connection's any more nothing is asked: a write and a wait each, and the marks.
	CALLS=$(sed -n '/write(2, "pipes/,/write(2, "pipes/p' "$T/calls" | wc -l)
	[ "$CALLS" -ge 202 ] && [ "$CALLS" -le 206 ] || fail "$CALLS system calls of 100 rounds"
}

# One loop, two connections: one server never ends its handshake, the other answers a hundred times meanwhile.
test_a_stalled_handshake_holds_up_no_other_connection_of_its_loop() { # limit=60
	local way moment
	for moment in at_once after_client_hello within_server_hello; do
		against "stall_$moment"
		start_tls right --echo
		cat >>"$T/egret.ini" <<-INI
			[other]
			hosts = other.example
			ports = 80
			tls = originate
			addresses = 127.0.0.1:$PORT
			tls_server_name = localhost
			tls_ca_file = $CERTS/ca.pem
		INI
		for way in poll select epoll; do
			status covered python3 "$ROOT/tests/lib/stalled_loop.py" "$way"
			[ "$STATUS" = 0 ] || { show_output; fail "$way, $moment: exit status $STATUS"; }
		done
		kill "$SERVER"
	done
}
