# What sendmsg asks of the supervisor.

# Counts how often the supervisor's threads woke up (proc_pid_status(5)) while a message was sent 500 times in each form.
write_messages() {
	cat >"$T/messages.py" <<-'PYTHON'
		import os, socket, threading
		def woken():
		    threads = f"/proc/{os.getppid()}/task"
		    text = "".join(open(f"{threads}/{thread}/status").read() for thread in os.listdir(threads))
		    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary_ctxt_switches"))

		def send_all(out, into):
		    before = woken()
		    for flags in 0, socket.MSG_NOSIGNAL, socket.MSG_DONTWAIT:
		        for parts in [b"one"], [b"one", b"two", b"", b"three"]:
		            whole = b"".join(parts)
		            for _ in range(500):
		                assert out.sendmsg(parts, [], flags) == len(whole)
		                assert into.recv(99, socket.MSG_WAITALL if len(whole) == 99 else 0) == whole
		    assert out.sendmsg([b"a" * 20000, b"b" * 20000], [], socket.MSG_NOSIGNAL) == 40000
		    assert into.recv(40000, socket.MSG_WAITALL) == b"a" * 20000 + b"b" * 20000
		    return woken() - before

		server = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(server.getsockname())
		accepted = server.accept()[0]
		left, right = socket.socketpair()
		print(send_all(client, accepted) + send_all(accepted, client) + send_all(left, right))
		alone = socket.socket()
		try: alone.sendmsg([b""])
		except BrokenPipeError: print("as the kernel")
		try: os.dup2(os.open("/dev/null", os.O_WRONLY), alone.fileno()); alone.sendmsg([b"x"], [], 0)
		except OSError as error: print(error.errno)
	PYTHON
}

test_a_preloaded_programs_sendmsg_on_a_stream_asks_nothing_of_the_supervisor() { # quick
	need_library
	need python3
	policy <<<"[egret]"
	write_messages
	status "$EGRET" run --sandbox=require -- python3 "$T/messages.py"
	expect_status 0
	local asked
	asked=$(head -n 1 "$T/out")
	[ "$asked" -ge 50 ] || fail "messages were to wake the supervisor: $(cat "$T/out")"
	status "$EGRET" run --sandbox=auto -- python3 "$T/messages.py"
	expect_status 0
	[ "$(head -n 1 "$T/out")" -le $((asked / 4)) ] || fail "the supervisor was woken $(head -n 1 "$T/out") times, $asked by every message"
	expect "$T/out" "as the kernel"
	equal "$(tail -n 1 "$T/out")" 88
}
