# A wrapped socket against the TCP socket it stands for: the same random calls, the same results, bytes, errnos and readiness.
# sanitized

conduct() {
	need_library
	certificates
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[server]
		hosts = localhost
		ports = *
		protocol = tcp
		tls = originate
		tls_ca_file = $CERTS/ca.pem
		tls_handshake_timeout = 10m
		tls_truncation = ${TRUNCATION:-error}
	INI
	python3 "$ROOT/tests/conformance/conduct.py" --build "$EGRET_BUILD" --work "$T" "$@"
}

test_random_calls_give_the_same_over_tcp_and_wrapped() { # limit=170
	conduct --jobs "${EGRET_CONFORMANCE_JOBS:-3}" --seconds "${EGRET_CONFORMANCE_SECONDS:-90}" --first "${EGRET_CONFORMANCE_SEED:-1}" --count "${EGRET_CONFORMANCE_COUNT:-300}"
}

test_what_once_differed_is_the_same() { # quick
	local replays=("$ROOT"/tests/conformance/replays/*.calls)
	# A sanitizer's runtime reads the memory itself, and dies of it: over TCP, too.
	[ -z "${EGRET_SANITIZER:-}" ] || mapfile -t replays < <(grep -L '^fault' "${replays[@]}")
	conduct --replay "${replays[@]}"
}

test_a_round_trip_costs_one_send_and_two_receives() { # quick
	need strace
	need_library
	start_tls right --echo
	originating localhost "$PORT"
	cat >"$T/trip.py" <<-'PY'
		import socket
		s = socket.create_connection(("localhost", 80))
		for i in range(500):
		    s.sendall(b"x" * 64)
		    assert len(s.recv(64)) == 64
	PY
	strace -f -o "$T/calls" -e trace=network -E LD_PRELOAD="$EGRET_LIB" python3 "$T/trip.py"
	# One wait in the kernel's recv, one receive, as OpenSSL's own socket BIO needs for header and body. The handshake's come on top.
	[ "$(grep -cE 'sendto|sendmsg' "$T/calls")" -lt 520 ] || fail "sends: $(grep -cE 'sendto|sendmsg' "$T/calls")"
	[ "$(grep -cE 'recvfrom|recvmsg' "$T/calls")" -lt 1060 ] || fail "receives: $(grep -cE 'recvfrom|recvmsg' "$T/calls")"
}

test_a_loop_over_many_connections_asks_the_kernel_for_no_memory() { # quick
	need strace
	need_library
	start_tls right --echo
	originating localhost "$PORT"
	cat >"$T/loop.py" <<-'PY'
		import os, select, socket
		sockets = {}
		loop = select.epoll()
		for i in range(64):
		    s = socket.create_connection(("localhost", 80))
		    sockets[s.fileno()] = s
		    loop.register(s, select.EPOLLIN)
		def trip():
		    for s in sockets.values():
		        s.send(b"x" * 64)
		    left = set(sockets)
		    while left:
		        for fd, _ in loop.poll():
		            assert len(sockets[fd].recv(64)) == 64
		            left.discard(fd)
		trip()
		os.write(1, b"begin\n")
		for i in range(30):
		    trip()
		os.write(1, b"end\n")
	PY
	strace -f -o "$T/calls" -e trace=write,memory,network -E LD_PRELOAD="$EGRET_LIB" python3 "$T/loop.py"
	sed -n '/write(1, "begin/,/write(1, "end/p' "$T/calls" >"$T/loop.calls"
	local receives memory
	receives=$(grep -cE 'recvfrom|recvmsg' "$T/loop.calls")
	memory=$(grep -cE 'brk|mmap|munmap|madvise' "$T/loop.calls" || true)
	# One look that finds the record, one receive that takes it: as many as OpenSSL's own socket BIO needs.
	[ "$receives" -ge 1920 ] && [ "$receives" -lt 4000 ] || fail "receives: $receives of 1920 round trips"
	[ "$memory" -lt 60 ] || fail "calls for memory: $memory within 1920 round trips"
}

test_an_event_of_a_number_that_was_closed_is_told_though_a_connection_shares_its_data() { # quick
	local version
	need_library
	for version in 1.2 1.3; do
		start_tls right --echo --max-version $version
		originating good.example "$PORT"
		status covered "$PROGRAMS/strays" good.example
		expect_status 0
		equal "$(cat "$T/out")" right
	done
}
