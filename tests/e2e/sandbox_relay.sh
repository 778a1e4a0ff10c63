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
	expect "$T/err" "denied http api.example.com:80"
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
	expect "$T/err" "denied tls api.example.com:$PORT"
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
	expect "$T/err" "this is no TLS"
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
