# What every shell test starts from. A test is a function `test_PROMISE`; it runs under `set -eu -o pipefail`, in its own
# directory ($PWD, $T), in its own session, and what it leaves running is killed. It fails by any failing command.
#
#   $ROOT the tree   $EGRET the command   $EGRET_LIB libegret.so   $T the test's directory

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
T=$EGRET_TEST_DIR
EGRET=$EGRET_BUILD/bin/egret
EGRET_LIB=$EGRET_BUILD/lib/egret/libegret.so
PROGRAMS=$EGRET_BUILD/tests/programs
export HOME=$T LC_ALL=C.UTF-8

# skip REASON: the machine lacks what the test needs.
skip() {
	echo "$*"
	exit 77
}

# fail TEXT: ends the test.
fail() {
	echo "$*" >&2
	exit 1
}

# need PROGRAM...: skips the test where one is missing.
need() {
	local program
	for program; do command -v "$program" >/dev/null || skip "$program is not installed"; done
}

# need_library: skips the test where libegret.so is not built.
need_library() {
	nm -D "$EGRET_LIB" 2>/dev/null | grep ' T connect$' >/dev/null || skip "libegret.so is not built"
}

# status COMMAND...: runs it and leaves its exit status in $STATUS, output in $T/out and $T/err.
status() {
	STATUS=0
	"$@" >"$T/out" 2>"$T/err" || STATUS=$?
}

# expect_status N
expect_status() {
	[ "$STATUS" = "$1" ] && return
	show_output
	fail "exit status $STATUS, expected $1"
}

show_output() {
	head -c 4000 "$T/out" "$T/err" >&2
}

# expect FILE TEXT: FILE contains TEXT (a fixed string).
expect() {
	grep -qF -- "$2" "$1" && return
	head -c 4000 "$1" >&2
	fail "$(basename "$1") does not contain: $2"
}

# expect_not FILE TEXT: FILE is there and does not contain TEXT.
expect_not() {
	[ -e "$1" ] || fail "there is no $1, which is not to contain: $2"
	grep -qaF -- "$2" "$1" || return 0
	head -c 4000 "$1" >&2
	fail "$(basename "$1") contains: $2"
}

# equal GOT EXPECTED
equal() {
	[ "$1" = "$2" ] || fail "got: $1
expected: $2"
}

# wait_for SECONDS COMMAND...: polls until it succeeds.
wait_for() {
	local tries=$(($1 * 20))
	shift
	until "$@" 2>/dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "waited in vain for: $*"
		sleep 0.05
	done
}

for part in "$ROOT"/tests/lib/with_*.sh; do
	if [ -e "$part" ]; then . "$part"; fi
done
