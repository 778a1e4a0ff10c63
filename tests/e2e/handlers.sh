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
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's malloc is not for handlers"
	echoing
	status covered "$PROGRAMS/handlers" $HOST 5000 malloc
	expect_status 0
	equal "$(cat "$T/out")" "0 refused
0 wrong"
}

test_a_handler_writes_whole_or_nothing_to_another_connection_whatever_step_of_the_library_it_interrupts() { # limit=300
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's own steps are too many"
	[ "$(uname -m)" = x86_64 ] || skip "the program steps through x86_64 code only"
	echoing
	status covered "$PROGRAMS/steps" $HOST write
	expect_status 0
	# What is put off are steps of epoll_ctl, dup and close.
	local steps writes
	steps=$(sed -n 's/ steps$//p' "$T/out") writes=$(sed -n 's/ writes$//p' "$T/out")
	[ "$writes" -gt $((steps / 2)) ] || fail "$writes writes at $steps steps"
}

# Where a call was interrupted between two steps nobody may write; that is seldom.
test_a_handler_that_interrupted_a_transfer_writes_to_another_connection() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's malloc is not for handlers"
	echoing
	status covered "$PROGRAMS/handlers" $HOST 5000 other
	expect_status 0
	expect "$T/out" "0 wrong"
	[ "$(sed -n 's/ refused$//p' "$T/out")" -lt 500 ] || fail "of 5000 writes: $(cat "$T/out")"
}

test_a_handler_that_interrupted_a_transfer_writes_whole_or_nothing_to_the_same_connection() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer's malloc is not for handlers"
	echoing
	status covered "$PROGRAMS/handlers" $HOST 5000 same
	expect_status 0
	expect "$T/out" "0 wrong"
}
