# The relay under --sandbox=require: what every program says passes the observers, and a connection behaves as without it.

inside_http_rules() {
	start_tls right
	originating api.example.com "$PORT" "http_allow = GET /books/**"
	sed -i 's/protocol = tcp/protocol = http/' "$T/egret.ini"
	sandboxed curl -sS --max-time 10 http://api.example.com/books/1
	expect_status 0
	expect "$T/out" "hello over tls"
	sandboxed curl -sS --max-time 10 -w '%{http_code}' http://api.example.com/admin/secret
	expect "$T/out" 403
	expect "$T/err" "to api.example.com:80: no rule of http_allow covers it (entry ["
	expect_not "$T/plain" secret
	expect "$T/log" '"path":"/books/1"'
	expect "$T/log" '"path":"/admin/secret"'
}

test_http_rules_hold_under_the_sandbox_for_a_program_without_the_library() {
	need curl
	in_network_with_names "203.0.113.9 api.example.com" inside_http_rules
}

inside_plain_http() {
	start_plain_http
	policy <<-INI
		[egret]
		internal = none
		[plain]
		hosts = good.example
		ports = $PORT
		protocol = http
		http_deny = * /secret/**
	INI
	sandboxed curl -sS --max-time 10 "http://good.example:$PORT/x"
	expect "$T/out" "hello in the clear"
	sandboxed curl -sS --max-time 10 -w '%{http_code}' "http://good.example:$PORT/secret/x"
	expect "$T/out" 403
	expect_not "$T/wire" secret
	sandboxed curl -sSv --max-time 10 "http://good.example:$PORT/secret/x" "http://good.example:$PORT/x"
	expect "$T/err" "Re-using existing connection"
	expect "$T/out" "hello in the clear"
}

test_http_rules_of_an_entry_without_tls_hold_under_the_sandbox() { # quick
	need curl
	in_network_with_names "127.0.0.1 good.example" inside_plain_http
}

inside_server_name() {
	start_tls right
	named good.example "$PORT"
	sandboxed curl -sS --max-time 10 --cacert "$CERTS/ca.pem" "https://good.example:$PORT/allowed"
	expect_status 0
	expect "$T/plain" /allowed
	sandboxed curl -sS --max-time 10 --cacert "$CERTS/ca.pem" --connect-to "api.example.com:$PORT:good.example:$PORT" "https://api.example.com:$PORT/fronted"
	[ "$STATUS" != 0 ] || fail "another server's name passed"
	expect "$T/err" "denied tls good.example:$PORT (127.0.0.1): its ClientHello asks for a server name that is none of the entry's hosts: api.example.com"
	expect_not "$T/plain" fronted
	expect_not "$T/plain.handshakes" api.example.com
}

test_a_tls_handshake_that_asks_for_another_server_on_an_allowed_address_never_reaches_it() { # quick
	need curl
	in_network_with_names "127.0.0.1 good.example" inside_server_name
}

inside_no_tls() {
	start_recorder
	named good.example "$PORT" "protocol = tls"
	sandboxed python3 -c '
import socket, sys
s = socket.create_connection(("good.example", int(sys.argv[1])), 5)
s.sendall(b"GET /secret HTTP/1.0\r\n\r\n")
sys.exit(1 if s.recv(10) else 0)' "$PORT"
	[ "$STATUS" != 0 ] || fail "the connection ended as if all were well"
	wire_is_silent
	expect "$T/err" "what is no TLS needs protocol = tcp"
}

test_plaintext_on_a_passthrough_entry_never_leaves_the_sandbox() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_no_tls
}

inside_tls_on_origination() {
	start_tls right
	originating api.example.com "$PORT"
	sandboxed curl -sS --max-time 10 -k https://api.example.com:80/x
	[ "$STATUS" != 0 ] || fail "TLS inside TLS passed"
	expect "$T/err" 'its entry says `tls = originate`'
}

test_tls_of_the_program_itself_on_an_origination_entry_is_an_error_that_says_so() {
	need curl
	in_network_with_names "203.0.113.9 api.example.com" inside_tls_on_origination
}

inside_half_close() {
	start_relay_server greet
	named good.example "$PORT"
	sandboxed python3 -c '
import socket, sys
port = int(sys.argv[1])
s = socket.create_connection(("good.example", port), 5)
assert s.recv(100) == b"220 welcome\r\n"
assert s.getpeername() == ("127.0.0.1", port), s.getpeername()
s.sendall(b"x" * 300000)
s.shutdown(socket.SHUT_WR)
assert s.recv(100) == b"300000"
assert s.recv(100) == b""' "$PORT"
	expect_status 0
}

test_a_server_that_speaks_first_and_a_half_closed_connection_work_through_the_relay() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_half_close
	equal "$(jq -c 'select(.event == "close") | [.layer, .host, .entry, .protocol, .bytes_received, .bytes_sent]' "$T/log")" \
		'["relay","good.example","named","tcp",300000,19]'
	status "$EGRET" report "$T/log"
	expect "$T/out" "300000"
}

inside_refused() {
	free_port
	named good.example "$PORT"
	sandboxed python3 -c '
import errno, socket, sys
s = socket.socket()
assert s.connect_ex(("good.example", int(sys.argv[1]))) == errno.ECONNREFUSED
s = socket.socket()
s.setblocking(False)
assert s.connect_ex(("good.example", int(sys.argv[1]))) == errno.EINPROGRESS
s.setblocking(True)
try: sys.exit(1 if s.recv(1) == b"" else 2)
except ConnectionResetError: pass' "$PORT"
	expect_status 0
}

test_a_blocking_connect_through_the_relay_returns_what_the_server_said() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_refused
}

inside_verification_failed() {
	start_tls wrong
	originating api.example.com "$PORT"
	sandboxed python3 -c '
import errno, socket
s = socket.socket()
assert s.connect_ex(("api.example.com", 80)) == errno.EACCES'
	expect_status 0
	expect "$T/log" '"layer":"relay"'
	[ ! -s "$T/plain" ] || fail "the server was told something"
}

test_a_blocking_connect_to_a_server_that_fails_verification_is_eacces_under_the_sandbox() {
	in_network_with_names "203.0.113.9 api.example.com" inside_verification_failed
}

inside_many() {
	start_relay_server echo
	named good.example "$PORT"
	ulimit -n 8192
	sandboxed python3 -c '
import socket, sys
many = [socket.create_connection(("good.example", int(sys.argv[1])), 30) for _ in range(1200)]
for n, s in enumerate(many): s.sendall(b"%5d" % n * 400)
for n, s in enumerate(many):
    got = b""
    while len(got) < 2000: got += s.recv(4096)
    assert got == b"%5d" % n * 400
    s.shutdown(socket.SHUT_WR)
for s in many: assert s.recv(1) == b""' "$PORT"
	expect_status 0
}

test_more_than_a_thousand_connections_pass_the_relay_at_once() { # limit=120
	in_network_with_names "127.0.0.1 good.example" inside_many
}

# The supervisor is the parent of the command; its threads' switches tell whether anything runs.
inside_idle() {
	start_relay_server echo
	named good.example "$PORT"
	sandboxed python3 -c '
import glob, os, re, socket, sys, time
def switches():
    total = 0
    for path in glob.glob("/proc/%d/task/*/status" % os.getppid()):
        total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", open(path).read())))
    return total
many = [socket.create_connection(("good.example", int(sys.argv[1])), 30) for _ in range(20)]
many[0].shutdown(socket.SHUT_WR)
for s in many[1:]: s.sendall(b"x")
for s in many[1:]: s.recv(1)
time.sleep(0.5)
before = switches()
time.sleep(1.5)
sys.exit(0 if switches() - before < 40 else 1)' "$PORT"
	expect_status 0
}

test_idle_connections_of_the_relay_cost_no_processor_time() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_idle
}

inside_back_pressure() {
	start_relay_server slow
	named good.example "$PORT"
	sandboxed python3 -c '
import os, socket, sys, time
def resident():
    return int(open("/proc/%d/statm" % os.getppid()).read().split()[1]) * 4096
s = socket.create_connection(("good.example", int(sys.argv[1])), 30)
s.setblocking(False)
sent, still, before = 0, 0, resident()
while still < 10:
    try: sent += s.send(b"z" * 65536); still = 0
    except BlockingIOError: still += 1; time.sleep(0.05)
assert sent < 64 << 20, sent
assert resident() - before < 16 << 20
open(sys.argv[2], "w").close()
s.setblocking(True)
s.shutdown(socket.SHUT_WR)
assert int(s.recv(100)) == sent' "$PORT" "$T/relay.port.go"
	expect_status 0
}

test_a_server_that_does_not_read_stops_the_program_and_not_the_relay() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_back_pressure
}

# Whoever knows the relay's port gains nothing: it takes nobody whose connect the supervisor did not judge.
inside_strangers() {
	start_recorder
	policy <<-INI
		[named]
		hosts = good.example
		ports = $PORT
		addresses = 127.0.0.1
	INI
	cat >"$T/stranger.py" <<-'PYTHON'
		import os, socket, sys, time
		recorder, others = int(sys.argv[1]), 0
		def listening():
		    for line in open("/proc/net/tcp").read().splitlines()[1:]:
		        local, state = line.split()[1], line.split()[3]
		        if state == "0A" and local.startswith("0100007F"): yield int(local.split(":")[1], 16)
		for port in set(listening()) - {recorder}:
		    s = socket.create_connection(("127.0.0.1", port), 5)
		    s.settimeout(20)
		    try:
		        s.sendall(b"GET /stranger HTTP/1.0\r\n\r\n")
		        assert s.recv(100) == b"", "an answer"
		    except ConnectionError: pass
		    others += 1
		print("dropped" if others >= 2 else "no relay and resolver found")
	PYTHON
	sandboxed bash -c '
		exec 3<>"/dev/tcp/good.example/$1"
		python3 "$2" "$1"
		: >"$2.go"; while [ ! -e "$2.seen" ]; do sleep 0.05; done' - "$PORT" "$T/stranger.py" &
	wait_for 50 test -e "$T/stranger.py.go"
	python3 "$T/stranger.py" "$PORT" >"$T/outside" || fail "from outside"
	: >"$T/stranger.py.seen"
	wait $!
	equal "$(cat "$T/out" "$T/outside")" "dropped
dropped"
	wire_is_silent
}

test_the_relay_drops_who_was_not_sent_to_it_inside_and_outside_of_the_tree() { # quick limit=90
	in_network_with_names "" inside_strangers
}

inside_program_that_does_not_read() {
	start_relay_server flood
	named good.example "$PORT"
	sandboxed python3 -c '
import os, socket, sys, time
def resident():
    return int(open("/proc/%d/statm" % os.getppid()).read().split()[1]) * 4096
before = resident()
many = [socket.create_connection(("good.example", int(sys.argv[1])), 30) for _ in range(20)]
stalled = 0
while stalled < 10: # the server tells how much it could send, in all
    sent = os.stat(sys.argv[2]).st_size
    time.sleep(0.1)
    stalled = stalled + 1 if os.stat(sys.argv[2]).st_size == sent else 0
assert resident() - before < 48 << 20, resident() - before
for s in many:
    total = 0
    while data := s.recv(1 << 20): total += len(data)
    assert total == 24 << 20, total' "$PORT" "$T/relay.port.sent"
	expect_status 0
}

test_a_program_that_does_not_read_stops_the_server_and_not_the_relay() { # quick limit=120
	in_network_with_names "127.0.0.1 good.example" inside_program_that_does_not_read
}

inside_server_ends_first() {
	start_relay_server parting
	named good.example "$PORT"
	sandboxed python3 -c '
import socket, sys
s = socket.create_connection(("good.example", int(sys.argv[1])), 5)
assert s.recv(100) == b"no more" and s.recv(100) == b""
s.sendall(b"y" * 500000)
s.shutdown(socket.SHUT_WR)
s.close()' "$PORT"
	expect_status 0
	wait_for 10 grep -qx 500000 "$T/relay.port.got"
}

test_a_server_that_ends_first_still_hears_all_that_the_program_says() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_server_ends_first
}

# One after the other, each a process of its own: by name, so that each goes through the relay.
inside_thousands() {
	start_relay_server echo
	named good.example "$PORT"
	static_program crowd
	sandboxed "$T/crowd" 127.0.0.1 "$PORT" 2000
	expect_status 0
	equal "$(cat "$T/out")" "2000 succeeded, 0 denied"
	expect "$T/log" '"host":"good.example"'
}

test_thousands_of_short_connections_pass_the_relay() { # quick limit=150
	in_network_with_names "127.0.0.1 good.example" inside_thousands
}

inside_killed() {
	start_http plain
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[plain]
		hosts = good.example
		ports = $PORT
		protocol = http
	INI
	sandboxed python3 -c '
import os, socket, sys
s = socket.create_connection(("good.example", int(sys.argv[1])), 20)
s.sendall(f"GET /big-90000000 HTTP/1.1\r\nHost: good.example:{sys.argv[1]}\r\n\r\n".encode())
s.recv(1000)
os.kill(os.getpid(), 9)' "$PORT"
	wait_for 10 grep -q '"path":"/big-90000000"' "$T/log"
	logged '.path == "/big-90000000" and .status == 200 and .flags == "DC" and .layer == "relay"'
	equal "$(jq -r 'select(.layer == "relay") | .event' "$T/log" | tail -n 2 | tr '\n' ' ')" "http close "
}

test_the_relay_logs_the_requests_of_a_program_that_is_killed() {
	in_network_with_names "127.0.0.1 good.example" inside_killed
}

inside_unreadable() {
	start_http tls
	governing tls
	sandboxed curl -sS --max-time 20 http://www.googleapis.com/ok/lf
	expect "$T/out" "hello GET"
	sandboxed curl -sS --max-time 20 http://www.googleapis.com/ok/icy
	[ "$STATUS" != 0 ] || fail "it passed"
	expect "$T/err" "egret: http to www.googleapis.com:80: the server's response cannot be read: Expected HTTP/; http_allow and http_deny need"
	logged '.path == "/ok/icy" and .flags == "UPE" and .layer == "relay" and (.error | contains("cannot be read"))'
}

test_the_relay_tells_of_a_response_that_cannot_be_read() {
	in_network_with_names "127.0.0.1 www.googleapis.com" inside_unreadable
}

# A proxy that the policy allows leads on wherever it is asked to, unless its entry's rules say which methods pass.
inside_proxy() {
	start_recorder $'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
	named proxy.example "$PORT" "$(printf 'protocol = http\nhttp_allow = GET /**')"
	sandboxed curl -sS --max-time 10 -x "http://proxy.example:$PORT" -p http://evil.example:80/
	[ "$STATUS" != 0 ] || fail "the proxy was asked to lead on"
	expect "$T/log" '"method":"CONNECT"'
	expect "$T/err" "denied http CONNECT evil.example:80 to proxy.example:$PORT"
	wire_is_silent
}

test_an_allowed_proxy_is_not_asked_to_connect_elsewhere_where_rules_name_methods() { # quick
	need curl
	in_network_with_names "127.0.0.1 proxy.example" inside_proxy
}

inside_unverified() {
	start_tls right
	certificates
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[server]
		hosts = good.example
		ports = 80
		tls = originate
		connect_port = $PORT
		tls_ca_file = $CERTS/other-ca.pem
	INI
	for layer in off require; do
		status "$EGRET" run "--sandbox=$layer" -- python3 -c 'import socket
try: socket.create_connection(("good.example", 80))
except OSError: pass'
		grep '^egret: entry' "$T/err" >"$T/$layer"
	done
	expect "$T/off" "egret: entry [server] ($T/egret.ini:4): TLS to good.example (127.0.0.1:$PORT) failed: expected a certificate of good.example"
	diff "$T/off" "$T/require" >&2 || fail "the relay tells it differently"
	echo "tls_verify = none" >>"$T/egret.ini"
	sandboxed python3 -c 'import socket; socket.create_connection(("good.example", 80))'
	expect_status 0
	expect "$T/err" "egret: entry [server] ($T/egret.ini:4): the certificate of good.example was not verified: tls_verify = none"
	expect "$T/log" '"server_name":"good.example"'
}

test_the_relay_warns_of_an_unverified_certificate_and_tells_failures_as_the_library_does() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_unverified
}
