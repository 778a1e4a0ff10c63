# Connections whose descriptors leave the hooks' reach (stdio's numbers, exec, other processes): a relay carries them, and the wire never
# sees a plaintext byte.
# sanitized

HOST=www.googleapis.com

# serving [ARGS of tls_server.py]: a recorded TLS server behind $HOST:80.
serving() {
	start_recording_tls right "${@:---http}"
	originating $HOST "$PORT"
}

# python: standard input is a covered program; s is its connection, its output $T/out.
python() {
	{
		printf 'import os, socket, sys, fcntl, select, signal, struct, subprocess, threading, time\ns = socket.create_connection(("%s", 80), 10)\ns.settimeout(None)\n' $HOST
		cat
	} >"$T/program.py"
	status covered python3 "$T/program.py"
	[ "$STATUS" = 0 ] || expect_status 0
}

# holds FILE SIZE
holds() {
	[ "$(stat -c %s "$1")" = "$2" ]
}

test_bash_redirections_to_a_connection_carry_tls() {
	serving
	covered bash -c "exec 3<>/dev/tcp/$HOST/80 && printf 'GET /secret HTTP/1.0\r\n\r\n' >&3 && cat <&3" >"$T/out"
	expect "$T/out" "hello over tls"
	expect "$T/plain" "GET /secret"
	wire_is_tls
}

test_a_connection_on_a_standard_stream_never_carries_plaintext() {
	serving
	python <<-'PY'
		os.dup2(s.fileno(), 1)
		print("GET /secret HTTP/1.0\r\n\r", flush=True)
		os.write(2, s.recv(4096))
	PY
	expect "$T/err" "HTTP/1.1 200 OK"
	expect "$T/plain" "GET /secret"
	wire_is_tls
}

test_every_call_of_the_dup_family_moves_a_connection_onto_a_standard_stream() {
	serving --echo
	python <<-'PY'
		calls = {"dup": lambda fd: os.dup(fd), "dup2": lambda fd: os.dup2(fd, 0), "F_DUPFD": lambda fd: fcntl.fcntl(fd, fcntl.F_DUPFD, 0),
		         "F_DUPFD_CLOEXEC": lambda fd: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0), "dup3": lambda fd: os.dup2(fd, 0, False)}
		for name, call in calls.items():
		    s = socket.create_connection(("www.googleapis.com", 80), 10)
		    os.close(0)
		    got = call(s.fileno())
		    os.write(0, b"secret " + name.encode())
		    print(name, got, s.recv(100).decode(), socket.socket(fileno=os.dup(0)).family == socket.AF_INET)
		    s.close()
	PY
	for name in dup dup2 dup3 F_DUPFD F_DUPFD_CLOEXEC; do expect "$T/out" "$name 0 secret $name True"; done
	wire_is_tls
}

test_a_program_started_like_inetd_does_speaks_tls_through_its_stdin_and_stdout() {
	serving
	python <<-'PY'
		os.dup2(s.fileno(), 0); os.dup2(s.fileno(), 1)
		os.execvp("sh", ["sh", "-c", r"printf 'GET /secret HTTP/1.0\r\n\r\n'; cat >&2"])
	PY
	expect "$T/err" "hello over tls"
	expect "$T/plain" "GET /secret"
	wire_is_tls
}

test_a_moved_connection_ends_its_writing_half_and_goes_on_reading() {
	serving --echo
	python <<-'PY'
		os.dup2(s.fileno(), 0)
		data = os.urandom(3000000)
		writer = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
		writer.start()
		got = b""
		while piece := os.read(0, 100000):
		    got += piece
		print("same", got == data)
	PY
	expect "$T/out" "same True"
	wire_is_tls
}

test_a_truncated_stream_does_not_look_like_an_end_behind_a_relay() {
	serving --http --truncate
	python <<-'PY'
		os.dup2(s.fileno(), 0)
		s.sendall(b"GET /secret HTTP/1.0\r\n\r\n")
		got = b""
		try:
		    while piece := os.read(0, 7):
		        got += piece
		    print("a clean end")
		except ConnectionResetError:
		    print("reset after", got[-15:])
	PY
	expect "$T/out" "reset after b'hello over tls\\n'"
}

test_a_moved_connection_tells_of_tcp() {
	serving --echo
	python <<-'PY'
		before = s.getsockname()
		s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		os.dup2(s.fileno(), 0)
		print("own", s.getsockname() == before)
		print("type", s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM)
		print("domain", s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET)
		print("protocol", s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_TCP)
		print("nodelay", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
		s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
		os.execvp("python3", ["python3", "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, 0); print('peer', s.getpeername()[1])"])
	PY
	for word in "own True" "type True" "domain True" "protocol True" "nodelay 1" "peer 80"; do expect "$T/out" "$word"; done
}

test_a_relay_is_no_child_of_the_program() {
	serving --echo
	python <<-'PY'
		died = []
		signal.signal(signal.SIGCHLD, lambda *_: died.append(1))
		os.dup2(s.fileno(), 0)
		try:
		    print("child", os.waitpid(-1, 0x40000000)) # __WALL
		except ChildProcessError:
		    print("no child", died)
		s.sendall(b"secret"); s.recv(6)
		s.close(); os.close(0)
		time.sleep(0.2)
		print("no signal", died)
	PY
	expect "$T/out" "no child []"
	expect "$T/out" "no signal []"
}

test_a_relay_keeps_no_file_of_the_program_open() {
	serving --echo
	python <<-'PY'
		r, w = os.pipe()
		os.dup2(s.fileno(), 0)
		os.close(w)
		print("end", os.read(r, 1))
		s.sendall(b"still there")
		print(s.recv(100))
	PY
	expect "$T/out" "end b''"
	expect "$T/out" "still there"
}

test_what_was_written_before_a_program_ends_arrives_through_its_relay() {
	serving --echo
	python <<-'PY'
		os.dup2(s.fileno(), 1)
		threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(65536), b"")], daemon=True).start()
		os.write(1, b"x" * 4000000)
		os._exit(0)
	PY

	wait_for 20 holds "$T/plain" 4000000
}

test_an_event_loop_goes_on_with_a_moved_connection() {
	serving --echo
	python <<-'PY'
		poller = select.epoll()
		s.setblocking(False)
		poller.register(s, select.EPOLLIN)
		os.dup2(s.fileno(), 0)
		s.send(b"secret")
		print("events", [e & 1 for _, e in poller.poll(10)], s.recv(100))
		print("quiet", poller.poll(0.1))
		try:
		    s.recv(1)
		except BlockingIOError:
		    print("does not block")
	PY
	expect "$T/out" "events [1] b'secret'"
	expect "$T/out" "quiet []"
	expect "$T/out" "does not block"
}

test_a_relay_keeps_no_shared_memory_of_the_program() {
	serving --echo
	python <<-'PY'
		import mmap
		with open("shared", "wb") as f:
		    f.truncate(1 << 20)
		with open("shared", "r+b") as f:
		    kept = mmap.mmap(f.fileno(), 0)
		os.dup2(s.fileno(), 0)
		s.sendall(b"secret"); s.recv(6)
		def of(pid, name):
		    try:
		        return open(f"/proc/{pid}/{name}", errors="replace").read()
		    except OSError:
		        return "" # it has ended meanwhile
		relays = [p for p in os.listdir("/proc") if p.isdigit() and of(p, "comm") == "egret-relay\n" and os.getcwd() in of(p, "environ")]
		print("relays", len(relays), "shared", sum("/shared" in of(p, "maps") for p in relays))
	PY
	expect "$T/out" "relays 1 shared 0"
}

test_relays_and_forks_start_while_other_threads_use_their_connections() { # limit=120
	serving --echo
	python <<-'PY'
		done, counts = [], []
		def use():
		    t = socket.create_connection(("www.googleapis.com", 80), 30)
		    rounds = 0
		    while not done:
		        data = b"secret " * 3000
		        t.sendall(data)
		        got = b""
		        while len(got) < len(data):
		            got += t.recv(65536)
		        if got != data:
		            raise SystemExit("other bytes came back")
		        rounds += 1
		    t.close()
		    counts.append(rounds)
		threads = [threading.Thread(target=use) for _ in range(4)]
		for t in threads: t.start()
		moved = 0
		for i in range(15):
		    m = socket.create_connection(("www.googleapis.com", 80), 30)
		    m.settimeout(None)
		    os.dup2(m.fileno(), 0)
		    m.sendall(b"secret moved")
		    moved += m.recv(100) == b"secret moved"
		    m.close()
		    subprocess.run(["true"], check=True)
		    if os.fork() == 0:
		        os._exit(0)
		    os.wait()
		done.append(1)
		for t in threads: t.join()
		print("moved", moved, "threads", len(counts), min(counts) > 0)
	PY
	expect "$T/out" "moved 15 threads 4 True"
	expect_not "$T/err" "cannot be shared"
	wire_is_tls
}

test_what_system_popen_and_wordexp_start_inherits_a_connection_over_tls() {
	serving
	local way
	for way in system popen wordexp; do
		python <<-PY
			import ctypes
			libc = ctypes.CDLL(None)
			libc.popen.restype = ctypes.c_void_p
			s.set_inheritable(True)
			command = rb"printf 'GET /by-$way HTTP/1.0\r\n\r\n' >&%d; exec cat <&%d" % (s.fileno(), s.fileno())
			if "$way" == "system":
			    libc.system(command)
			elif "$way" == "popen":
			    libc.pclose(ctypes.c_void_p(libc.popen(command, b"w")))
			else:
			    libc.wordexp(b'\$(' + command + b' >&2)', ctypes.create_string_buffer(64), 0)
		PY
		cat "$T/out" "$T/err" >"$T/said"
		expect "$T/plain" "GET /by-$way"
	done
	wire_is_tls
}
