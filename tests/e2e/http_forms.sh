# Requests and responses of every form: what is HTTP passes as it is, what servers could read in two ways does not.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

test_responses_without_a_body_and_of_old_servers_pass() { # quick
	served tls
	raw <<-'PY'
		def ask(data): # a connection of its own, to its end
		    s = socket.create_connection(("www.googleapis.com", 80), 20)
		    s.sendall(data)
		    return rest(s)
		s.sendall(head("/ok/unmodified") + head("/ok/1", method="HEAD") + head("/ok/none") + ok)
		got = end(s)
		assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"304", b"200", b"204", b"200"] and got.endswith(b"hello GET"), got
		assert ask(head("/ok/old")).endswith(b"\r\n\r\nhello GET")
		assert ask(b"GET /ok/1 HTTP/1.0\r\n\r\n").endswith(b"hello GET")
		got = ask(b"GET /ok/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2 + b"GET /ok/2 HTTP/1.0\r\n\r\n")
		assert got.count(b"hello GET") == 3, got
	PY
	logged '.path == "/ok/unmodified" and .status == 304 and .bytes_sent == 0' '.path == "/ok/old" and .bytes_sent == 9' \
		'.protocol == "HTTP/1.0" and .path == "/ok/2" and .status == 200 and .flags == null'
}

# tunnels PYTHON: asks for CONNECT and an upgrade over connections of their own; prints what came.
tunnels() {
	raw <<-'PY'
		def ask(data, more):
		    s = socket.create_connection(("www.googleapis.com", 80), 20)
		    s.sendall(data)
		    got = s.recv(65536)
		    if b" 200 " in got or b" 101 " in got:
		        s.sendall(more)
		        got += end(s)
		    print(got.decode().replace("\r\n", "|"))
		tunnel = b"GET /no not http at all\n\0"
		ask(b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n", tunnel)
		ask(head("/ok/switch", "Connection: Upgrade\r\nUpgrade: capitals\r\n"), tunnel)
		ask(head("/ok/switch", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: capitals, h2c\r\nHTTP2-Settings: AA\r\n"), tunnel)
	PY
}

test_connect_and_upgrade_pass_where_a_rule_allows_them_and_h2c_never() { # quick
	served tls "http_allow = CONNECT *:443, GET /ok/**"
	tunnels
	equal "$(grep -ac "GET /NO NOT HTTP AT ALL" "$T/out")" 2
	equal "$(statuses)" "200 101 403 "
	expect "$T/out" "an upgrade to h2c would leave the rules behind"
	logged '.method == "CONNECT" and .status == 200' '.status == 101 and .path == "/ok/switch"' '.status == 403 and .reason == "http_h2c"'
	governing tls "http_allow = GET /**"
	tunnels
	equal "$(statuses)" "403 101 403 "
	governing tls ""
	tunnels
	equal "$(statuses)" "403 403 403 "
	expect "$T/out" "CONNECT and Upgrade need a rule that allows them"
}

# forms tls|plain KEYS: each on a connection of its own, in one write and byte by byte. None reaches the server.
forms() {
	served "$@"
	raw <<-'PY'
		host = b"Host: www.googleapis.com\r\n"
		def post(fields, body=b""): return b"POST /ok/1 HTTP/1.1\r\n" + host + fields + b"\r\n" + body
		behind = b"GET /ok/behind HTTP/1.1\r\n" + host + b"\r\n"
		forms = [
		    b"GET /ok/1 HTTP/1.1\n" + host + b"\r\n", b"GET /ok/1 HTTP/1.1\r\nHost: www.googleapis.com\n\r\n", ok[:-2] + b"\n", b"\n" + ok, b"\r\n" + ok,
		    b"GET /ok/1 HTTP/1.1\r\n" + host + b"A: b\r\n c: d\r\n\r\n", b"GET /ok/1 HTTP/1.1\r\n" + host + b" A: b\r\n\r\n",
		    b"GET /ok/1 HTTP/1.1\r\n" + host + b"A: b\0c\r\n\r\n", b"GET /ok/\x001 HTTP/1.1\r\n" + host + b"\r\n", b"GET /ok/1 HTTP/1.1\r\n" + host + b"A\0: c\r\n\r\n",
		    b"GET /ok/1 HTTP/1.1\r\n" + host + b"A: b\rc: d\r\n\r\n", b"GET /ok/1 HTTP/1.1\r\n" + host + b"A : b\r\n\r\n", b"GET\t/ok/1 HTTP/1.1\r\n" + host + b"\r\n",
		    b"GET /ok/1 HTTP/1.1 \r\n" + host + b"\r\n", b"GET /ok/1 http/1.1\r\n" + host + b"\r\n", b"GET /ok/1 HTTP/1.10\r\n" + host + b"\r\n", b"GET /ok/1\r\n\r\n",
		    b"GET /ok/1 HTTP/2.0\r\n" + host + b"\r\n", b"get /ok/1 HTTP/1.1\r\n" + host + b"\r\n", b"GET /ok/1 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\x05hello",
		    post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"),
		    post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc"), post(b"Content-Length: 3,3\r\n", b"abc"),
		    post(b"Content-Length: +3\r\n", b"abc"), post(b"Content-Length: 0x3\r\n", b"abc"), post(b"Content-Length: -1\r\n"), post(b"Content-Length: 3 3\r\n", b"abc"),
		    post(b"Content-Length:\r\n"), post(b"Content-Length: 99999999999999999999\r\n"), post(b"Content_Length: 3\r\n", b"abc"), post(b"Content-Length\x0b: 3\r\n", b"abc"),
		    post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), post(b"Transfer-Encoding: chunked, chunked\r\n"), post(b"Transfer-Encoding: identity\r\n"),
		    post(b"Transfer-Encoding: xchunked\r\n"), post(b"Transfer-Encoding: chunked;q=1\r\n"), post(b"Transfer-Encoding: \x0bchunked\r\n"), post(b"Transfer-Encoding: gzip, chunked\r\n"),
		    post(b"Transfer-Encoding:\r\n chunked\r\n"), post(b"Transfer_Encoding: chunked\r\n"), post(b"Transfer-Encoding : chunked\r\n"), post(b"X: y\nTransfer-Encoding: chunked\r\n"),
		    b"POST /ok/1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", head("/ok/1", "Connection: close\r\nHost: www.googleapis.com\r\n"),
		    head("/ok/1", "Connection: close\r\nHost: evil.example\r\n"),
		    head("/ok/1", "A: " + "b" * (1 << 20) + "\r\n"), head("/ok/1", "A: b\r\n" * 10000), head("/ok/" + "x" * 70000),
		]
		for form in forms:
		    for step in (len(form), 1 if len(form) < 1000 else 4096):
		        s = socket.create_connection(("www.googleapis.com", 80), 20)
		        try:
		            for at in range(0, len(form), step):
		                s.sendall(form[at:at + step])
		            s.sendall(behind)
		        except BrokenPipeError:
		            pass
		        got = rest(s)
		        assert got.startswith(b"HTTP/1.1 400 ") or b" 403 " in got[:20], (form[:200], got)
		        assert b"hello" not in got, (form[:200], got)
	PY
	asked
}

test_what_servers_could_read_in_two_ways_never_reaches_one() { # limit=120
	forms tls
}

test_what_servers_could_read_in_two_ways_never_reaches_one_without_rules_either() { # limit=120
	forms plain ""
}

test_chunked_bodies_that_lie_end_the_connection_before_the_lie() {
	served tls
	raw <<-'PY'
		start = head("/ok/1", "Transfer-Encoding: chunked\r\n", "POST")
		for lie in (b"3\r\nabcX", b"3\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n", b"-3\r\n", b"0x3\r\n", b"3;a=\"\n\"\r\nabc\r\n", b"fffffffffffffffff\r\n", b"0\r\nContent-Length: 3\r\n\r\n",
		        b"0\r\nA: b\r\n c\r\n\r\n", b"3;\r\nabc\r\n"):
		    for step in (1, 1000):
		        s = socket.create_connection(("www.googleapis.com", 80), 20)
		        s.sendall(start)
		        try:
		            for at in range(0, len(lie), step):
		                s.sendall(lie[at:at + step])
		            s.sendall(ok)
		        except BrokenPipeError:
		            pass
		        assert b"hello" not in rest(s), lie
	PY
	asked
}

# start_hasty: a server on $PORT that runs a request before its body has come, as most do; what it ran is in $T/ran.
start_hasty() {
	cat >"$T/hasty.py" <<-'PY'
		import http.server, sys
		class Hasty(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"
		    def do_POST(self):
		        open(sys.argv[2], "a").write(f"{self.command} {self.path}\n")
		        self.rfile.read()
		    def log_message(self, *words):
		        pass
		server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hasty)
		open(sys.argv[1], "w").write(str(server.server_port))
		server.serve_forever()
	PY
	python3 "$T/hasty.py" "$T/hasty.port" "$T/ran" &
	announced "$T/hasty.port"
}

test_a_request_that_a_server_ran_is_none_that_the_log_calls_denied() {
	need_library
	start_hasty
	governing plain
	raw <<-'PY'
		for lie in (b"x\r\n", b"3\r\nabcX"):
		    s = socket.create_connection(("www.googleapis.com", 80), 20)
		    s.sendall(head("/ok/1", "Transfer-Encoding: chunked\r\n", "POST"))
		    s.sendall(lie)
		    assert b"HTTP/1.1 400" in rest(s)
	PY
	wait_for 10 grep -qx "POST /ok/1" "$T/ran"
	equal "$(jq -r 'select(.event == "http") | "\(.verdict) \(.method) \(.path) \(.status) \(.flags) \(.reason)"' "$T/log" | sort | uniq -c | sed 's/^ *//')" \
		"2 allow POST /ok/1 null DPE entry
2 deny null null 400 DPE http_malformed"
}

# start_careless: python's own server, which leaves the body of a GET unread and takes it for the next request; what it answered is in $T/careless.
start_careless() {
	python3 -m http.server --help | grep -e --protocol >"$T/usage" || skip "python's http.server speaks HTTP/1.0 alone"
	mkdir -p "$T/www/ok" "$T/www/no"
	echo public >"$T/www/ok/1"
	echo secret >"$T/www/no/1"
	python3 -u -m http.server --protocol HTTP/1.1 --bind 127.0.0.1 --directory "$T/www" 0 >"$T/careless" 2>&1 &
	wait_for 10 grep -q " port [0-9]" "$T/careless"
	PORT=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$T/careless")
}

test_a_server_that_leaves_a_body_unread_is_not_asked_what_is_denied() {
	need_library
	start_careless
	governing plain
	raw <<-'PY'
		for inner in (no, b"\r\n" + no, b" GET\t/no/1\r\n", b"GET http://www.googleapis.com/no/1 HTTP/1.0\r\n\r\n"):
		    for step in (0, 1, 1000):
		        s = socket.create_connection(("www.googleapis.com", 80), 20)
		        data = head("/ok/1", f"Content-Length: {len(inner)}\r\n") + inner
		        try:
		            if not step:
		                s.sendmsg([data[:-len(inner)], inner[:2], inner[2:]])
		            for at in range(0, len(data), step) if step else ():
		                s.sendall(data[at:at + step])
		            assert b"secret" not in end(s), inner
		        except (BrokenPipeError, ConnectionResetError):
		            pass
		s = socket.create_connection(("www.googleapis.com", 80), 20)
		s.sendall(head("/ok/1", "Content-Length: 13\r\nConnection: close\r\n") + b'{"query": {}}')
		assert b"public" in rest(s)
	PY
	expect "$T/careless" "GET /ok/1"
	expect_not "$T/careless" "/no"
	logged '.verdict == "deny" and .reason == "http_body" and .path == null'
}

# big tls|plain: what a program holds more, at its highest, while 512 MiB come down and 128 MiB go up.
big() {
	served "$1"
	raw <<-'PY'
		def held(): return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
		room = bytearray(1 << 16)
		def drain(left):
		    while left > 0:
		        left -= s.recv_into(room)
		s.setblocking(True)
		s.sendall(head("/ok/big-4000000"))
		drain(4000000)
		before = held()
		s.sendall(head("/ok/big-536870912"))
		drain(536870912)
		s.sendall(head("/ok/up", "Transfer-Encoding: chunked\r\n", "POST"))
		part = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
		for turn in range(128):
		    s.sendall(part)
		s.sendall(b"0\r\n\r\n")
		assert b"hello POST" in end(s)
		assert held() - before < 8000, (before, held())
	PY
	logged '.path == "/ok/big-536870912" and .bytes_sent == 536870912' '.path == "/ok/up" and .bytes_received == 134217728'
}

test_bodies_of_any_size_need_no_more_memory() { # limit=180
	big tls
}

test_bodies_of_any_size_in_the_clear_need_no_more_memory() { # limit=180
	big plain
}

# bad_buffers tls|plain: reads into memory that is none are EFAULT, of what the server said and of what is answered here; nothing is lost.
bad_buffers() {
	served "$1"
	raw <<-'PY'
		import ctypes, errno
		libc = ctypes.CDLL(None, use_errno=True)
		bad = ctypes.c_void_p(16)
		def fault(name):
		    select.select([s], [], [])
		    ctypes.set_errno(0)
		    result = libc.recv(s.fileno(), bad, 100, 0), ctypes.get_errno()
		    if result != (-1, errno.EFAULT):
		        sys.exit(f"{name}: {result}")
		s.sendall(ok)
		fault("the server's")
		sys.stdout.buffer.write(s.recv(10)) # some of it: the rest waits
		fault("the rest of the server's")
		s.sendall(no + ok)
		first = b""
		while not first.endswith(b"hello GET"):
		    first += s.recv(1) # no more: what comes next may be there already
		sys.stdout.buffer.write(first)
		fault("the one from here")
		sys.stdout.buffer.write(s.recv(10))
		fault("the rest of the one from here")
		sys.stdout.buffer.write(end(s))
	PY
	asked "GET /ok/1 0" "GET /ok/1 0"
	equal "$(statuses)" "200 403 200 "
}

test_a_read_into_bad_memory_is_efault_and_no_byte_of_a_response_is_lost() { bad_buffers tls; }
test_a_read_into_bad_memory_in_the_clear_is_efault_and_no_byte_of_a_response_is_lost() { bad_buffers plain; }
