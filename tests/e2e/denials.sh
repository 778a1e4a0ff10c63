# What a person reads of a denial: the same line in every layer, with the command that would lift it.

# A program that meets refusals of every kind.
write_tries() {
	cat >"$T/tries.py" <<-PYTHON
		import socket, sys, urllib.request, urllib.error
		sys.path.insert(0, "$ROOT/tests/lib")
		def tried(call, *args):
		    try: call(*args)
		    except OSError: pass
		tried(socket.create_connection, ("203.0.113.9", 443))
		tried(socket.create_connection, ("203.0.113.9", 443))
		tried(socket.create_connection, ("2001:db8::9", 443))
		tried(socket.create_connection, ("198.51.100.2", 1))
		tried(socket.create_connection, ("good.example", 81))
		tried(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto, b"x", ("203.0.113.9", 123))
		tried(socket.socket(socket.AF_UNIX).connect, "$T/docker.sock")
		for path in "/secret", "/secret", "/other":
		    try: urllib.request.urlopen("http://good.example:$PORT" + path, timeout=10)
		    except urllib.error.HTTPError as error: assert error.code == 403, error
		from hello import client_hello, with_ech
		for hello in client_hello("evil.example"), client_hello("other.example"), client_hello(None), with_ech(client_hello("tls.example")), b"GET / HTTP/1.0\r\n\r\n":
		    s = socket.create_connection(("tls.example", $PORT))
		    s.settimeout(10)
		    try: assert s.send(hello) and s.recv(1) == b"", "it was answered"
		    except OSError: pass
	PYTHON
}

inside_every_kind() {
	LISTEN_ON=0.0.0.0 start_recorder $'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
	python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$T/docker.sock"
	policy <<-INI
		[good]
		hosts = good.example
		ports = $PORT
		protocol = http
		http_deny = * /**
		[tls]
		hosts = tls.example
		ports = $PORT
		protocol = tls
		[never]
		hosts = 198.51.100.2
		action = deny
		[socket]
		hosts = $T/docker.sock
		protocol = unix
		action = deny
	INI
	write_tries
	for layer in off require; do
		status "$EGRET" run "--sandbox=$layer" -- python3 "$T/tries.py"
		expect_status 0
		grep '^egret: denied' "$T/err" >"$T/$layer"
	done
	diff "$T/off" "$T/require" >&2 || fail "the layers tell it differently"
	wire_is_silent
	local policy=$T/egret.ini
	equal "$(cat "$T/off")" "egret: denied tcp 203.0.113.9:443: no entry covers it; to allow it: egret allow 203.0.113.9:443
egret: denied tcp [2001:db8::9]:443: no entry covers it; to allow it: egret allow [2001:db8::9]:443
egret: denied tcp 198.51.100.2:1: a deny entry covers it (entry [never], $policy:10)
egret: denied tcp good.example:81 (198.51.100.1): no entry covers this port of the host; to allow it: egret allow good.example:81
egret: denied udp 203.0.113.9:123: no entry covers it; to allow it: egret allow udp://203.0.113.9:123
egret: denied unix $T/docker.sock: a deny entry covers it (entry [socket], $policy:13)
egret: denied http GET /secret to good.example:$PORT: a rule of http_deny covers it: * /** (entry [good], $policy:1)
egret: denied tls tls.example:$PORT (198.51.100.3): its ClientHello asks for a server name that is none of the entry's hosts: evil.example (entry [tls], $policy:6); to allow it: egret allow evil.example:$PORT
egret: denied tls tls.example:$PORT (198.51.100.3): its ClientHello asks for a server name that is none of the entry's hosts: other.example (entry [tls], $policy:6); to allow it: egret allow other.example:$PORT
egret: denied tls tls.example:$PORT (198.51.100.3): its ClientHello asks for no server name, so that nothing tells whether it is one of the entry's hosts (entry [tls], $policy:6)
egret: denied tls tls.example:$PORT (198.51.100.3): its ClientHello hides the server name (ECH); it must be readable: tls.example (entry [tls], $policy:6)
egret: denied tls tls.example:$PORT (198.51.100.3): it did not begin with a ClientHello; what is no TLS needs protocol = tcp (entry [tls], $policy:6)"
}

test_a_denial_is_told_in_the_same_words_by_every_layer_and_no_byte_leaves() { # quick
	export -f write_tries
	in_network_with_names "198.51.100.1 good.example
198.51.100.3 tls.example" inside_every_kind
}

inside_two_processes() {
	policy <<<"[egret]"
	for layer in off require; do
		status "$EGRET" run "--sandbox=$layer" -- bash -c 'for i in 1 2; do python3 -c "
import socket
for i in 1, 2:
    try: socket.create_connection((\"203.0.113.9\", 443))
    except PermissionError: pass"; done'
		expect_status 0
		equal "$(grep -c '^egret: denied tcp 203.0.113.9:443: ' "$T/err")" 2
	done
}

test_a_denial_prints_one_line_per_destination_and_process_in_every_layer() {
	in_network inside_two_processes
}

test_a_socket_that_no_entry_names_is_told_with_what_allows_it() {
	policy <<<"[egret]"
	status covered python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/docker.sock")'
	expect err "egret: denied unix /run/docker.sock: no entry covers it; to allow it: egret allow unix:///run/docker.sock"
	"$EGRET" allow unix:///run/docker.sock >out
	status "$EGRET" explain unix:///run/docker.sock
	expect_status 0
}

inside_port_zero() {
	policy <<<"[egret]"
	cat >"$T/zero.py" <<-'PYTHON'
		import socket
		for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
		    assert socket.socket(socket.AF_INET, kind).connect_ex(("203.0.113.9", 0)) == 13
		try: socket.getaddrinfo("evil.example", None)
		except socket.gaierror: pass
	PYTHON
	status "$EGRET" run --sandbox=off -- python3 "$T/zero.py"
	expect_status 0
	equal "$(grep '^egret: denied' "$T/err")" "egret: denied tcp 203.0.113.9: no entry covers it
egret: denied udp 203.0.113.9: no entry covers it
egret: denied dns evil.example: no entry covers it; to allow it: egret allow evil.example:PORT"
	status "$EGRET" run --sandbox=require -- python3 "$T/zero.py"
	expect_status 0
	expect_not "$T/err" ":0"
	expect "$T/err" "egret: denied tcp 203.0.113.9: no entry covers it"
	for destination in evil.example:0 evil.example:PORT; do
		status "$EGRET" allow "$destination"
		expect_status 2
		expect "$T/err" "it needs a port from 1 to 65535"
	done
}

test_a_denial_without_a_port_names_none_and_promises_no_command_that_would_fail() { # quick
	in_network inside_port_zero
}
