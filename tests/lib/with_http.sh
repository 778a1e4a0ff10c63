# Programs of http entries: the usual server and rules, what the server was asked, what the log says.

URL=http://www.googleapis.com

# served tls|plain [KEYS]: a server, and the usual rules before it.
served() {
	need_library
	start_http "$1"
	governing "$@"
}

# asked LINE...: the server was asked exactly this, in this order.
asked() {
	local all
	all=$(printf '%s\n' "$@")
	[ $# != 0 ] || all=
	equal "$(cat "$T/asked")" "$all"
}

get() {
	covered curl -sS --max-time 20 "$@"
}

# logged FILTER...: some http line fits each of these jq filters.
logged() {
	local filter
	for filter; do
		[ "$(jq -s "[.[] | select(.event == \"http\") | select($filter)] | length" "$T/log")" != 0 ] || fail "not logged: $filter in $(cat "$T/log")"
	done
}

# raw PROGRAM: python with a connection `s`, ways to read from it, and the heads of two requests.
raw() {
	{
		cat <<-'PY'
			import os, select, socket, sys, time
			s = socket.create_connection(("www.googleapis.com", 80), 20)
			def head(path, more="", method="GET"):
			    return f"{method} {path} HTTP/1.1\r\nHost: www.googleapis.com\r\n{more}\r\n".encode()
			def end(s):                       # all that comes, the last request being sent
			    s.shutdown(socket.SHUT_WR)
			    return rest(s)
			def rest(s):                      # all that comes
			    data = b""
			    while part := s.recv(65536):
			        data += part
			    return data
			ok, no = head("/ok/1"), head("/no")
		PY
		cat
	} >"$T/raw.py"
	covered python3 "$T/raw.py" >"$T/out" 2>"$T/err" || fail "$(cat "$T/err")"
}

# statuses [FILE]: of the responses in the program's output.
statuses() {
	grep -aoE '^HTTP/1\.[01] [0-9]{3}|[^ ]HTTP/1\.1 [0-9]{3}' "${1:-$T/out}" | grep -oE '[0-9]{3}$' | tr '\n' ' '
}
