# A wrapped socket against the TCP socket it stands for: the same random calls, the same results.

# both_alike VERSION SEED...: transcripts over TCP, without the library, and over TLS, with it.
both_alike() {
	need_library
	local version=$1 seed plain
	shift
	python3 "$ROOT/tests/lib/plain_echo.py" "$T/plain.port" &
	announced "$T/plain.port"
	plain=$PORT
	start_tls right --echo --max-version "$version"
	originating localhost "$PORT"
	for seed; do
		"$PROGRAMS/same_as_tcp" "$plain" "$seed" >"$T/tcp" || fail "seed $seed over TCP: $?"
		covered "$PROGRAMS/same_as_tcp" 80 "$seed" >"$T/wrapped" 2>"$T/err" || fail "seed $seed wrapped: $? $(cat "$T/err")"
		diff "$T/tcp" "$T/wrapped" >"$T/diff" || fail "seed $seed, TCP on the left: $(head -20 "$T/diff")"
	done
	expect "$T/plain.handshakes" "TLSv$version"
}

test_a_wrapped_socket_answers_random_calls_as_tcp_does() { # quick
	both_alike 1.3 1 2 3 4 5 6 7 8
}

test_a_wrapped_socket_of_tls_1_2_answers_random_calls_as_tcp_does() {
	both_alike 1.2 $(seq 100 115)
}
