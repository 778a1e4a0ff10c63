# What keeps a process covered survives whatever a program does to its environment, and cannot be changed by it.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

test_the_environment_survives_every_way_to_start_a_program() { # quick
	need_library
	sample_policy
	local way
	for way in execve execv execvp execvpe execl execlp execle fexecve execveat syscall posix_spawn posix_spawnp old_posix_spawn pidfd_spawn \
		pidfd_spawnp system popen wordexp; do
		status covered "$PROGRAMS/exec_ways" "$way"
		[[ $STATUS != 38 || $way != pidfd_* ]] || continue # this libc has none
		expect_status 0
		grep -qxF "LD_PRELOAD=$EGRET_LIB" "$T/out" || fail "$way lost LD_PRELOAD"
		grep -qxF "EGRET_CONFIG=$T/egret.ini" "$T/out" || fail "$way lost EGRET_CONFIG"
	done
}

test_a_descendant_chooses_no_policy_mode_or_log_of_its_own() {
	need_library
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
	INI
	printf '[egret]\nunmatched = allow\n' >"$T/own.ini"
	mkdir -p "$T/home/egret"
	cp "$T/own.ini" "$T/home/egret/egret.ini"
	local change
	for change in "EGRET_CONFIG=$T/own.ini" EGRET_MODE=off EGRET_MODE=audit "EGRET_LOG=$T/own.log" "XDG_CONFIG_HOME=$T/home" LD_PRELOAD= \
		"LD_PRELOAD=libc.so.6" "-i" "-u LD_PRELOAD" "-u EGRET_CONFIG"; do
		# shellcheck disable=SC2086
		status covered sh -c "env $change $(command -v curl) -sS --max-time 10 http://127.0.0.1:$PORT/secret"
		[ "$STATUS" != 0 ] || fail "env $change passed"
	done
	wire_is_silent
	[ ! -e "$T/own.log" ] || fail "it chose its log"
}

test_where_there_is_no_policy_a_descendant_cannot_bring_one() {
	need_library
	start_recorder
	mkdir -p "$T/home/egret"
	printf '[egret]\nunmatched = allow\n' >"$T/home/egret/egret.ini"
	chmod 600 "$T/home/egret/egret.ini"
	[ ! -e /etc/egret/egret.ini ] || skip "this machine has a policy"
	status covered sh -c "XDG_CONFIG_HOME=$T/home EGRET_CONFIG=$T/home/egret/egret.ini $(command -v curl) -sS --max-time 10 http://$(hostname):1/"
	status covered sh -c "XDG_CONFIG_HOME=$T/home $(command -v curl) -sS --max-time 10 http://198.51.100.7:1/"
	expect "$T/err" "no policy"
}

test_a_relative_library_and_policy_hold_in_another_directory() {
	need_library
	sample_policy
	mkdir -p "$T/lib/egret" "$T/elsewhere"
	cp "$EGRET_LIB" "$T/lib/egret/"
	(cd "$T" && EGRET_CONFIG=egret.ini LD_PRELOAD=lib/egret/libegret.so /bin/sh -c 'cd elsewhere && /usr/bin/env') >"$T/out" 2>"$T/err"
	expect "$T/out" "LD_PRELOAD=$T/lib/egret/libegret.so"
	expect "$T/out" "EGRET_CONFIG=$T/egret.ini"
	[ ! -s "$T/err" ] || fail "$(cat "$T/err")"
}

# denied_late: nothing passes, and the errno tells that this policy was asked.
denied_late() {
	need_library
	policy <<-INI
		[egret]
		deny_errno = ETIMEDOUT
	INI
}

test_what_a_program_overwrites_before_its_first_call_changes_nothing() {
	denied_late
	equal "$(covered "$PROGRAMS/late" environment 2>"$T/err")" ETIMEDOUT
	expect "$T/err" "egret: denied tcp 203.0.113.9:80"
	local long
	printf -v long '%2000s' "" # an environment that the library has no room for
	equal "$(HOME=$long covered "$PROGRAMS/late" environment 2>/dev/null)" ETIMEDOUT
}

test_a_file_that_was_opened_as_descriptor_2_before_the_first_call_gets_no_line_of_ours() {
	denied_late
	equal "$(covered "$PROGRAMS/late" stderr "$T/data" 2>&-)" ETIMEDOUT
	[ -e "$T/data" ] && [ ! -s "$T/data" ] || fail "$(cat "$T/data")"
}

test_a_fork_during_another_threads_first_call_gives_a_child_that_works() {
	denied_late
	local i
	for i in $(seq 60); do
		covered "$PROGRAMS/late" fork 2>>"$T/err" || fail "round $i: $(tail -3 "$T/err")"
	done
}

test_a_program_that_connects_nowhere_never_reads_the_policy() {
	need_library
	policy <<<"this is no policy"
	status covered sh -c 'echo hello | cat; ls /'
	expect_status 0
	[ ! -s "$T/err" ] || fail "$(cat "$T/err")"
	status covered "$PROGRAMS/late"
	expect "$T/err" "did not load"
}
