# Whatever call carries a request, and whoever ends up with the connection: the rules hold.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# ways tls|plain WAY=OUTCOME...: what comes of the allowed request is 200 but for these; the denied one is never asked of the server.
ways() {
	local line how=$1
	shift
	served "$how"
	covered python3 "$ROOT/tests/lib/past_the_rules.py" >"$T/out" 2>"$T/err" || fail "$(cat "$T/out" "$T/err")"
	if grep -v '^[A-Z]* /ok/[a-z0-9_]* [0-9]*$' "$T/asked"; then fail "past the rules"; fi
	for line in "$@"; do sed -i "s/^${line%=*}: ${line#*=}$/${line%=*}: 200/" "$T/out"; done
	equal "$(grep -v '^threads: ' "$T/out" | grep -v ': 200$' || true)" ""
	equal "$(wc -l <"$T/out")" 19
}

# Of a connection that two processes hold the first one to use it after the fork keeps it.
test_no_call_carries_a_request_past_the_rules() { # limit=120
	ways tls splice=EINVAL child=nothing
}

test_no_call_carries_a_request_in_the_clear_past_the_rules() { # limit=120
	ways plain splice=EINVAL child=nothing dup2=EPERM scm_rights=EPERM exec=EBADF
}

# peeks tls|plain: a program looks at all of an answer that comes byte by byte, and then takes it. How many system calls that took is in $CALLS.
peeks() {
	need strace
	served "$1"
	cat >"$T/peek.py" <<-PY
		import os, socket
		s = socket.create_connection(("www.googleapis.com", 80))
		whole = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello GET"
		s.sendall(b"GET /ok/slow HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n")
		os.write(1, b"begin\n")
		assert s.recv(len(whole), socket.MSG_PEEK | socket.MSG_WAITALL) == whole
		os.write(1, b"end\n")
		assert s.recv(len(whole), socket.MSG_WAITALL) == whole
		s.sendall(b"GET /ok/slow HTTP/1.1\r\nHost: www.googleapis.com\r\nConnection: close\r\n\r\n")
		assert s.recv(len(whole) + 1, socket.MSG_PEEK | socket.MSG_WAITALL) == whole
		assert s.recv(len(whole) + 1, socket.MSG_WAITALL) == whole
	PY
	strace -f -o "$T/calls" -E LD_PRELOAD="$EGRET_LIB" python3 "$T/peek.py" >"$T/out" 2>"$T/err" || fail "$(cat "$T/err")"
	CALLS=$(sed -n '/write(1, "begin/,/write(1, "end/p' "$T/calls" | wc -l)
}

test_a_peek_for_all_of_an_answer_waits_for_it_without_spinning() {
	local how
	for how in plain tls; do
		peeks $how
		# Of each byte a wait, a look and what is opened of it.
		[ "$CALLS" -lt 600 ] || fail "$how: $CALLS system calls"
	done
}
