# protocol = http: what the rules let pass, what is answered here, what the log says. Over TLS and in the clear.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# denied_request tls|plain
denied_request() {
	served "$1"
	equal "$(get "$URL/ok/1")" "hello GET"
	status get -w '%{http_code}' "$URL/admin?q=secret"
	expect_status 0
	expect "$T/out" "egret: entry api ($T/egret.ini:4) denies this request: no rule of http_allow covers it"
	expect "$T/out" 403
	expect "$T/err" "egret: denied http GET /admin?q=secret to www.googleapis.com:80: no rule of http_allow covers it (entry [api], $T/egret.ini:4)"
	status get -w '%{http_code}' "$URL/ok/secret/1"
	expect "$T/out" "a rule of http_deny covers it: * /ok/secret/**"
	asked "GET /ok/1 0"
	logged '.verdict == "deny" and .status == 403 and .reason == "http_no_rule" and .path == "/admin?q=secret" and .entry == "api"' \
		'.verdict == "deny" and .reason == "http_deny_rule" and .rule == "* /ok/secret/**"' '.verdict == "allow" and .path == "/ok/1" and .status == 200'
}

test_a_denied_request_is_answered_here_and_never_reaches_the_server() { # quick
	denied_request tls
}

test_a_denied_request_in_the_clear_is_answered_here_and_never_reaches_the_server() { # quick
	denied_request plain
}

# byte_by_byte tls|plain
byte_by_byte() {
	served "$1"
	raw <<-'PY'
		for byte in ok + no + ok:
		    s.sendall(bytes([byte]))
		sys.stdout.buffer.write(end(s))
	PY
	asked "GET /ok/1 0" "GET /ok/1 0"
	equal "$(statuses)" "200 403 200 "
}

test_requests_that_are_written_byte_by_byte_are_judged_before_their_first_byte_leaves() { # quick
	byte_by_byte tls
}

test_requests_in_the_clear_that_are_written_byte_by_byte_are_judged_before_their_first_byte_leaves() {
	byte_by_byte plain
}

# in_order tls|plain: pipelined, the denied one is answered behind the ones before it.
in_order() {
	served "$1"
	raw <<-'PY'
		s.sendall(head("/ok/slow") + head("/ok/chunked") + no + ok)
		s.sendall(ok)
		sys.stdout.buffer.write(end(s))
	PY
	asked "GET /ok/slow 0" "GET /ok/chunked 0" "GET /ok/1 0" "GET /ok/1 0"
	equal "$(statuses)" "200 200 403 200 200 "
}

test_a_denied_request_behind_others_is_answered_in_its_turn() { # quick
	in_order tls
}

test_a_denied_request_in_the_clear_behind_others_is_answered_in_its_turn() {
	in_order plain
}

# wakes tls|plain: every kind of poller is told of the answer, at once and behind a response.
wakes() {
	served "$1"
	local how before
	for how in poll select epoll edge blocked; do
		for before in 0 1; do
			EGRET_HOW=$how EGRET_BEFORE=$before raw <<-'PY'
				import threading
				how, before = os.environ["EGRET_HOW"], int(os.environ["EGRET_BEFORE"])
				data = b""
				s.setblocking(how == "blocked")
				if how == "epoll" or how == "edge":
				    e = select.epoll()
				    e.register(s, select.EPOLLIN | (select.EPOLLET if how == "edge" else 0))
				    wait = lambda: e.poll(20)
				elif how == "poll":
				    p = select.poll()
				    p.register(s, select.POLLIN)
				    wait = lambda: p.poll(20000)
				elif how == "select":
				    wait = lambda: select.select([s], [], [], 20)[0]
				else:
				    wait = lambda: True
				later = threading.Timer(0.2, lambda: s.sendall(head("/ok/slow") * before + no))
				later.start()
				while b"denies this request" not in data:
				    assert wait(), "not woken"
				    try:
				        while part := s.recv(17):
				            data += part
				            if how == "blocked" and b"denies this request" in data:
				                break
				    except BlockingIOError:
				        pass
				assert data.count(b"HTTP/1.1") == 1 + before, data
				later.join()
				if how in ("epoll", "edge"): # who waits in epoll is woken without the connection's end
				    assert b"Connection: close" not in data, data
				    s.setblocking(True)
				    s.sendall(ok)
				    assert b" 200 OK" in s.recv(65536)
			PY
		done
	done
}

test_every_poller_is_woken_by_an_answer_that_is_given_here() {
	wakes tls
}

test_every_poller_in_the_clear_is_woken_by_an_answer_that_is_given_here() {
	wakes plain
}

# every_shape tls|plain: bodies both ways, whatever tells their length; the log counts them.
every_shape() {
	served "$1"
	equal "$(get "$URL/ok/chunked" "$URL/ok/none" -X GET)" "hello!"
	equal "$(get "$URL/ok/eof")" "hello GET"
	equal "$(get "$URL/ok/flood" "$URL/ok/slow")" "hello GEThello GET"
	get -I "$URL/ok/2" >"$T/out"
	head -c 300000 /dev/zero >"$T/body"
	equal "$(get -H 'Transfer-Encoding: chunked' -T "$T/body" "$URL/ok/3")" "hello PUT"
	equal "$(get -H 'Expect: 100-continue' --data-binary "@$T/body" "$URL/ok/4")" "hello POST"
	get "$URL/ok/big-3000000" | wc -c >"$T/out"
	equal "$(cat "$T/out")" 3000000
	asked "GET /ok/chunked 0" "GET /ok/none 0" "GET /ok/eof 0" "GET /ok/flood 0" "GET /ok/slow 0" "HEAD /ok/2 0" "PUT /ok/3 300000" "POST /ok/4 300000" \
		"GET /ok/big-3000000 0"
	logged '.path == "/ok/chunked" and .bytes_sent == 6' '.path == "/ok/none" and .status == 204' '.path == "/ok/eof" and .bytes_sent == 9' \
		'.path == "/ok/flood" and .status == 200 and .bytes_sent == 9' '.method == "HEAD" and .bytes_sent == 0' '.path == "/ok/3" and .bytes_received == 300000' \
		'.path == "/ok/4" and .bytes_received == 300000' '.path == "/ok/big-3000000" and .bytes_sent == 3000000'
	equal "$(grep -c '"event":"http"' "$T/log")" 9
}

test_bodies_of_every_shape_pass_and_are_counted() { # quick
	every_shape tls
}

test_bodies_of_every_shape_pass_in_the_clear_and_are_counted() {
	every_shape plain
}

test_a_body_that_is_cut_off_is_econnreset_and_the_log_names_the_key() {
	served tls
	status get "$URL/ok/cut"
	expect_status 56
	status get "$URL/ok/cut-eof"
	expect_status 56
	logged '.path == "/ok/cut" and .flags == "UC" and (.error | contains("tls_truncation"))' '.path == "/ok/cut-eof" and .flags == "UC"'
	governing tls "tls_truncation = eof"
	equal "$(get "$URL/ok/cut-eof")" "hello GET"
}

test_an_end_without_close_notify_between_responses_is_an_end() {
	served tls
	status get "$URL/ok/gone"
	expect_status 52
	expect "$T/err" "Empty reply"
	logged '.path == "/ok/gone" and .flags == "UC"'
}

test_what_the_server_sends_unasked_breaks_the_connection_where_rules_hold() {
	served tls
	raw <<-'PY'
		s.sendall(head("/ok/extra"))
		try:
		    print(rest(s))
		except ConnectionResetError:
		    print("ECONNRESET")
	PY
	expect "$T/out" ECONNRESET
	expect_not "$T/out" extra
}

test_a_server_whose_fields_end_in_lf_alone_is_understood_as_clients_understand_it() { # quick
	served tls
	equal "$(get "$URL/ok/lf" "$URL/ok/1" "$URL/ok/lf" "$URL/no" "$URL/ok/2" | grep -o 'hello GET' | wc -l)" 4
	logged '.path == "/ok/lf" and .status == 200 and .bytes_sent == 9 and .flags == null' '.path == "/ok/2" and .status == 200' '.path == "/no" and .status == 403'
}

test_a_response_that_cannot_be_read_is_told_with_what_to_do() {
	local sentence="the server's response cannot be read: Expected HTTP/; http_allow and http_deny need responses that can be told apart: mend the server, or give it an entry without them"
	served tls
	status get --http0.9 "$URL/ok/icy"
	expect_status 56
	expect "$T/err" "egret: http to www.googleapis.com:80: $sentence (entry [api], $T/egret.ini:4)"
	logged ".path == \"/ok/icy\" and .flags == \"UPE\" and .error == \"$sentence\""
	sed -i 's/^log = .*/log = none/' "$T/egret.ini"
	status get --http0.9 "$URL/ok/icy"
	expect "$T/err" "$sentence"
	governing tls ""
	equal "$(get --http0.9 "$URL/ok/icy" | tail -n 1)" "hello GET"
	logged '.path == "/ok/icy" and .flags == "UPE" and (.error | endswith("nothing that follows on the connection is told apart"))'
	governing tls $'mode = audit\nhttp_allow = GET /none'
	equal "$(get --http0.9 "$URL/ok/icy" | tail -n 1)" "hello GET"
}

test_half_a_head_is_never_sent_and_logged_when_the_program_ends_its_writing() {
	served plain
	raw <<-'PY'
		s.sendall(ok + b"GET /ok/2 HTTP/1.1\r\nHost: www.goog")
		print(end(s))
	PY
	asked "GET /ok/1 0"
	logged '.path == "/ok/2" and .verdict == "deny" and .flags == "DC" and .reason == "http_incomplete"' '.path == "/ok/1" and .status == 200'
}

test_a_program_that_just_ends_leaves_a_line_for_each_request() {
	served tls
	raw <<-'PY'
		s.sendall(head("/ok/slow"))
	PY
	raw <<-'PY'
		s.sendall(head("/ok/big-90000000"))
		s.recv(100)
	PY
	logged '.path == "/ok/slow" and .flags == "DC"' '.path == "/ok/big-90000000" and .flags == "DC" and .status == 200'
	equal "$(grep -c '"event":"close"' "$T/log")" 2
}

test_a_forked_child_that_closes_its_copy_ends_nothing_and_logs_nothing() {
	served tls
	raw <<-'PY'
		s.sendall(head("/ok/slow"))
		if os.fork() == 0:
		    s.close()
		    sys.exit(0)
		os.wait()
		print(end(s))
	PY
	expect "$T/out" "hello GET"
	equal "$(grep -c '"event":"http"' "$T/log")" 1
	logged '.status == 200 and .flags == null'
}

test_two_processes_do_not_cut_a_request_out_of_each_others_bytes() {
	served plain
	raw <<-'PY'
		inner = b"GET /no HTTP/1.0\r\nX: " + b"x" * (len(ok) - 25) + b"\r\n\r\n"
		s.sendall(head("/ok/first"))
		assert b"hello" in s.recv(65536)
		begun, filled = os.pipe(), os.pipe()
		if os.fork() == 0: # its body is what the parent sends; what it sends itself would be a request then
		    s.sendall(head("/ok/up", f"Content-Length: {len(ok)}\r\n", "POST"))
		    os.write(begun[1], b"x")
		    os.read(filled[0], 1)
		    s.sendall(inner)
		    os._exit(0)
		os.read(begun[0], 1)
		try:
		    s.sendall(ok)
		except OSError as e:
		    print("refused", e.errno)
		os.write(filled[1], b"x")
		os.wait()
	PY
	expect "$T/out" "refused 5"
	expect "$T/err" "HTTP that is judged cannot be shared by two processes"
	wait_for 10 grep -q /ok/up "$T/asked"
	expect_not "$T/asked" "/no"
}

test_rules_and_log_move_to_a_relay_with_the_connection() {
	served tls
	raw <<-'PY'
		os.dup2(s.fileno(), 1)
		os.write(1, ok[:20])
		os.write(1, ok[20:] + no + ok)
		os.write(2, end(s))
	PY
	equal "$(statuses "$T/err")" "200 403 200 "
	asked "GET /ok/1 0" "GET /ok/1 0"
	wait_for 10 grep -q '"event":"close"' "$T/log"
	logged '.path == "/ok/1" and .status == 200' '.path == "/no" and .status == 403'
}

test_a_connection_in_the_clear_that_rules_govern_lands_on_no_standard_stream() {
	served plain
	raw <<-'PY'
		try:
		    os.dup2(s.fileno(), 1)
		except OSError as e:
		    print(e.errno)
	PY
	equal "$(cat "$T/out")" 1
	asked
}

test_a_request_for_a_host_that_is_not_the_entrys_is_refused() {
	served tls
	local host
	for host in evil.example www.googleapis.com:8080 www.googleapis.com.evil.example 127.0.0.1; do
		get -H "Host: $host" "$URL/ok/1" >"$T/out"
		expect "$T/out" "it names a host that is not the entry's"
	done
	for host in WWW.GoogleAPIs.com www.googleapis.com:80 www.googleapis.com.; do
		equal "$(get -H "Host: $host" "$URL/ok/1")" "hello GET"
	done
	raw <<-'PY'
		s.sendall(b"GET http://evil.example/ok/1 HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n")
		print(end(s))
	PY
	expect "$T/out" "it names a host that is not"
	asked "GET /ok/1 0" "GET /ok/1 0" "GET /ok/1 0"
}

test_a_path_that_normalisation_would_change_is_refused_where_rules_exist() {
	served tls
	local path
	for path in /ok/../admin /ok//x /ok/%2e%2e/admin /ok/a%2fb '/ok/a;b' '/ok/a\b' /ok/./x; do
		get --path-as-is "$URL$path" >"$T/out"
		expect "$T/out" "servers may read its path in more than one way"
	done
	asked
	governing tls ""
	equal "$(get --path-as-is "$URL/ok//x")" "hello GET"
}

test_upgrades_to_h2c_are_refused() {
	served tls ""
	get --http2 "$URL/ok/1" >"$T/out"
	expect "$T/out" "an upgrade to h2c"
	asked
}

test_audit_lets_pass_and_says_what_it_would_have_denied() {
	served tls "http_allow = GET /ok/**
mode = audit"
	equal "$(get "$URL/admin")" "hello GET"
	asked "GET /admin 0"
	logged '.path == "/admin" and .verdict == "allow" and .audited == true and .reason == "http_no_rule" and .status == 200'
}

test_a_log_in_the_meshs_form_has_a_line_for_each_request() {
	served tls
	sed -i 's/^log = .*/&\nlog_format = envoy/' "$T/egret.ini"
	get -A Ruby -H 'x-request-id: 42"x' -d q=1 "$URL/ok/1?q=1" >"$T/out"
	get "$URL/no" >"$T/out"
	grep -qE '^\[20[-0-9T:.]+Z\] "POST /ok/1\?q=1 HTTP/1\.1" 200 - 3 10 [0-9]+ [0-9]+ "-" "Ruby" "42.x" "www\.googleapis\.com" "127\.0\.0\.1:'"$PORT"'"$' "$T/log" ||
		fail "$(cat "$T/log")"
	grep -qE '"GET /no HTTP/1\.1" 403 - 0 [0-9]+ [0-9]+ - "-" "curl/[^"]+" "-" "www\.googleapis\.com"' "$T/log" || fail "$(cat "$T/log")"
}

# What is left unread when a program ends makes TCP reset, not end: it is so in the clear, with and without egret.
test_an_exit_with_unread_bytes_in_the_clear_resets_as_tcp_does() {
	need_library
	cat >"$T/server.py" <<-'PY'
		import socket, sys
		server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
		for _ in range(2):
		    s = server.accept()[0]
		    s.recv(1000)
		    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
		    try:
		        print("end" if s.recv(1) == b"" else "bytes", flush=True)
		    except ConnectionResetError:
		        print("reset", flush=True)
	PY
	cat >"$T/program.py" <<-'PY'
		import select, socket, sys
		s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
		s.sendall(b"GET /ok/1 HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n")
		select.select([s], [], [], 20)
		s.detach()
	PY
	free_port
	python3 "$T/server.py" "$PORT" >"$T/ends" &
	wait_for 10 listens
	python3 "$T/program.py" 127.0.0.1 "$PORT"
	governing plain
	covered python3 "$T/program.py" www.googleapis.com 80
	wait_for 10 two_ends
	equal "$(sort -u "$T/ends")" reset
}

listens() { [ -n "$(ss -Hltn "sport = :$PORT")" ]; }
two_ends() { [ "$(wc -l <"$T/ends")" = 2 ]; }
