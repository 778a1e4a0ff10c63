# The log's flags are the mesh's; a line for each request, and for each connection that came to nothing before there was one.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# lines FORMAT: the log is in that form from now on.
lines() {
	sed -i "s|^log = .*|log = $T/log\nlog_format = $1|" "$T/egret.ini"
	: >"$T/log"
}

# event FILTER: some line fits.
event() {
	[ "$(jq -s "[.[] | select($1)] | length" "$T/log")" != 0 ] || fail "not logged: $1 in $(cat "$T/log")"
}

test_a_server_that_nobody_reaches_is_flagged_uf() { # quick
	local how
	need_library
	for how in tls plain; do
		free_port
		governing $how
		status get "$URL/ok/1"
		[ "$STATUS" != 0 ] || fail "it was reached"
		event '.event == "connect" and .flags == "UF" and .host == "www.googleapis.com" and (.error | contains("Connection refused"))'
	done
	governing plain
	: >"$T/log"
	raw_connects
	event '.event == "connect" and .flags == "UF" and (.error | contains("Connection refused"))'
	lines envoy
	raw_connects
	grep -qE '"- - -" 0 UF 0 0 - - "-" "-" "-" "www\.googleapis\.com:80" "127\.0\.0\.1:'"$PORT"'"$' "$T/log" || fail "$(cat "$T/log")"
}

# unmade PATTERN WAY...: each leaves exactly one line that says so, flagged UF, and none of a connection that was closed.
unmade() {
	local pattern=$1 how way
	shift
	for how in plain tls; do
		governing $how
		for way; do
			: >"$T/log"
			# shellcheck disable=SC2086
			covered python3 "$ROOT/tests/lib/connecting.py" $way >"$T/out" 2>"$T/err" || fail "$how $way: $(cat "$T/err")"
			event '.event == "connect" and .flags == "UF" and .host == "www.googleapis.com" and (.error | test("'"$pattern"'"))'
			equal "$how $way $(jq -s '[.[] | select(.flags == "UF" or .event == "close")] | length' "$T/log")" "$how $way 1"
		done
	done
}

test_a_connect_that_does_not_wait_and_is_refused_is_flagged_uf() { # quick
	need_library
	free_port
	unmade "www.googleapis.com .127.0.0.1:$PORT. failed: Connection refused" poll epoll recv send again close exit dup2
	governing plain
	lines envoy
	covered python3 "$ROOT/tests/lib/connecting.py" epoll >"$T/out"
	grep -qE '"- - -" 0 UF 0 0 - - "-" "-" "-" "www\.googleapis\.com:80" "127\.0\.0\.1:'"$PORT"'"$' "$T/log" || fail "$(cat "$T/log")"
}

test_a_server_that_does_not_answer_a_connect_is_flagged_uf() {
	need_library
	python3 "$ROOT/tests/lib/unanswering.py" "$T/port" &
	announced "$T/port"
	unmade "failed: Connection timed out" poll epoll
	unmade "failed: the program gave it up after [0-9]+ ms" "close given-up" "exit given-up" "dup2 given-up"
}

# A connect that waits, of a socket without a time-out.
raw_connects() {
	covered python3 -c '
import socket
s = socket.socket()
try:
    s.connect(socket.getaddrinfo("www.googleapis.com", 80, socket.AF_INET)[0][4])
except ConnectionRefusedError:
    print("refused")' >"$T/out"
	expect "$T/out" refused
}

test_a_server_that_speaks_no_tls_is_flagged_uf() {
	need_library
	start_plain_http
	governing tls
	status get "$URL/ok/1"
	event '.event == "tls" and .flags == "UF" and .error != null'
}

test_what_no_entry_names_is_flagged_nr_and_a_deny_entry_is_not() { # quick
	served tls
	printf '[bad]\nhosts = bad.example\naction = deny\n' >>"$T/egret.ini"
	status get http://unnamed.example/ http://192.0.2.1/ http://bad.example/
	event '.event == "dns" and .host == "unnamed.example" and .flags == "NR" and .verdict == "deny"'
	event '.event == "connect" and .address == "192.0.2.1:80" and .flags == "NR"'
	event '.host == "bad.example" and .verdict == "deny" and .flags == null'
	lines envoy
	status get http://192.0.2.1/
	grep -qE '"- - -" 0 NR 0 0 - - "-" "-" "-" "-" "-"$' "$T/log" || fail "$(cat "$T/log")"
}

test_how_a_request_ended_is_flagged_as_in_the_mesh() {
	served tls
	status get "$URL/ok/gone"
	status get "$URL/ok/unasked" "$URL/ok/1"
	raw <<-'PY'
		s.sendall(head("/ok/slow"))
		s.close()
		s = socket.create_connection(("www.googleapis.com", 80), 20)
		s.sendall(b"GET /broken\r\n\r\n")
		rest(s)
		s = socket.create_connection(("www.googleapis.com", 80), 20)
		try:
		    for turn in range(1100):
		        s.sendall(head(f"/ok/{turn}"))
		    assert False, "no limit"
		except BrokenPipeError:
		    pass
	PY
	logged '.path == "/ok/gone" and .flags == "UC"' '.path == "/ok/slow" and .flags == "DC"' '.status == 400 and .flags == "DPE"' \
		'.flags == "UO" and .verdict == "deny"' '.path == "/ok/unasked" and .status == 200'
}

test_a_line_of_a_request_says_what_the_tls_was() { # quick
	served tls
	get "$URL/ok/1" >"$T/out"
	logged '.version == "TLSv1.3" and (.cipher | startswith("TLS_")) and .path == "/ok/1"'
	"$EGRET" report --format=json "$T/log" >"$T/report"
	equal "$(jq '[.tls[].count] | add' "$T/report")" 1
}

test_a_program_that_is_killed_leaves_the_lines_that_were_due_before() {
	served tls
	covered python3 -c '
import os, socket
s = socket.create_connection(("www.googleapis.com", 80), 20)
for path in "/ok/1", "/ok/big-90000000":
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n".encode())
    s.recv(1000)
os.kill(os.getpid(), 9)' || true
	logged '.path == "/ok/1" and .status == 200'
	equal "$(jq -s '[.[] | select(.event == "http")] | length' "$T/log")" 1
}
