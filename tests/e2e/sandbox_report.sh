# What a sandboxed run reports: what the supervisor saw, and nothing that the tree could write.

inside_report() {
	start_tls right
	originating api.example.com "$PORT" "http_allow = GET /books/**"
	sed -i 's/protocol = tcp/protocol = http/' "$T/egret.ini"
	GITHUB_STEP_SUMMARY=$T/summary status "$EGRET" run --sandbox=require --report=md --fail-on-deny -- bash -c '
		curl -sS --max-time 10 http://api.example.com/books/1
		curl -sS --max-time 2 http://203.0.113.9:81/ || true
		true'
	expect_status 1
	expect "$T/out" "hello over tls"
	expect "$T/err" "/books/1"
	expect "$T/err" "203.0.113.9"
	expect "$T/summary" "/books/1"
	expect "$T/summary" "203.0.113.9"
}

test_a_sandboxed_report_tells_what_the_supervisor_saw_and_reaches_the_job_summary() {
	need curl
	in_network_with_names "203.0.113.1 api.example.com" inside_report
}

inside_clean() {
	start_relay_server echo
	named good.example "$PORT"
	status "$EGRET" run --sandbox=require --report=text --fail-on-deny -- python3 -c '
import socket, sys
s = socket.create_connection(("good.example", int(sys.argv[1])), 5)
s.sendall(b"x")
s.recv(1)' "$PORT"
	expect_status 0
	expect "$T/err" good.example
}

test_a_run_without_denials_passes_fail_on_deny_under_the_sandbox() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_clean
}

inside_audited() {
	local sandbox
	start_recorder
	policy < <(printf '[egret]\ninternal = none\n')
	for sandbox in off require; do
		status "$EGRET" run --mode=audit --sandbox=$sandbox --fail-on-deny -- python3 -c '
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$PORT"
		expect_status 0
	done
}

test_what_audit_only_notes_fails_no_run_with_or_without_the_sandbox() {
	in_network inside_audited
}

inside_one_line() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[good]
		hosts = good.example
		ports = $PORT
		protocol = http
	INI
	status "$EGRET" run --sandbox=auto -- python3 -c 'import socket, sys; socket.create_connection(("good.example", int(sys.argv[1])), 10)' "$PORT"
	expect_status 0
	grep '"event":"connect"' "$T/log" >"$T/connects"
	equal "$(wc -l <"$T/connects")" 1
	expect "$T/connects" '"layer":"sandbox","verdict":"allow","entry":"good"'
	expect "$T/connects" '"protocol":"http","host":"good.example"'
}

test_a_connection_under_both_layers_is_one_line_of_the_log() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_one_line
}

inside_several_names() {
	policy <<-INI
		[egret]
		log = $T/log
		[second]
		hosts = second.example
		ports = 1
	INI
	status "$EGRET" run --sandbox=require -- python3 -c 'import socket; socket.socket().connect_ex(("203.0.113.9", 4242))'
	expect_status 0
	expect "$T/err" "denied tcp second.example:4242 (203.0.113.9): no entry covers this port of the host"
	expect "$T/log" '"ambiguous":"third.example,first.example"'
}

test_of_several_names_of_an_address_the_one_that_an_entry_knows_is_told_and_the_log_has_the_others() { # quick
	in_network_with_names "203.0.113.9 first.example second.example
203.0.113.9 third.example" inside_several_names
}

inside_relayed_bytes() {
	start_tls right --http
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		tls_ca_file = $CERTS/ca.pem
		[api]
		hosts = www.googleapis.com
		ports = 80
		protocol = http
		tls = originate
		addresses = 127.0.0.1:$PORT
		[own]
		hosts = good.example
		ports = 443
		protocol = tls
		addresses = 127.0.0.1:$PORT
	INI
	status "$EGRET" run --sandbox=require --report=text -- bash -c '
curl -sS --http1.1 -H "Accept:" -A x http://www.googleapis.com/books
curl -sSk https://good.example/books'
	expect_status 0
	jq -es 'map(select(.event == "close" and .layer == "relay" and .pid > 0 and .duration_ms >= 0)) |
		(map(.entry) == ["api", "own"]) and .[0].host == "www.googleapis.com" and .[0].port == 80 and
		.[0].protocol == "http" and .[0].bytes_received == 64 and .[0].bytes_sent > 14 and .[1].bytes_received > 100' "$T/log" >/dev/null ||
		fail "$(cat "$T/log")"
	jq -es 'map(select(.event == "tls" and .entry == "own")) | map([.verdict, .protocol, .server_name, .host]) ==
		[["allow", "tls", "good.example", "good.example"]]' "$T/log" >/dev/null || fail "$(cat "$T/log")"
	jq -es 'map(.event) | index("http") < index("close")' "$T/log" >/dev/null || fail "$(cat "$T/log")"
	grep -A3 '^Bytes' "$T/err" | grep -q 'www.googleapis.com:80 *1 *64 ' || fail "$(cat "$T/err")"
}

test_what_passes_the_relay_is_told_with_its_bytes_and_its_server_name() { # quick
	need curl jq
	in_network_with_names "" inside_relayed_bytes
}
