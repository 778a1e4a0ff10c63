# Unix sockets under --sandbox=require: the tree's own need no entry, others see nothing of a connection that is refused.

nothing_is_internal() {
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
	INI
}

# What a service outside of the tree sees, as lines of $T/seen: connections, or datagrams.
start_outside() {
	rm -f "$T/outside.ready"
	python3 - "$T/outside.sock" "$T/outside.ready" "$1" >"$T/seen" <<-'PY' &
		import os, socket, sys
		kind = socket.SOCK_DGRAM if sys.argv[3] == "datagrams" else socket.SOCK_STREAM
		s = socket.socket(socket.AF_UNIX, kind)
		s.bind(sys.argv[1])
		if kind == socket.SOCK_STREAM:
		    s.listen()
		open(sys.argv[2], "w").close()
		while True:
		    print(s.recv(100) if kind == socket.SOCK_DGRAM else "a connection" if s.accept() else "", flush=True)
	PY
	OUTSIDE=$!
	wait_for 10 test -e "$T/outside.ready"
}

# A server that accepts one connection, and its client, under NAME, of a program that COMMAND... runs.
accepts_once() {
	local name=$1
	shift
	(
		cd "$T"
		"$@" python3 -c '
import os, socket, sys
name = sys.argv[1].replace("@", "\0")
server = socket.socket(socket.AF_UNIX)
server.bind(name)
server.listen()
if os.fork() == 0:
    server.close()
    client = socket.socket(socket.AF_UNIX)
    client.connect(name)
    client.sendall(b"hello")
    os._exit(0)
s, _ = server.accept()
server.close()
assert s.recv(100) == b"hello"
if name[0] != "\0": os.unlink(name)' "$name"
		expect_status 0
	)
}

test_a_server_of_the_tree_that_accepts_once_gets_its_client_and_nobody_else() { # quick
	local name
	nothing_is_internal
	for name in "$T/once.sock" once.sock "@once.$$"; do
		accepts_once "$name" sandboxed
	done
}

unprivileged_without_pidfd_getfd() {
	status as_nobody "$PROGRAMS/without_call" docker "$EGRET" run --sandbox=require -- "$@"
}

test_it_does_so_where_the_supervisor_makes_the_sockets() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	nothing_is_internal
	open_to_nobody
	mkdir -m 777 "$T/open"
	accepts_once "$T/open/once.sock" unprivileged_without_pidfd_getfd
	accepts_once "@once.$$" unprivileged_without_pidfd_getfd
}

# What nobody listens on tells that, as everywhere: nothing was refused.
test_a_unix_socket_that_nobody_listens_on_is_econnrefused() { # quick
	nothing_is_internal
	sandboxed python3 -c '
import errno, socket, sys
def attempt(kind, name): return socket.socket(socket.AF_UNIX, kind).connect_ex(name)
socket.socket(socket.AF_UNIX).bind(sys.argv[1])
for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
    assert attempt(kind, "\0" + sys.argv[1]) == errno.ECONNREFUSED
assert attempt(socket.SOCK_STREAM, sys.argv[1]) == errno.ECONNREFUSED
assert attempt(socket.SOCK_STREAM, sys.argv[1] + ".missing") == errno.ENOENT' "$T/gone"
	expect_status 0
	expect_not "$T/err" denied
}

test_datagrams_pass_between_unix_sockets_of_the_tree() { # quick
	nothing_is_internal
	sandboxed python3 -c '
import os, socket, sys
def bound(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name)
    return s
for name in sys.argv[1], "\0" + sys.argv[1]:
    server, client, connected = bound(name), bound(name + ".c"), bound(name + ".d")
    client.sendto(b"to", name)
    connected.connect(name)
    connected.send(b"connected")
    for word in b"to", b"connected":
        data, sender = server.recvfrom(100)
        assert data == word
        server.sendmsg([b"back"], [], 0, sender)
    assert client.recv(100) == connected.recv(100) == b"back"' "$T/server"
	expect_status 0
}

test_a_unix_service_outside_of_the_tree_sees_nothing_of_what_is_refused() { # quick
	local kind
	nothing_is_internal
	for kind in connections datagrams; do
		start_outside "$kind"
		sandboxed python3 -c '
import errno, socket, sys
def refused(call, *args):
    try: call(*args)
    except OSError as e: assert e.errno == errno.EACCES, e
    else: raise SystemExit("it passed")
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
    refused(socket.socket(socket.AF_UNIX, kind).connect, sys.argv[1])
refused(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto, b"x", sys.argv[1])' "$T/outside.sock"
		expect_status 0
		kill "$OUTSIDE"
		wait "$OUTSIDE" || true
		equal "$(cat "$T/seen")" ""
		rm "$T/outside.sock"
	done
}

# A name that the tree had before does not open the door to who has it now.
test_a_name_that_another_took_over_is_refused() { # quick
	nothing_is_internal
	start_outside connections
	mv "$T/outside.sock" "$T/theirs"
	sandboxed python3 -c '
import errno, os, socket, sys
mine, theirs = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(mine)
server.listen()
socket.socket(socket.AF_UNIX).connect(mine)
os.unlink(mine)
os.rename(theirs, mine)
assert socket.socket(socket.AF_UNIX).connect_ex(mine) == errno.EACCES' "$T/mine" "$T/theirs"
	expect_status 0
	equal "$(cat "$T/seen")" ""
}

# More than the supervisor remembers of sockets that are gone.
test_thousands_of_unix_sockets_come_and_go_and_the_last_is_still_the_trees() { # quick
	nothing_is_internal
	sandboxed python3 -c '
import socket, sys
kept = socket.socket(socket.AF_UNIX)
kept.bind("\0kept" + sys.argv[1])
kept.listen()
for i in range(5000):
    with socket.socket(socket.AF_UNIX) as s: s.bind("\0%d" % i + sys.argv[1])
socket.socket(socket.AF_UNIX).connect("\0kept" + sys.argv[1])' "$T"
	expect_status 0
}

# There the kernel's list, which the supervisor reads in its own, does not show the server.
test_a_unix_server_in_a_network_namespace_of_its_own_is_still_the_trees() { # quick
	need unshare
	unshare -rn true || skip "user namespaces are not permitted"
	nothing_is_internal
	sandboxed bash -c '
		unshare -rn python3 -c "
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1] + \".new\")
server.listen()
import os; os.rename(sys.argv[1] + \".new\", sys.argv[1])
while True:
    try: server.accept()[0].send(b\"hello\")
    except BrokenPipeError: pass # the supervisor, who asked" "$1" &
		while [ ! -e "$1" ]; do sleep 0.05; done
		python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
assert s.recv(100) == b\"hello\"" "$1"
		status=$?
		kill %1
		exit "$status"' - "$T/server"
	expect_status 0
}
