# egret run: exit statuses, signals, what it refuses, what it leaves behind.

plain_policy() {
	policy <<-INI
		[egret]
		log = none
		[api]
		hosts = api.example.com
		ports = 443
	INI
}

test_run_ends_as_its_command_ends() { # quick
	need_library
	plain_policy
	status "$EGRET" run -- sh -c 'exit 7'
	expect_status 7
	status "$EGRET" run -- sh -c 'kill -TERM $$'
	expect_status 143
	status "$EGRET" run -- true
	expect_status 0
}

test_run_tells_a_missing_command_from_one_that_may_not_run() { # quick
	plain_policy
	status "$EGRET" run -- no-such-program-here
	expect_status 127
	echo data >file
	status "$EGRET" run -- ./file
	expect_status 126
	status "$EGRET" run -- "$T"
	expect_status 126
}

test_run_with_a_policy_that_does_not_load_starts_nothing_and_lists_every_error() { # quick
	policy < <(printf '[a]\nhosts = a.example\nports = 99999\n[b]\nhosts = b.example\nprotcol = tcp\nports = 80\n')
	status "$EGRET" run -- touch started
	expect_status 125
	expect err "egret.ini:3:"
	expect err "egret.ini:6:"
	[ ! -e started ]
}

test_run_refuses_wrong_options_with_125() { # quick
	plain_policy
	status "$EGRET" run
	expect_status 125
	status "$EGRET" run --mode=lenient -- true
	expect_status 125
	expect err "enforce, audit, off"
	status "$EGRET" run --sandbox=maybe -- true
	expect_status 125
	status "$EGRET" run --unknown -- true
	expect_status 125
}

test_run_leaves_the_flags_of_the_command_alone() { # quick
	need_library
	plain_policy
	equal "$("$EGRET" run echo --mode -c x 2>/dev/null)" "--mode -c x"
	equal "$("$EGRET" run -- echo -- x 2>/dev/null)" "-- x"
}

test_run_refuses_a_static_program_without_a_sandbox() { # quick
	plain_policy
	echo 'int main(void) { return 0; }' >p.c
	gcc -static -o static p.c
	status "$EGRET" run --sandbox=off -- ./static
	expect_status 125
	expect err "is statically linked"
	printf '#!%s/static\n' "$T" >script
	chmod +x script
	status "$EGRET" run --sandbox=off -- ./script
	expect_status 125
}

test_run_refuses_a_program_of_another_width() { # quick
	plain_policy
	echo 'int main(void) { return 0; }' >p.c
	gcc -m32 -o narrow p.c 2>/dev/null || skip "no 32-bit compiler"
	status "$EGRET" run --sandbox=off -- ./narrow
	expect_status 125
	expect err "width"
}

test_run_forwards_a_signal_and_reports_the_commands_answer() { # quick
	need_library
	plain_policy
	"$EGRET" run -- bash -c 'trap "exit 9" USR1; touch ready; while :; do sleep 0.05; done' &
	wait_for 10 test -e ready
	kill -USR1 $!
	STATUS=0
	wait $! || STATUS=$?
	expect_status 9
}

test_run_names_the_active_layers_on_one_line() { # quick
	plain_policy
	status "$EGRET" run --sandbox=off -- true
	equal "$(grep -c layers: err)" 1
	expect err "preload"
}

test_run_leaves_no_directory_behind_and_its_own_is_private() { # quick
	need_library
	plain_policy
	mkdir run
	TMPDIR=$T/run XDG_RUNTIME_DIR='' "$EGRET" run -- sh -c 'stat -c %a "$EGRET_RUN"; ls "$EGRET_RUN"' >out
	equal "$(head -n 1 out)" 700
	expect out events
	equal "$(ls run)" ""
}

test_run_under_require_makes_no_directory_which_nothing_of_ours_would_use() { # quick
	plain_policy
	mkdir -m 755 room
	status env TMPDIR="$T/room" XDG_RUNTIME_DIR= "$EGRET" run --sandbox=require -- ls -A room
	grep -q "layers: sandbox" err || skip "no sandbox here"
	expect_status 0
	equal "$(cat out)" ""
}

test_run_gives_a_text_without_an_interpreter_to_the_shell_with_its_words() { # quick
	need_library
	plain_policy
	printf 'echo "$0 $2 $1"\nexit 3\n' >text
	chmod +x text
	for sandbox in off auto; do
		status "$EGRET" run --sandbox=$sandbox -- ./text "a b" c
		expect_status 3
		equal "$(cat out)" "./text c a b"
	done
}

# left_by_a_killed_run: a run is killed while its command lives on: their ids into $RUN_PID and $COMMAND, its directory into $LEFT.
left_by_a_killed_run() {
	"$EGRET" run --sandbox=off -- sh -c 'echo $$ "$EGRET_RUN" >"$T/alive.new"; mv "$T/alive.new" "$T/alive"; exec sleep 300' 2>/dev/null &
	RUN_PID=$!
	wait_for 20 test -s "$T/alive"
	read -r COMMAND LEFT <"$T/alive"
	kill -KILL "$RUN_PID"
	wait "$RUN_PID" || true
}

test_run_removes_what_a_killed_run_left_when_nobody_lives_there_any_more() { # quick
	need_library
	plain_policy
	export T TMPDIR=$T/room
	unset XDG_RUNTIME_DIR
	mkdir -m 755 "$TMPDIR"
	left_by_a_killed_run
	"$EGRET" run -- true
	[ -d "$LEFT" ] || fail "the directory went while a process of the run lived"
	kill -KILL "$COMMAND"
	wait_for 10 test ! -e "/proc/$COMMAND/environ" -o ! -s "/proc/$COMMAND/environ"
	mkdir "$LEFT/sub"
	echo kept >"$T/elsewhere"
	ln -s "$T" "$LEFT/sub/link"
	"$EGRET" run -- true
	[ ! -e "$LEFT" ] || fail "$LEFT is still there"
	expect "$T/elsewhere" kept
}

test_run_keeps_the_directories_of_living_runs_and_of_others() { # quick
	need_library
	plain_policy
	export TMPDIR=$T/room
	unset XDG_RUNTIME_DIR
	mkdir -m 755 "$TMPDIR"
	mkdir -m 700 "$TMPDIR/egret-run.longer-than-ours" "$T/aim"
	mkdir -m 755 "$TMPDIR/egret-run.shared"
	ln -s "$T/aim" "$TMPDIR/egret-run.linked"
	"$EGRET" run -- sh -c 'unset EGRET_RUN; exec "$1" run -- sh -c "ls $TMPDIR"' - "$EGRET" >out 2>err
	equal "$(grep -c '^egret-run\.......$' out)" 4 # two runs, two that are no run's
	[ -d "$TMPDIR/egret-run.longer-than-ours" ] && [ -d "$TMPDIR/egret-run.shared" ] && [ -d "$T/aim" ] || fail "it removed what is not ours"
}

test_a_command_under_run_reads_its_own_standard_input() { # quick
	need_library
	plain_policy
	equal "$(echo words | "$EGRET" run -- cat 2>/dev/null)" words
}

denying_policy() {
	policy <<-INI
		[egret]
		internal = none
		[api]
		hosts = api.example.com
		ports = 443
	INI
}

test_fail_on_deny_makes_a_denial_the_exit_status_of_a_command_that_succeeded() { # quick
	need_library
	denying_policy
	local sandbox
	for sandbox in off auto; do
		status "$EGRET" run --sandbox=$sandbox --fail-on-deny -- bash -c '(: <>/dev/tcp/203.0.113.9/80) || true'
		expect_status 1
		expect err "1 denied (--fail-on-deny)"
		status "$EGRET" run --sandbox=$sandbox --fail-on-deny -- bash -c '(: <>/dev/tcp/203.0.113.9/80) || exit 9'
		expect_status 9
		status "$EGRET" run --sandbox=$sandbox --fail-on-deny -- true
		expect_status 0
		status "$EGRET" run --sandbox=$sandbox -- bash -c '(: <>/dev/tcp/203.0.113.9/80) || true'
		expect_status 0
	done
}

test_the_report_tells_each_denial_once_in_every_layer_and_leaves_stdout_alone() { # quick
	need_library
	denying_policy
	local sandbox
	for sandbox in off auto; do
		status "$EGRET" run --sandbox=$sandbox --report=json -- bash -c 'echo mine; (: <>/dev/tcp/203.0.113.9/80) || true'
		expect_status 0
		equal "$(cat out)" mine
		equal "$(grep -v '^egret: \|^bash: ' err | jq '[.destinations[] | select(.verdict == "deny")] | length' 2>/dev/null)" 1
	done
}

test_a_markdown_report_goes_to_the_jobs_summary_too() { # quick
	need_library
	denying_policy
	echo "before" >summary
	GITHUB_STEP_SUMMARY=$T/summary status "$EGRET" run --sandbox=off --report=md -- bash -c '(: <>/dev/tcp/203.0.113.9/80) || true'
	expect err "| deny"
	expect summary "| deny"
	equal "$(head -n 1 summary)" before
	GITHUB_STEP_SUMMARY=$T/other status "$EGRET" run --sandbox=off --report=text -- true
	[ ! -e other ]
}

test_a_descendant_that_runs_uncovered_counts_as_a_denial_unless_a_sandbox_holds_it() { # quick
	need_library
	denying_policy
	echo 'int main(void) { return 0; }' >p.c
	gcc -static -o static p.c
	status "$EGRET" run --sandbox=off --fail-on-deny --report=text -- sh -c ./static
	expect_status 1
	expect err "is statically linked: it runs uncovered"
	expect err "1 denied"
	status "$EGRET" run --sandbox=auto --fail-on-deny -- sh -c ./static
	grep -q "supervisor" err || skip "no sandbox here"
	expect_status 0
	expect_not err "runs uncovered"
}

test_a_bad_value_of_an_option_is_told_with_the_good_ones() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox true
	expect_status 125
	expect err "--sandbox: expected one of auto, require, off, got \`true\`"
	status "$EGRET" run --report=xml true
	expect_status 125
	expect err "--report: expected one of none, text, md, json, got \`xml\`"
}

test_the_line_of_the_layers_says_where_nothing_is_enforced() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=off true
	equal "$(cat err)" "egret: layers: preload; sandbox off"
	status "$EGRET" run --sandbox=off --mode=audit true
	equal "$(cat err)" "egret: layers: preload; sandbox off; mode audit"
	EGRET_MODE=off status "$EGRET" run --sandbox=off true
	equal "$(cat err)" "egret: layers: preload; sandbox off; mode off"
	policy <<<"$(printf '[egret]\nmode = audit')"
	status "$EGRET" run --sandbox=off true
	equal "$(cat err)" "egret: layers: preload; sandbox off; mode audit"
	status "$EGRET" run --sandbox=off --mode=enforce true
	equal "$(cat err)" "egret: layers: preload; sandbox off"
}

test_a_log_that_cannot_be_written_is_told_before_the_command_runs() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=off --log="$T/none/log" -- touch "$T/ran"
	expect_status 125
	expect err "--log: $T/none/log cannot be written: No such file or directory"
	status "$EGRET" run --sandbox=off --log="$T" -- touch "$T/ran"
	expect_status 125
	expect err "--log: $T cannot be written: Is a directory"
	[ ! -e "$T/ran" ] || fail "the command ran"
	status "$EGRET" run --sandbox=off --log="$T/log" -- touch "$T/ran"
	expect_status 0
}
