#!/usr/bin/env bash
# one.sh KIND FILE NAME LIMIT: runs one test (of a unit binary: all that fit) and tells the result. Called by tests/run.
set -u
kind=$1 file=$2 name=$3 limit=$4 begun=${EPOCHREALTIME/./}
. tests/lib/running.sh
dir=$(mktemp -d "$EGRET_TEST_WORK/test.XXXXXX") # no words of a sentence: tests look for words in messages
[ -n "$dir" ] || exit 1

# say pass|fail|skip NAME [FILE with details]: one line a test, whole, also when two run at once.
say() {
	local sentence=${2//_/ } word=ok
	[ "$1" = fail ] && word='not ok'
	[ "$1" = skip ] && sentence="$sentence # skip: $(grep -v "^# " "$3" | tail -n 1)"
	{
		flock 9
		echo "$word $sentence"
		if [ "$1" = fail ] && [ -s "${3:-/dev/null}" ]; then tail -n 60 "$3" | sed 's/^/    /'; fi
		echo "$1 $2" >>"$EGRET_TEST_WORK/results"
	} 9>"$EGRET_TEST_WORK/lock"
}

# Kills what the test left running: its session, and whatever carries its mark although it left that session.
sweep() {
	local environ pid
	[ -s "$dir/session" ] && pkill -KILL -s "$(cat "$dir/session")"
	for environ in $(grep -lszxF "EGRET_TEST_DIR=$dir" /proc/[0-9]*/environ); do
		pid=${environ#/proc/}
		kill -KILL "${pid%/environ}" 2>/dev/null
	done
	rm -rf "$dir"
}

run_limited() {
	EGRET_TEST_DIR=$dir timeout --foreground -k 2 "$limit" setsid bash -c 'echo $$ >"$EGRET_TEST_DIR/session"; exec "$@"' - "$@" \
		>"$dir/output" 2>&1 </dev/null
}

run_unit() {
	local status line word test bad=0 seen=0
	CMOCKA_MESSAGE_OUTPUT=TAP run_limited "$EGRET_BUILD/tests/unit/$name"
	status=$?
	while read -r line; do
		# cmocka's TAP: "ok 1 - name", "not ok 2 - name", "not ok 3 # SKIP name".
		[[ $line =~ ^(not\ )?ok\ [0-9]+\ (-|#\ SKIP)\ ([A-Za-z0-9_]+) ]] || continue
		test=${BASH_REMATCH[3]#test_} word=pass
		[ -z "${BASH_REMATCH[1]}" ] || word=fail
		[ "${BASH_REMATCH[2]}" = - ] || word=skip
		seen=1
		[ $word != fail ] || bad=1
		wanted "$test" || wanted "$name" || continue
		say $word "$test" "$dir/output"
	done <"$dir/output"
	# A crash, a leak or a time-out ends a binary without telling of its tests.
	if [ $status -ne 0 ] && [ $bad = 0 ] || [ $seen = 0 ]; then
		echo "exit status $status" >>"$dir/output"
		say fail "${name}_runs_to_its_end" "$dir/output"
	fi
}

run_script() {
	local status
	if [ "$kind" = gate ]; then run_limited bash "$file"; else run_limited bash tests/lib/shell_test.sh "$file" "test_$name"; fi
	status=$?
	case $status in
	0) say pass "$name" ;;
	77) say skip "$name" "$dir/output" ;;
	*)
		[ $status = 124 ] && echo "still running after $limit s" >>"$dir/output"
		say fail "$name" "$dir/output"
		;;
	esac
}

trap sweep EXIT
trap 'exit 1' INT TERM
if [ "$kind" = unit ]; then run_unit; else run_script; fi
printf '%6.1f %s\n' "$(((${EPOCHREALTIME/./} - begun) / 100000))e-1" "$name" >>"$EGRET_TEST_WORK/times"
exit 0
