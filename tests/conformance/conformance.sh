# A wrapped socket against the TCP socket it stands for: the same random calls, the same results, bytes, errnos and readiness.

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
		tls_truncation = ${TRUNCATION:-error}
	INI
	python3 "$ROOT/tests/conformance/conduct.py" --build "$EGRET_BUILD" --work "$T" "$@"
}

test_random_calls_give_the_same_over_tcp_and_wrapped() { # limit=170
	conduct --seconds "${EGRET_CONFORMANCE_SECONDS:-100}" --first "${EGRET_CONFORMANCE_SEED:-1}" --count "${EGRET_CONFORMANCE_COUNT:-300}"
}

test_what_once_differed_is_the_same() { # quick
	conduct --replay "$ROOT"/tests/conformance/replays/*.calls
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
