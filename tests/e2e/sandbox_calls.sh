# Under the sandbox a system call behaves as without it: signals, time-outs, ends, what goes along with a message, many processes.

# the_same_with_and_without PROGRAM [FILTER of sed]: both print the same lines.
the_same_with_and_without() {
	policy <<<"[egret]"
	static_program "$1"
	"$T/$1" >"$T/without" &
	sandboxed "$T/$1"
	wait $!
	expect_status 0
	[ -s "$T/without" ] || fail "it said nothing"
	sed "${2:-}" "$T/without" >"$T/expected"
	sed "${2:-}" "$T/out" | diff "$T/expected" -
}

test_signals_time_outs_and_broken_pipes_of_blocking_calls_are_the_same_under_the_sandbox() { # quick
	in_network the_same_with_and_without raw_calls
}

test_what_goes_along_with_a_message_arrives_and_names_its_sender() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network the_same_with_and_without raw_ancillary
}

inside_unprivileged() {
	policy <<<"[egret]"
	open_to_nobody
	static_program raw_ancillary
	as_nobody "$T/raw_ancillary" >"$T/without"
	status as_nobody "$EGRET" run --sandbox=require -- "$T/raw_ancillary"
	expect_status 0
	# The process that the kernel names is the supervisor, which sends (SECURITY.md).
	expect "$T/without" "mine: 1"
	sed 's/, mine.*//' "$T/without" >"$T/expected"
	sed 's/, mine.*//' "$T/out" | diff "$T/expected" -
	equal "$(grep -c "only root can name their sender" "$T/err")" 1
}

test_what_goes_along_with_a_message_arrives_for_an_unprivileged_user() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_unprivileged
}

# A server that keeps the program waiting behind the relay: the signal comes while the supervisor waits for the server's TLS.
inside_relay_waits() {
	start_tls right
	python3 -c '
import socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as f: f.write(str(listener.getsockname()[1]))
import os; os.rename(sys.argv[1] + ".new", sys.argv[1])
def pump(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError: pass
while True:
    client = listener.accept()[0]
    while not os.path.exists(sys.argv[3]): time.sleep(0.02)
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in ((client, server), (server, client)): threading.Thread(target=pump, args=pair, daemon=True).start()
' "$T/late.port" "$PORT" "$T/go" &
	announced "$T/late.port"
	originating api.example.com "$PORT"
	static_program waits_in_connect
	sandboxed "$T/waits_in_connect" 203.0.113.9 80 "$T/go"
	expect_status 0
	equal "$(cat "$T/out")" "interrupted: EINTR
restarted: done, handlers ran: 1, answered: 1"
}

test_a_connect_that_waits_for_the_relay_is_interrupted_and_restarted_by_signals() { # quick
	[ -e "$EGRET_BUILD/lib/egret/libegret-tls.so" ] || skip "the engine is not built"
	in_network_with_names "203.0.113.9 api.example.com" inside_relay_waits
}

# The supervisor is asked for its descriptors before and after: none stays behind.
inside_crowd() {
	start_relay_server echo
	policy <<<"[egret]"
	static_program crowd
	sandboxed bash -c '
		"$1" 127.0.0.1 "$2" 40
		echo "$PPID" >"$3.pid"; while [ ! -e "$3.go" ]; do sleep 0.02; done
		"$1" 127.0.0.1 "$2" 2000
		"$1" 203.0.113.9 "$2" 500
		: >"$3.ended"; while [ -e "$3.go" ]; do sleep 0.02; done' - "$T/crowd" "$PORT" "$T/run" &
	wait_for 30 test -s "$T/run.pid"
	local supervisor before after
	supervisor=$(cat "$T/run.pid")
	before=$(find "/proc/$supervisor/fd" | wc -l)
	: >"$T/run.go"
	wait_for 100 test -e "$T/run.ended"
	after=$(find "/proc/$supervisor/fd" | wc -l)
	rm "$T/run.go"
	wait $!
	equal "$(cat "$T/out")" "40 succeeded, 0 denied
2000 succeeded, 0 denied
0 succeeded, 500 denied"
	[ "$after" -le "$((before + 60))" ] || fail "$before descriptors before, $after after"
}

test_thousands_of_processes_connect_and_leave_nothing_behind_in_the_supervisor() { # quick limit=150
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_crowd
}

inside_stalled() {
	policy <<<"[egret]"
	static_program crowd
	sandboxed "$T/crowd" stalled
	expect_status 0
	equal "$(cat "$T/out")" "50 connected while 8 waited"
}

test_processes_that_wait_in_connect_hold_up_no_other() { # quick
	in_network inside_stalled
}

# The command has ended and its status was told; what it left behind is governed as before, and logged.
inside_outlived() {
	start_relay_server echo
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[good]
		hosts = 127.0.0.1
		ports = $PORT
	INI
	static_program crowd
	sandboxed bash -c '(while [ ! -e "$1.go" ]; do sleep 0.02; done
		"$1" 203.0.113.9 "$2" 1 >"$1.first"; "$1" 127.0.0.1 "$2" 1 >"$1.second"; : >"$1.ended") >/dev/null 2>&1 & exit 3' \
		- "$T/crowd" "$PORT"
	expect_status 3
	: >"$T/crowd.go"
	wait_for 20 test -e "$T/crowd.ended"
	equal "$(cat "$T/crowd.first")" "0 succeeded, 1 denied"
	equal "$(cat "$T/crowd.second")" "1 succeeded, 0 denied"
	wait_for 5 grep -q '"deny".*203.0.113.9' "$T/log"
}

test_the_boundary_holds_for_what_outlives_the_command() { # quick
	in_network inside_outlived
}
