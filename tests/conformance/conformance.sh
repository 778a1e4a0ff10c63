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
	conduct --seconds "${EGRET_CONFORMANCE_SECONDS:-100}" --first "${EGRET_CONFORMANCE_SEED:-1}" --count "${EGRET_CONFORMANCE_COUNT:-250}"
}

test_what_once_differed_is_the_same() { # quick
	conduct --replay "$ROOT"/tests/conformance/replays/*.calls
}
