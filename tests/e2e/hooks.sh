# The calls that few programs make: each is judged, and each speaks through egret, or is refused.
# sanitized
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

HOST=www.googleapis.com

hooks() { covered timeout 30 "$PROGRAMS/hooks" "$@" 2>>"$T/err" >"$T/out"; }

# answers LINE...: what the program printed, line by line.
answers() { equal "$(cat "$T/out")" "$(printf '%s\n' "$@")"; }

# encrypted WAY: over a connection of an entry that originates TLS, to a server that echoes.
encrypted() {
	start_recording_tls right --echo
	originating $HOST "$PORT"
	hooks "$1" $HOST 80 || { show_output; fail "$1 failed"; }
	! grep -q . "$T/wire" || wire_is_tls
}

# unnamed WAY: to a server that no entry names; it never sees a byte.
unnamed() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[other]
		hosts = $HOST
		ports = 80
	INI
	hooks "$1" 127.0.0.1 "$PORT" || { show_output; fail "$1 failed"; }
	sleep 0.1
	wire_is_silent
	expect "$T/err" "egret: denied"
}

test_fast_open_to_a_denied_host_never_sends_a_byte() { # quick
	unnamed fast_open
	answers "sendto EACCES" "sendmsg EACCES" "sendmmsg EACCES"
}

test_fast_open_speaks_plaintext_and_the_wire_sees_tls() {
	encrypted fast_open
	answers "sendto ok" echoed "sendmsg ok" echoed "sendmmsg ok" echoed
	expect "$T/plain" secret
}

test_a_fast_open_option_does_not_let_the_first_bytes_pass_unjudged() {
	unnamed fast_open_connect
	answers "setsockopt ENOPROTOOPT" "connect EACCES"
	encrypted fast_open_connect
	answers "setsockopt ENOPROTOOPT" "connect ok" echoed
}

test_curl_with_tcp_fast_open_is_tls_on_the_wire() {
	need_start curl
	start_recording_tls right --http
	originating $HOST "$PORT"
	covered curl -sS --max-time 20 --tcp-fastopen "http://$HOST/secret" >"$T/out" 2>"$T/err" || { show_output; fail "curl failed"; }
	expect "$T/out" "hello over tls"
	wire_is_tls
	expect "$T/plain" "GET /secret"
}

test_remote_commands_to_a_denied_host_never_send_a_byte() {
	unnamed remote_commands
	answers "rcmd EACCES" "rcmd_af EACCES" "rexec EACCES" "rexec_af EACCES"
}

# What runs in a network of its own has these.
export -f hooks answers

datagrams_judged() {
	policy <<-INI
		[egret]
		internal = none
		[named]
		hosts = 127.0.0.1
		ports = 9001
		protocol = udp
	INI
	hooks "$1"
}

export -f datagrams_judged

every_datagram() {
	datagrams_judged datagrams
	answers "sendmmsg 1" "second EACCES" "by number EACCES" "mapped EACCES" "mapped and named ok" "connect ok" "send ok" "dissolve ok" \
		"send then EDESTADDRREQ" "connect again EACCES" "send again EDESTADDRREQ" "named got 3" "unnamed got 0"
}

test_each_datagram_is_judged_by_its_own_address() {
	in_network every_datagram
}

chosen_routes() {
	datagrams_judged routes
	answers "IP_OPTIONS EPERM" "no IP_OPTIONS ok" "IPV6_RTHDR EPERM" "IPV6_2292RTHDR EPERM" "sendmsg EPERM"
}

test_a_route_that_the_program_chooses_is_refused() {
	in_network chosen_routes
}

test_calls_by_number_are_carried_like_the_functions() {
	encrypted by_number
	answers "connect ok" "write ok" "read 6 secret" "sendto ok" "recvfrom 6 secret" "sendmsg ok" "recvmsg 6 secret" "dup2 ok" "close ok" \
		"write to the copy ok" echoed "close the copy ok"
}

test_vectors_at_no_offset_are_carried_and_at_one_answered_as_of_a_socket() {
	encrypted at_an_offset
	answers "pwritev2 ok" "preadv2 6 secret" "pwritev2 at 0 ESPIPE" "preadv2 at 0 ESPIPE" "pwritev2 with an unknown flag EOPNOTSUPP"
}

test_the_longest_time_outs_wait_and_those_of_less_than_nothing_are_none() { # quick
	need_library
	start_tls right --echo
	originating $HOST "$PORT"
	covered "$PROGRAMS/long_waits" $HOST >"$T/out"
	equal "$(cat "$T/out")" right
}

test_asynchronous_transfers_send_no_plaintext() {
	encrypted asynchronous_transfers
	answers "aio_write ENOSYS" "lio_listio ENOSYS" "aio_read ENOSYS"
}

test_asynchronous_transfers_pass_no_unjudged_request() {
	start_recorder
	governing plain
	hooks asynchronous_transfers $HOST 80
	answers "aio_write ENOSYS" "lio_listio ENOSYS" "aio_read ENOSYS"
	wire_is_silent
}

test_asynchronous_transfers_of_a_file_are_the_libcs() {
	encrypted asynchronous_transfers_of_a_file
	answers "aio_write ok" "lio_listio ok" "aio_read ok"
}

reverse_names() {
	start_names www.example.com=198.51.100.7
	named_policy
	hooks names_of 198.51.100.9
	answers "gethostbyaddr none" "gethostbyaddr_r none" "getnameinfo none" "or number 198.51.100.9"
	expect_not "$T/asked" arpa
	policy <<-INI
		[egret]
		internal = none
		[net]
		hosts = 198.51.100.9
		ports = 80
	INI
	hooks names_of 198.51.100.9
	expect "$T/asked" arpa
}

test_the_name_of_an_uncovered_address_is_not_asked_for() {
	in_the_net reverse_names
}

# interrupted WAY: signals come while a write waits for a server that stands still.
interrupted() {
	start_tls right --http
	local server=$!
	originating $HOST "$PORT"
	hooks "$1" $HOST 80 "$server" || { show_output; fail "$1 failed"; }
}

test_a_write_that_waits_goes_on_after_a_handler_that_restarts_calls() {
	interrupted restarting_write
	answers "first ok" "last ok" "handled 1"
}

test_a_handler_of_faults_ends_no_write_that_waits() {
	interrupted restarting_write_beside_faults
	answers "first ok" "last ok" "handled 1"
}

test_a_write_that_waits_is_ended_by_a_handler_that_does_not_restart_calls() {
	interrupted interrupted_write
	answers "first ok" "last EINTR" "handled 1"
}

test_every_alias_and_fortified_form_of_a_call_is_carried_and_judged_like_the_call() {
	start_recording_tls right --echo
	originating $HOST "$PORT"
	status covered timeout 30 "$PROGRAMS/aliases" $HOST 80
	equal "$(cat out)" "done"
	wire_is_tls
	expect_not wire nobody
}
