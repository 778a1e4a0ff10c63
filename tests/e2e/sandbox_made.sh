# Where pidfd_getfd is withheld (Docker's default profile) the supervisor makes the tree's sockets itself (tools/sandbox/made.h).

# withheld COMMAND...: as an unprivileged user in such a container.
withheld() {
	open_to_nobody
	status as_nobody "$PROGRAMS/without_call" docker "$EGRET" run --sandbox=require -- "$@"
}

need_two_users() {
	need python3 setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
}

inside_calls() {
	policy <<-INI
		[egret]
		internal = none
		[echo]
		hosts = 203.0.113.9
		ports = 8080
		[datagrams]
		hosts = 203.0.113.9
		ports = 8081
		protocol = udp
	INI
	python3 - <<-'PYTHON' &
		import socket, threading
		def serve(client):
		    while data := client.recv(4096): client.sendall(data)
		    client.close()
		def answer(server):
		    while True:
		        data, peer = server.recvfrom(4096)
		        server.sendto(data, peer)
		datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		datagrams.bind(("203.0.113.9", 8081))
		threading.Thread(target=answer, args=(datagrams,), daemon=True).start()
		server = socket.create_server(("203.0.113.9", 8080))
		open("ready", "w").close()
		while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
	PYTHON
	wait_for 10 test -e ready
	cat >"$T/calls.py" <<-'PYTHON'
		import errno, os, select, socket, sys, threading
		echo, datagrams, closed = ("203.0.113.9", 8080), ("203.0.113.9", 8081), ("203.0.113.9", 8082)

		def refused(call):
		    try: call()
		    except OSError as error: return error.errno == errno.EACCES
		    return False

		def said(client):
		    client.sendmsg([b"he", b"llo"])
		    return client.recv(5, socket.MSG_WAITALL) == b"hello" and client.getpeername() == echo

		assert said(socket.create_connection(echo))
		late = socket.socket()
		late.setblocking(False)
		assert late.connect_ex(echo) in (0, errno.EINPROGRESS)
		select.select([], [late], [])
		late.setblocking(True)
		assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and said(late)
		assert refused(lambda: socket.create_connection(closed))
		copy = socket.socket(fileno=os.dup(late.fileno()))
		late.close()
		assert said(copy)
		child = os.fork()
		if child == 0: os._exit(0 if said(copy) else 1)
		assert os.waitpid(child, 0)[1] == 0
		udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		udp.sendto(b"one", datagrams)
		assert udp.recv(9) == b"one"
		udp.sendmsg([b"two"], [], 0, datagrams)
		assert udp.recv(9) == b"two"
		for call in lambda: udp.sendto(b"x", closed), lambda: udp.sendmsg([b"x"], [], 0, closed), lambda: udp.connect(closed): assert refused(call)
		worker = threading.Thread(target=lambda: said(copy) or os._exit(1))
		worker.start()
		worker.join()
		left, right = socket.socketpair()
		left.sendmsg([b"pair"])
		assert right.recv(9) == b"pair" and refused(lambda: left.sendto(b"x", "/run/x"))
		print("all as it should be")
	PYTHON
	chmod 644 "$T/calls.py"
	withheld python3 "$T/calls.py"
	expect_status 0
	expect "$T/out" "all as it should be"
	expect "$T/err" "makes the sockets"
	expect "$T/err" "denied tcp 203.0.113.9:8082"
	expect "$T/err" "denied udp 203.0.113.9:8082"
}

test_where_pidfd_getfd_is_withheld_the_supervisor_makes_the_sockets_and_judges_them() { # quick
	need_two_users
	export -f withheld
	in_network inside_calls
}

inside_ways_round() {
	policy <<<"[egret]"
	python3 -c 'import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("203.0.113.9", 8080))
open("ready", "w").close()
while True: open("seen", "ab", 0).write(server.recv(99))' &
	wait_for 10 test -e ready
	: >seen
	cat >"$T/round.py" <<-'PYTHON'
		import ctypes, os, signal, socket, threading, time
		target = ("203.0.113.9", 8080)
		def attempt(call):
		    try: call()
		    except OSError as error: return error
		    return None

		# A datagram socket that no process holds while it is on its way is forgotten by the supervisor; then it comes back.
		left, right = socket.socketpair()
		udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		socket.send_fds(left, [b"x"], [udp.fileno()])
		udp.close()
		time.sleep(1)
		back = socket.socket(fileno=socket.recv_fds(right, 1, 1)[1][0])
		for call in (lambda: back.sendmsg([b"on its way"], [], 0, target), lambda: back.sendto(b"on its way", target), lambda: back.connect(target)):
		    assert attempt(call), "it went out"

		# Descriptors that processes share could be exchanged between judging and sending.
		libc = ctypes.CDLL(None, use_errno=True)
		got = libc.syscall(56 if os.uname().machine == "x86_64" else 220, 0x400 | signal.SIGCHLD, 0, 0, 0, 0)
		assert got == -1, "a table was shared"

		# So could those that threads share: what the supervisor did not make is then nobody's to send on.
		server = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(server.getsockname())
		accepted = server.accept()[0]
		accepted.sendmsg([b"alone"])
		assert client.recv(9) == b"alone"
		gate = threading.Event()
		threading.Thread(target=gate.wait).start()
		assert attempt(lambda: accepted.sendmsg([b"together"])).errno == 13
		accepted.sendall(b"written")
		assert client.recv(9) == b"written"
		gate.set()
		print("none")
	PYTHON
	chmod 644 "$T/round.py"
	withheld python3 "$T/round.py"
	expect_status 0
	expect "$T/out" none
	expect "$T/err" "one that the supervisor did not make"
	[ ! -s seen ] || fail "the server saw $(cat seen)"
}

test_a_socket_that_the_supervisor_did_not_make_or_has_forgotten_leads_nowhere() { # quick
	need_two_users
	export -f withheld
	in_network inside_ways_round
}

test_a_made_socket_ends_when_the_program_closes_it_and_its_port_is_free() { # quick
	need_two_users
	policy <<<"[egret]"
	cat >"$T/ends.py" <<-'PYTHON'
		import socket
		for _ in range(3):
		    server = socket.create_server(("127.0.0.1", 0), reuse_port=False)
		    client = socket.create_connection(server.getsockname())
		    accepted = server.accept()[0]
		    client.close()
		    assert accepted.recv(9) == b""      # hangs when somebody keeps the connection
		    accepted.close()
		    port = server.getsockname()
		    server.close()
		    again = socket.socket()
		    again.bind(port)                    # no SO_REUSEADDR: nobody may listen there any more
		    again.listen()
		    again.close()
		    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    udp.bind(("127.0.0.1", 0))
		    port = udp.getsockname()
		    udp.close()
		    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(port)
		print("ended")
	PYTHON
	chmod 644 "$T/ends.py"
	withheld timeout 30 python3 "$T/ends.py"
	expect_status 0
	expect "$T/out" ended
}

test_the_supervisor_keeps_no_socket_that_the_program_has_closed() { # quick
	need_two_users
	policy <<<"[egret]"
	mkfifo "$T/more" "$T/enough"
	chmod 666 "$T/more" "$T/enough"
	cat >"$T/many.py" <<-'PYTHON'
		import socket, sys
		for _ in range(3):
		    some = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) for _ in range(150)]
		    for one in some: one.close()
		open(sys.argv[1], "w").close()
		open(sys.argv[2]).close()
	PYTHON
	chmod 644 "$T/many.py"
	open_to_nobody
	as_nobody "$PROGRAMS/without_call" docker "$EGRET" run --sandbox=require -- python3 "$T/many.py" "$T/more" "$T/enough" &
	local launcher=$! supervisor
	cat "$T/more"
	supervisor=$(pgrep -P "$(pgrep -P "$launcher" -x egret || echo "$launcher")" egret-sandbox)
	no_more_than_a_few() { [ "$(ls "/proc/$supervisor/fd" | wc -l)" -lt 40 ]; }
	wait_for 20 no_more_than_a_few
	: >"$T/enough"
	wait "$launcher"
}

inside_made_static_tls() {
	start_recording_tls right
	gcc -w -static -O1 -D_GNU_SOURCE -o "$T/speaker" "$ROOT/tests/programs/plain_http.c" 2>/dev/null
	originating api.example.com "$PORT"
	chmod 644 "$CERTS/ca.pem"
	sed -i "s#log = .*#log = none#" "$T/egret.ini"
	withheld "$T/speaker" api.example.com 80 /books
	expect_status 0
	expect "$T/out" "hello over tls"
	wire_is_tls
}

test_names_and_tls_for_static_programs_work_on_made_sockets() {
	need_two_users
	[ -e "$EGRET_BUILD/lib/egret/libegret-tls.so" ] || skip "the engine is not built"
	export -f withheld
	in_network_with_names "" inside_made_static_tls
}

test_require_refuses_where_a_programs_memory_cannot_be_read() { # quick
	refuses_without process_vm_readv "process_vm_readv is withheld"
	status "$PROGRAMS/without_call" process_vm_readv "$EGRET" run --sandbox=auto -- true
	expect_status 0
	expect "$T/err" "sandbox off: process_vm_readv"
	equal "$(grep -c 'layers:' "$T/err")" 1
}

inside_yama_scope() {
	local scope
	scope=$(cat /proc/sys/kernel/yama/ptrace_scope)
	policy <<<"[egret]"
	cat >"$T/orphan.py" <<-'PYTHON'
		import os, socket, sys
		server = socket.create_server(("127.0.0.1", 0))
		if os.fork() == 0:
		    if os.fork(): os._exit(0)                                   # its child belongs to nobody but the supervisor
		    socket.create_connection(server.getsockname()).sendall(b"orphan")
		    os._exit(0)
		print(server.accept()[0].recv(9).decode())
	PYTHON
	chmod 644 "$T/orphan.py"
	open_to_nobody
	status as_nobody "$EGRET" run --sandbox=require -- python3 "$T/orphan.py"
	if [ "$scope" -gt 1 ]; then
		expect_status 125
		expect "$T/err" "process_vm_readv is withheld"
	else
		expect_status 0
		expect "$T/out" orphan
	fi
}

test_yamas_restriction_to_descendants_leaves_the_supervisor_its_tree() { # quick
	need_two_users
	[ -e /proc/sys/kernel/yama/ptrace_scope ] || skip "this kernel has no Yama"
	inside_yama_scope
}

# The supervisor's own timer, SIGRTMIN+3, interrupts it wherever it waits; here as often as can be.
test_an_interrupted_supervisor_answers_each_call_and_gives_each_socket() { # quick limit=180
	need_two_users
	policy <<<"[egret]"
	cat >"$T/sockets.py" <<-'PYTHON'
		import socket, sys
		server = socket.create_server(("127.0.0.1", 0), backlog=128)
		kept = [socket.create_connection(server.getsockname())]
		open(sys.argv[1], "w").close()
		open(sys.argv[2]).close()
		for _ in range(300):
		    kept.append(socket.socket())
		    assert kept[-1].fileno() > 2, "another descriptor was given"
		    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
		    kept[-1].connect(server.getsockname())
		    kept[-1].sendmsg([b""])
		print("each")
	PYTHON
	mkfifo "$T/before" "$T/after"
	chmod 666 "$T/before" "$T/after"
	chmod 644 "$T/sockets.py"
	open_to_nobody
	local way launcher supervisor noise
	for way in env "$PROGRAMS/without_call docker"; do
		as_nobody $way "$EGRET" run --sandbox=require -- timeout 60 python3 "$T/sockets.py" "$T/before" "$T/after" >"$T/out" &
		launcher=$!
		cat "$T/before"
		supervisor=$(pgrep -P "$(pgrep -P "$launcher" -x egret || echo "$launcher")" egret-sandbox)
		python3 -c 'import os, signal, sys, time
try:
    while True:
        os.kill(int(sys.argv[1]), signal.SIGRTMIN + 3)
        time.sleep(0.0005)
except ProcessLookupError: pass' "$supervisor" &
		noise=$!
		: >"$T/after"
		wait "$launcher" || fail "the program failed: $way"
		kill "$noise" 2>/dev/null || true
		expect "$T/out" each
	done
}
