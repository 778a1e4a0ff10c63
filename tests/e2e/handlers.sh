# What signal handlers may do with a connection.
# sanitized

HOST=www.googleapis.com

echoing() {
	start_tls right --echo "$@"
	originating $HOST "$PORT"
}

test_calls_on_an_open_connection_ask_the_programs_malloc_for_nothing() { # quick
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer has a malloc of its own"
	local version
	for version in 1.2 1.3; do
		echoing --max-version $version
		status covered "$PROGRAMS/steady" $HOST
		expect_status 0
		[ ! -s "$T/out" ] || fail "TLS $version: $(cat "$T/out")"
	done
}

test_a_handler_that_interrupted_malloc_writes_and_reads() {
	echoing
	status covered "$PROGRAMS/handlers" $HOST 5000 malloc
	expect_status 0
	equal "$(cat "$T/out")" "0 refused
0 wrong"
}
