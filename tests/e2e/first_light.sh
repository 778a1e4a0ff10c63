# The main job: plaintext programs, verified TLS on the wire, and nothing else. Real clients, a recorder before the server.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

test_curl_speaks_plaintext_and_the_wire_carries_verified_tls() {
	start_recording_tls right --http
	originating "www.googleapis.com" "$PORT"
	covered curl -sS --max-time 10 "http://www.googleapis.com/secret" >"$T/out"
	wire_is_tls
	expect "$T/plain" "GET /secret"
	expect "$T/log" '"version":"TLSv1.3"'
}

test_wget_speaks_plaintext_and_the_wire_carries_verified_tls() {
	need wget
	start_recording_tls right --http
	originating "www.googleapis.com" "$PORT"
	covered wget -q -T 10 -t 1 -O "$T/out" "http://www.googleapis.com/secret"
	wire_is_tls
	expect "$T/plain" "GET /secret"
}

test_a_host_that_no_entry_names_is_refused_with_the_line_that_says_why() {
	start_recorder
	originating www.googleapis.com "$PORT"
	status covered curl -sS --max-time 10 "http://evil.example:$PORT/secret"
	[ "$STATUS" != 0 ] || fail "curl succeeded"
	expect "$T/err" "egret: denied tcp evil.example:$PORT: no entry covers it; to allow it: egret allow evil.example:$PORT"
	wire_is_silent
}

test_an_address_that_no_entry_names_never_sees_a_byte() {
	start_recorder
	originating www.googleapis.com "$PORT"
	status covered curl -sS --max-time 10 "http://127.0.0.1:$PORT/secret"
	[ "$STATUS" != 0 ] || fail "curl succeeded"
	expect "$T/err" "egret: denied tcp 127.0.0.1:$PORT: no entry covers"
	wire_is_silent
}

# refused_with CERT NAME TEXT: the connection fails, the sentence names the cause and the cure, and no application byte was sent.
refused_with() {
	start_recording_tls "$1" --http
	originating "$2" "$PORT"
	status covered curl -sS --max-time 10 "http://$2/secret"
	[ "$STATUS" != 0 ] || fail "curl succeeded"
	expect "$T/err" "$3"
	[ ! -s "$T/plain" ] || fail "the server received: $(cat "$T/plain")"
}

test_a_certificate_for_another_name_is_refused_before_a_request_leaves() {
	refused_with wrong "www.googleapis.com" "set tls_server_name"
}

test_a_certificate_of_an_unknown_ca_is_refused_before_a_request_leaves() {
	refused_with unknown "www.googleapis.com" "set tls_ca_file"
}

test_an_expired_certificate_is_refused_before_a_request_leaves() {
	refused_with expired "www.googleapis.com" "expired"
}

test_a_server_that_speaks_plaintext_never_sees_the_request() {
	certificates
	start_plain_http
	originating "www.googleapis.com" "$PORT"
	status covered curl -sS --max-time 10 "http://www.googleapis.com/secret"
	[ "$STATUS" != 0 ] || fail "curl succeeded"
	expect "$T/err" "plaintext"
	wire_is_tls
}

test_an_event_loop_reaches_its_host_through_a_handshake_that_does_not_block() {
	start_recording_tls right --http
	originating "www.googleapis.com" "$PORT"
	covered python3 - "www.googleapis.com" >"$T/out" <<-'PY'
		import asyncio, sys
		async def main():
		    r, w = await asyncio.open_connection(sys.argv[1], 80)
		    w.write(b"GET /secret HTTP/1.0\r\n\r\n")
		    await w.drain()
		    print((await r.read())[:12].decode())
		asyncio.run(asyncio.wait_for(main(), 10))
	PY
	expect "$T/out" "HTTP/1"
	wire_is_tls
}

test_a_connect_that_tcp_takes_its_time_for_is_waited_for() {
	need_library
	certificates
	python3 "$ROOT/tests/lib/unanswering.py" "$T/port" "$T/ready" "$CERTS/right.pem" "$CERTS/right.key" &
	announced "$T/port"
	originating www.googleapis.com "$PORT"
	covered python3 "$ROOT/tests/lib/late_connects.py" "$T/ready" >"$T/out"
	equal "$(paste -sd' ' "$T/out")" "polls selects epolls edges"
}

# errno_of NAME: what connect gives a blocking program.
errno_of() {
	covered python3 - "$1" 2>>"$T/err" <<-'PY'
		import errno, socket, sys
		try:
		    socket.create_connection((sys.argv[1], 80), 10)
		    print("connected")
		except OSError as e:
		    print(errno.errorcode.get(e.errno, e))
	PY
}

test_an_unverified_certificate_is_eacces() {
	start_recording_tls wrong --http
	originating www.googleapis.com "$PORT"
	equal "$(errno_of www.googleapis.com)" EACCES
}

test_a_plaintext_server_is_eproto() {
	start_plain_http
	originating www.googleapis.com "$PORT"
	equal "$(errno_of www.googleapis.com)" EPROTO
}

test_a_server_that_hangs_up_in_the_handshake_is_econnreset() {
	python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
while True: s.accept()[0].close()' "$T/hangup.port" &
	announced "$T/hangup.port"
	originating www.googleapis.com "$PORT"
	equal "$(errno_of www.googleapis.com)" ECONNRESET
}

test_a_program_that_speaks_tls_itself_is_left_alone() {
	start_recording_tls right --http
	policy <<-INI
		[egret]
		internal = none
		[server]
		hosts = www.googleapis.com
		ports = 443
		addresses = 127.0.0.1:$PORT
	INI
	covered curl -sS --max-time 10 --cacert "$CERTS/ca.pem" "https://www.googleapis.com/secret" >"$T/out"
	expect "$T/plain" "GET /secret"
	wire_is_tls
}

test_a_look_at_the_route_to_a_named_host_is_no_denial_to_tell_of() { # quick
	start_recorder
	originating good.example "$PORT"
	covered python3 - >"$T/out" 2>"$T/err" <<-'PY'
		import socket
		for host in "good.example", "127.0.0.9":
		    address = socket.getaddrinfo(host, 80)[0][4][0]
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    try:
		        s.connect((address, 0))
		        print("connected")
		    except OSError as e:
		        print(e.errno)
	PY
	equal "$(cat "$T/out")" "13
13"
	expect "$T/err" "denied udp 127.0.0.9"
	expect_not "$T/err" "good.example"
}
