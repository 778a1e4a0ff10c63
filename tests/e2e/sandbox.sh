# The sandbox's promises beyond the escapes: the resolver, the relay, what it says.

inside_static_tls() {
	local port
	start_recording_tls right
	port=$PORT
	gcc -w -static -O1 -D_GNU_SOURCE -o "$T/speaker" "$ROOT/tests/programs/plain_http.c" 2>/dev/null
	originating api.example.com "$port"
	status env -i "$EGRET" run -c "$T/egret.ini" --sandbox=require -- "$T/speaker" api.example.com 80 /books
	expect_status 0
	expect "$T/out" "hello over tls"
	expect "$T/out" "peer port 80"
	wire_is_tls
	expect plain "GET /books"
}

test_a_static_program_that_speaks_plaintext_is_given_tls_by_the_relay() {
	[ -e "$EGRET_BUILD/lib/egret/libegret-tls.so" ] || skip "the engine is not built"
	in_network_with_names "" inside_static_tls
}

inside_wrong_certificate() {
	start_recording_tls wrong
	gcc -w -static -O1 -D_GNU_SOURCE -o "$T/speaker" "$ROOT/tests/programs/plain_http.c"
	originating api.example.com "$PORT"
	status "$EGRET" run -c "$T/egret.ini" --sandbox=require -- "$T/speaker" api.example.com 80 /secret
	[ "$STATUS" != 0 ] || fail "the request went through"
	[ ! -e plain ] || expect_not plain secret
}

test_a_wrong_certificate_behind_the_relay_never_sees_the_request() {
	[ -e "$EGRET_BUILD/lib/egret/libegret-tls.so" ] || skip "the engine is not built"
	in_network_with_names "" inside_wrong_certificate
}

inside_unknown_name() {
	policy <<-INI
		[good]
		hosts = good.example
		ports = 8080
	INI
	status "$EGRET" run --sandbox=require --fail-on-deny -- env -i getent ahosts evil.example
	[ "$STATUS" != 0 ] || fail "the name resolved"
	status "$EGRET" run --sandbox=require --fail-on-deny -- env -i python3 -c 'import socket
try: socket.create_connection(("203.0.113.9", 8080), 2)
except OSError: pass'
	expect_status 1
	expect "$T/err" "denied tcp 203.0.113.9:8080"
}

test_a_denial_that_only_the_supervisor_saw_fails_the_run() { # quick
	in_network_with_names "" inside_unknown_name
}

test_the_exit_status_and_signals_of_a_sandboxed_command_are_its_own() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=require -- sh -c 'exit 7'
	expect_status 7
	status "$EGRET" run --sandbox=require -- sh -c 'kill -TERM $$'
	expect_status 143
	status "$EGRET" run --sandbox=require -- /nonexistent/program
	expect_status 127
}

test_a_reader_of_the_output_is_not_kept_waiting_by_the_supervisor() { # quick
	policy <<<"[egret]"
	equal "$("$EGRET" run --sandbox=require -- sh -c 'sleep 5 >/dev/null 2>&1 & echo done' 2>/dev/null)" "done"
}

inside_connect_port() {
	start_recording_tls right --http
	policy <<-INI
		[egret]
		internal = none
		[server]
		hosts = 127.0.0.1
		ports = 80
		connect_port = $PORT
		tls = originate
		tls_server_name = api.example.com
		tls_ca_file = $CERTS/ca.pem
		[never]
		hosts = 203.0.113.9
		ports = $PORT
		action = deny
		[elsewhere]
		hosts = 203.0.113.9
		ports = 80
		connect_port = $PORT
	INI
	status "$EGRET" run --sandbox=auto -- curl -sS --max-time 10 http://127.0.0.1/secret
	expect_status 0
	wire_is_tls
	status "$EGRET" run --sandbox=auto -- env -i curl -sS --max-time 10 "http://203.0.113.9:$PORT/secret"
	[ "$STATUS" != 0 ] || fail "an address that a deny entry names was reached"
}

test_both_layers_agree_on_a_connect_port_of_an_address() {
	in_network inside_connect_port
}
