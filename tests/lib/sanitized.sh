# For the tests of a build with a sanitizer, whose runtime is $EGRET_SANITIZER: what it reports in any process that the test started fails
# the test. It goes to files, since a relay has no standard error. Sourced by shell_test.sh.

REPORTS=$T/sanitizer

# verify_asan_link_order: `egret run` puts the library before all others. die_after_fork: a copy of a program with threads may start threads.
# quarantine_size_mb: freed memory that is kept from use is memory held, of which some tests allow little. abort_on_error and the like stay as
# they are: a report ends the program.
export ASAN_OPTIONS=log_path=$REPORTS:detect_leaks=0:quarantine_size_mb=16:verify_asan_link_order=0
export UBSAN_OPTIONS=log_path=$REPORTS:print_stacktrace=1
export TSAN_OPTIONS=log_path=$REPORTS:suppressions=$ROOT/tests/lib/thread_sanitizer.supp:die_after_fork=0

# ASan's word about itself, of a child of vfork on a stack of its own, is no report: three lines a file and nothing else.
tell_reports() {
	local status=$? file
	for file in "$REPORTS".*; do
		[ ! -e "$file" ] || grep -vqE 'ASan is ignoring requested __asan_handle_no_return|^False positive error reports may follow$|sanitizers/issues/189$' "$file" || rm "$file"
	done
	compgen -G "$REPORTS.*" >/dev/null || exit "$status"
	head -c 8000 "$REPORTS".*
	exit 1
}
trap tell_reports EXIT
