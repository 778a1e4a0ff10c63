# A connection and more than one process: fork in every way, exec, children of every kind, descriptors that travel.
# sanitized

HOST=www.googleapis.com

# serving [ARGS of tls_server.py]: a recorded TLS server behind $HOST:80.
serving() {
	start_recording_tls right "${@:---echo}"
	originating $HOST "$PORT"
}

# program NAME: standard input is a covered python program; s is its connection to the server, its output $T/out.
program() {
	{
		printf 'import ctypes, os, socket, sys, subprocess, array, time\nlibc = ctypes.CDLL(None, use_errno=True)\n'
		printf 's = socket.create_connection(("%s", 80), 10)\ns.settimeout(None)\n' $HOST
		cat
	} >"$T/program.py"
	status covered python3 "$T/program.py"
	[ "$STATUS" = 0 ] || expect_status 0
}

# holds SIZE: so many bytes have arrived.
holds() {
	[ "$(stat -c %s "$T/plain")" = "$1" ]
}

# ended_well: the server saw the end of every connection as TLS ends it.
ended_well() {
	[ ! -s "$T/tls.err" ] || fail "the server says: $(cat "$T/tls.err")"
}

test_the_parent_goes_on_after_a_fork_and_its_close_is_a_tls_end() {
	serving
	program <<-'PY'
		pid = os.fork()
		if pid == 0:
		    s.close()
		    os._exit(0)
		os.waitpid(pid, 0)
		s.sendall(b"secret"); print(s.recv(100))
		if os.fork() == 0:
		    os._exit(0) # with its copy open
		os.wait()
		s.close()
	PY
	expect "$T/out" "b'secret'"
	expect_not "$T/err" "shared"
	wire_is_tls
	ended_well
}

test_the_child_goes_on_after_a_fork_and_its_close_is_a_tls_end() {
	serving
	program <<-'PY'
		pid = os.fork()
		if pid == 0:
		    s.sendall(b"secret"); print(s.recv(100), flush=True)
		    s.close()
		    os._exit(0)
		s.close()
		os.waitpid(pid, 0)
	PY
	expect "$T/out" "b'secret'"
	expect "$T/plain" "secret"
	ended_well
}

test_both_sides_of_a_fork_never_share_a_nonce() {
	serving
	program <<-'PY'
		s.sendall(b"secret before ")
		pid = os.fork()
		if pid == 0:
		    s.sendall(b"secret child ")
		    os._exit(0)
		os.waitpid(pid, 0)
		try:
		    s.sendall(b"secret parent ")
		    print("sent")
		except OSError as e:
		    print("refused", e.errno)
	PY
	expect "$T/out" "refused 5"
	expect "$T/err" "TLS cannot be shared by two processes"
	equal "$(cat "$T/plain")" "secret before secret child "
	wire_is_tls
}

test_connections_made_after_a_fork_do_not_disturb_the_other_side() {
	serving
	program <<-'PY'
		def use(t, word):
		    t.sendall(word); return t.recv(100) == word
		pid = os.fork()
		mine = [socket.create_connection(("www.googleapis.com", 80), 10) for _ in range(5)]
		good = all(use(t, b"secret") for t in mine)
		if pid == 0:
		    os._exit(0 if good else 1)
		print("parent", good, "child", os.waitpid(pid, 0)[1], "old", use(s, b"secret"))
	PY
	expect "$T/out" "parent True child 0 old True"
}

test_every_way_to_fork_leaves_one_owner() {
	serving
	program <<-'PY'
		import platform
		ways = {"_Fork": libc._Fork, "syscall": lambda: libc.syscall(56 if platform.machine() == "x86_64" else 220, 17, 0, 0, 0, 0), "vfork": None}
		for name, way in ways.items():
		    if not way:
		        continue
		    pid = way()
		    if pid == 0:
		        os._exit(0)
		    os.waitpid(pid, 0)
		    s.sendall(name.encode())
		    print(name, s.recv(100) == name.encode())
		s.close()
	PY
	expect "$T/out" "_Fork True"
	expect "$T/out" "syscall True"
	ended_well
}

test_no_copy_of_a_process_takes_the_random_numbers_of_the_other() {
	serving
	program <<-'PY'
		import platform
		def once():
		    t = socket.create_connection(("www.googleapis.com", 80), 10); t.sendall(b"secret"); t.recv(100); t.close()
		once()
		for way in (os.fork, libc._Fork, lambda: libc.syscall(56 if platform.machine() == "x86_64" else 220, 17, 0, 0, 0, 0)):
		    pid = way()
		    if pid == 0:
		        once()
		        os._exit(0)
		    print("child", os.waitpid(pid, 0)[1])
		    once()
	PY
	equal "$(cat "$T/out")" "$(printf 'child 0\nchild 0\nchild 0')"
	# RFC 8446 4.1.2: a ClientHello's random numbers.
	equal "$(python3 -c 'import re, sys
seen = re.findall(rb"\x16\x03\x01..\x01...\x03\x03(.{32})", open(sys.argv[1], "rb").read(), re.S)
print(len(seen), len(set(seen)))' "$T/wire")" "8 8"
}

test_a_subprocess_reads_and_writes_a_connection_as_its_stdin_and_stdout() {
	serving --http
	program <<-'PY'
		subprocess.run(["sh", "-c", r"printf 'GET /secret HTTP/1.0\r\n\r\n'; cat >&2"], stdin=s, stdout=s, check=True)
	PY
	expect "$T/err" "hello over tls"
	wire_is_tls
}

test_parent_and_children_take_turns_on_one_connection() {
	serving
	program <<-'PY'
		s.sendall(b"one "); print(s.recv(100))
		subprocess.run(["sh", "-c", "printf 'two ' >&0"], stdin=s, check=True)
		print(s.recv(100))
		s.sendall(b"three "); print(s.recv(100))
		subprocess.run(["sh", "-c", "printf 'four '"], stdout=s, check=True)
		print(s.recv(100))
		s.shutdown(socket.SHUT_WR); print("end", s.recv(100))
	PY
	for word in "b'one '" "b'two '" "b'three '" "b'four '" "end b''"; do expect "$T/out" "$word"; done
	equal "$(cat "$T/plain")" "one two three four "
	ended_well
}

test_a_child_that_execs_with_an_inherited_connection_uses_it_and_so_does_its_parent() {
	serving
	program <<-'PY'
		os.set_inheritable(s.fileno(), True)
		subprocess.run(["sh", "-c", f"printf 'secret child' >&{s.fileno()}"], close_fds=False, check=True)
		print(s.recv(100))
		s.sendall(b"secret parent"); print(s.recv(100))
		print(s.getpeername()[1])
	PY
	expect "$T/out" "b'secret child'"
	expect "$T/out" "b'secret parent'"
	expect "$T/out" "80"
	wire_is_tls
}

test_an_exec_with_a_connection_at_any_number_hands_it_over() {
	serving --http
	program <<-'PY'
		os.dup2(s.fileno(), 6, True)
		os.execvp("sh", ["sh", "-c", r"printf 'GET /secret HTTP/1.0\r\n\r\n' >&6; cat <&6"])
	PY
	expect "$T/out" "hello over tls"
	wire_is_tls
}

test_a_connection_that_is_close_on_exec_is_not_handed_over() {
	serving
	program <<-'PY'
		os.execvp("sh", ["sh", "-c", f"[ ! -e /proc/self/fd/{s.fileno()} ] && echo closed"])
	PY
	expect "$T/out" "closed"
}

# filled_then_execs PROGRAM: nothing between program and server: as much is written as fits while the server does not read and its tickets are not
# read, then the program execs.
filled_then_execs() {
	start_tls right --http --tickets 8 --slow
	originating $HOST "$PORT"
	{
		cat <<-'PY'
			s.setblocking(False)
			count = 0
			try:
			    while True:
			        count += s.send(b"s" * 50000)
			except BlockingIOError:
			    pass
			time.sleep(0.3)
			open("count", "w").write(str(count))
		PY
		printf '%s\n' "$1"
	} | program
}

test_an_exec_that_closes_a_connection_loses_nothing_to_unread_tickets() { # alone
	filled_then_execs 'os.execvp("true", ["true"])'
	wait_for 40 holds "$(cat count)"
}

test_an_exec_that_hands_a_connection_over_with_unread_tickets_loses_nothing() { # alone
	filled_then_execs 's.setblocking(True); os.set_inheritable(s.fileno(), True); os.execvp("sh", ["sh", "-c", f"printf last >&{s.fileno()}"])'
	wait_for 40 holds $(($(cat count) + 4))
	equal "$(tail -c 4 "$T/plain")" last
	sleep 0.3
	ended_well
}

test_an_exec_that_fails_leaves_a_connection_as_it_was() {
	start_tls right --echo --tickets 8
	originating $HOST "$PORT"
	program <<-'PY'
		s.sendall(b"first"); time.sleep(0.3)
		try:
		    os.execv("/none", ["none"])
		except FileNotFoundError:
		    pass
		s.sendall(b"second")
		print(s.recv(11, socket.MSG_WAITALL))
		s.close()
	PY
	expect "$T/out" "b'firstsecond'"
	ended_well
}

test_posix_spawn_puts_a_connection_on_standard_streams() {
	serving --http
	program <<-'PY'
		pid = os.posix_spawn("/bin/sh", ["sh", "-c", r"printf 'GET /secret HTTP/1.0\r\n\r\n'; cat >&2"], os.environ,
		                     file_actions=[(os.POSIX_SPAWN_DUP2, s.fileno(), 0), (os.POSIX_SPAWN_DUP2, s.fileno(), 1)])
		os.waitpid(pid, 0)
		print("parent", s.getpeername()[1])
	PY
	expect "$T/err" "hello over tls"
	expect "$T/out" "parent 80"
	wire_is_tls
}

test_children_of_system_and_popen_leave_a_connection_alone() {
	serving
	program <<-'PY'
		os.set_inheritable(s.fileno(), True)
		libc.system(b"true"); os.popen("true").read()
		s.sendall(b"secret"); print(s.recv(100))
		s.close()
	PY
	expect "$T/out" "b'secret'"
	ended_well
}

test_a_descriptor_sent_to_another_process_carries_tls_there() {
	serving
	program <<-'PY'
		a, b = socket.socketpair()
		pid = os.fork()
		if pid == 0:
		    s.close()
		    _, control, _, _ = b.recvmsg(1, socket.CMSG_SPACE(4))
		    t = socket.socket(fileno=array.array("i", control[0][2])[0])
		    t.sendall(b"secret"); print(t.recv(100), t.getpeername()[1], flush=True)
		    os._exit(0)
		a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
		s.close()
		os.waitpid(pid, 0)
	PY
	expect "$T/out" "b'secret' 80"
	wire_is_tls
	ended_well
}

test_a_daemon_keeps_the_connection_of_its_parent() {
	serving
	program <<-'PY'
		libc.daemon(1, 1)
		s.sendall(b"secret")
		open("answer.new", "wb").write(s.recv(100)); os.rename("answer.new", "answer")
		s.close()
	PY
	wait_for 20 test -s "$T/answer"
	equal "$(cat "$T/answer")" secret
	ended_well
}

test_a_child_under_a_new_terminal_leaves_the_connection_alone() {
	serving
	program <<-'PY'
		import pty
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp("true", ["true"])
		os.waitpid(pid, 0)
		s.sendall(b"secret"); print(s.recv(100))
		s.close()
	PY
	expect "$T/out" "b'secret'"
	ended_well
}

test_a_signal_handler_that_interrupts_the_library_sends_no_plaintext_and_does_not_hang() {
	serving --http
	status covered "$PROGRAMS/interrupted" $HOST
	expect_status 0
	wait_for 20 holds "$(cat "$T/out")"
	wire_is_tls
	expect "$T/plain" "secret handler"
	ended_well
}

test_a_child_that_closes_and_replaces_descriptors_changes_nothing_of_its_parents() {
	serving
	local how
	for how in vfork clone shared instruction number; do
		status covered "$PROGRAMS/children" $how $HOST
		[ "$STATUS" = 0 ] || fail "$how: $STATUS $(cat "$T/err")"
	done
	wire_is_tls
	ended_well
}

# forks HOW [ROUNDS]: tests/programs/forks.c ends well.
forks() {
	status covered "$PROGRAMS/forks" "$1" $HOST "${2:-1}"
	expect_status 0
	wire_is_tls
}

test_a_fork_beside_busy_threads_leaves_a_child_that_does_not_hang() {
	serving
	forks busy "${FORKS:-40}"
	# Records that two processes encrypted with one key and number could not be read.
	expect_not "$T/tls.err" "MAC"
}

# 8 MiB, or some of it and what the child said instead.
all_came() {
	holds 8388608 || grep -q "secret child" "$T/plain"
}

test_a_write_that_waits_while_its_process_forks_never_shares_a_nonce() {
	serving --http --slow
	forks waiting
	wait_for 20 all_came
	sleep 0.3 # the second record of one number, if there is one, comes behind the first
	expect_not "$T/tls.err" "MAC"
}

test_a_fork_in_a_signal_handler_does_not_hang_whatever_it_interrupts() { # limit=150
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's own steps are too many"
	[ "$(uname -m)" = x86_64 ] || skip "the program steps through x86_64 code only"
	serving
	status covered "$PROGRAMS/steps" $HOST fork
	expect_status 0
	wire_is_tls
	ended_well
}
