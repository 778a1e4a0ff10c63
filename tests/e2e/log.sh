# The log: every line is in the file when the request has ended, however it is rotated and whatever the program does with its descriptors.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# busy PROGRAM: python with `burst()`, which has a hundred requests answered, and `kept()`: the descriptors that mean the log.
busy() {
	need_library
	start_nginx_tls right "keepalive_requests 1000000;"
	governing tls "http_allow = GET /**"
	covered python3 - "$T/log" <<-PY
		import os, resource, socket, sys
		limits = resource.getrlimit(resource.RLIMIT_NOFILE)
		resource.setrlimit(resource.RLIMIT_NOFILE, (max(1024, limits[0]), limits[1]))
		def answers(s, count):
		    got = b""
		    while got.count(b"hello over tls") < count:
		        got += s.recv(65536)
		def connect():
		    return socket.create_connection(("www.googleapis.com", 80))
		asked = 0
		def burst(s):
		    global asked
		    asked += 100
		    s.sendall(b"GET / HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n" * 100)
		    answers(s, 100)
		def kept():
		    found = []
		    for name in os.listdir("/proc/self/fd"):
		        try:
		            if os.readlink("/proc/self/fd/" + name).startswith(sys.argv[1]): found.append(int(name))
		        except OSError: pass
		    return found
		def keep(s):
		    for _ in range(1000):
		        burst(s)
		        if kept(): return kept()[0]
		    sys.exit("a busy log is opened for every line")
		$1
	PY
}

# lines FILE...: how many requests were logged, all of them well formed.
lines() {
	cat "$@" | jq -s '[.[] | select(.event == "http" and .status == 200)] | length'
}

test_every_line_of_a_busy_log_is_in_a_file_while_it_is_rotated() {
	busy "
s = connect()
keep(s)
for i in range(60):
    if i % 3 and os.path.exists(sys.argv[1]): os.rename(sys.argv[1], '%s.%d' % (sys.argv[1], i))
    burst(s)
with open('asked', 'w') as f: print(asked, file=f)"
	equal "$(lines "$T"/log*) $(stat -c %a "$T"/log* | sort -u)" "$(cat asked) 600"
}

test_a_line_of_the_log_goes_where_the_path_leads_a_millisecond_after_it_was_removed() {
	busy "
import time
s = connect()
keep(s)
os.unlink(sys.argv[1])
time.sleep(0.01)
burst(s)"
	equal "$(lines "$T/log")" 100
}

test_a_program_that_takes_the_number_of_a_busy_log_finds_no_line_in_its_file() {
	busy "
s = connect()
number = keep(s)
assert number >= 512, number
mine = os.open('mine', os.O_RDWR | os.O_CREAT)
os.dup2(mine, number)
burst(s)
number = keep(s)
os.close(number)
os.dup2(mine, number)
burst(s)
number = keep(s)
os.closerange(number, number + 1)
burst(s)
child = os.fork()
if child == 0:
    os._exit(3 if kept() else 0)
assert os.waitpid(child, 0)[1] == 0"
	[ ! -s mine ] || fail "the program's file has $(head -c 300 mine)"
}

test_a_log_of_a_few_lines_leaves_no_descriptor_open() { # quick
	busy "
s = connect()
s.sendall(b'GET / HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n')
answers(s, 1)
assert not kept(), kept()"
	equal "$(lines "$T/log")" 1
}

# hostile FORMAT: what programs ask for, and what they are called, forges no line of that form and breaks none.
hostile() {
	local program=$T/$'python\n{"event":"connect","verdict":"deny","host":"evil.example"}'
	served tls "http_allow = * /ok/**"
	sed -i "s/^log = .*/&\nlog_format = $1/" "$T/egret.ini"
	cp "$(readlink -f "$(command -v python3)")" "$program"
	LD_PRELOAD=$EGRET_LIB "$program" "$ROOT/tests/lib/hostile_requests.py" 2>"$T/err"
	python3 "$ROOT/tests/lib/hostile_requests.py" check "$1" "$T/log" || fail "a line that is none"
}

test_no_request_forges_a_line_of_a_json_log_and_none_of_its_report() { # limit=120
	local format
	hostile json
	expect "$T/log" 'python\u000a{'
	for format in text md json; do
		"$EGRET" report --format=$format "$T/log" >"$T/report" 2>"$T/report.err"
		[ ! -s "$T/report.err" ] || fail "$(cat "$T/report.err")"
		if grep -aP '[\x00-\x08\x0b-\x1f\x7f]' "$T/report"; then fail "a control character in the report"; fi
	done
	equal "$(jq '[.destinations[] | select(.destination | startswith("evil"))] | length' "$T/report")" 0
	equal "$(jq .unread "$T/report")" 0
}

test_no_request_forges_a_line_of_a_text_log() { # limit=120
	hostile text
}

test_no_request_forges_a_line_of_the_meshs_log() { # limit=120
	hostile envoy
}

test_a_log_that_is_a_pipe_holds_nobody_up_and_loses_no_line() {
	served plain
	rm -f "$T/log"
	mkfifo "$T/log"
	status get --max-time 10 "$URL/ok/1"
	expect_status 0
	expect "$T/err" "egret: cannot write the log $T/log: No such device or address"
	{ sleep 1; cat; } <"$T/log" >"$T/lines" & # more lines come than a pipe holds
	exec {hold}>"$T/log"
	raw <<-'PY'
		s.sendall(ok * 400)
		assert end(s).count(b"hello GET") == 400
	PY
	exec {hold}>&-
	wait_for 10 pipe_was_read
	equal "$(lines "$T/lines")" 400
}

test_a_log_that_nobody_reads_is_told_of_and_the_report_has_what_it_lacks() {
	local how
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
	INI
	mkfifo "$T/log"
	for how in off require; do
		status timeout 20 "$EGRET" run --sandbox=$how --report=text -- bash -c ': </dev/tcp/203.0.113.9/80'
		expect_status 1
		expect "$T/err" "the log $T/log"
		expect "$T/err" "203.0.113.9:80 "
	done
}

pipe_was_read() { [ "$(wc -l <"$T/lines")" -ge 402 ]; }
