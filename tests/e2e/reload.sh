# A changed policy is seen by running processes, and never half of it.

# version allow|deny: the policy's text for what 127.0.0.3 shall get; the other two verdicts are the same in both.
version() {
	printf '[egret]\ninternal = none\n[one]\nhosts = 127.0.0.1%s\nports = %s\n[two]\nhosts = 127.0.0.2\naction = deny\n' \
		"$([ "$1" = deny ] || echo ', 127.0.0.3')" "$PORT"
}

says() { [ "$(cat "$T/state" 2>/dev/null)" = "$1" ]; }

# running: what each test starts with: a port that nobody listens on, and a policy file of its own.
running() {
	need_library
	free_port
	export EGRET_CONFIG=$T/egret.ini
}

program() {
	chmod -R go-w .
	covered python3 "$ROOT/tests/lib/verdicts.py" "$T/state" "$PORT" >fds 2>said &
	PROGRAM=$!
	wait_for 20 says "$1"
}

ended() {
	touch state.stop
	wait "$PROGRAM" || fail "a wrong verdict: $(head -n 5 said)"
}

test_a_policy_replaced_by_rename_is_seen_while_threads_connect() { # quick
	running
	version deny >egret.ini
	program deny
	version allow >new
	mv new egret.ini
	wait_for 20 says allow
	version deny >new
	mv new egret.ini
	wait_for 20 says deny
	ended
	equal "$(grep -c 'did not load' said || true)" 0
}

test_an_edit_in_place_of_the_same_size_and_time_is_seen() { # quick
	running
	version deny | sed 's/127.0.0.1$/127.0.0.1, 127.0.0.4/' >egret.ini
	touch -d 2020-01-01 egret.ini
	program deny
	local size
	size=$(stat -c %s egret.ini)
	sed 's/127.0.0.4/127.0.0.3/' egret.ini >text
	cat text >egret.ini
	touch -d 2020-01-01 egret.ini
	equal "$(stat -c %s egret.ini)" "$size"
	wait_for 20 says allow
	ended
}

test_a_swapped_link_as_of_a_config_map_is_seen() { # quick
	running
	mkdir ..v1 ..v2
	version deny >..v1/egret.ini
	version allow >..v2/egret.ini
	ln -s ..v1 ..data
	ln -s ..data/egret.ini egret.ini
	program deny
	ln -s ..v2 ..data_tmp
	mv -T ..data_tmp ..data
	rm -r ..v1
	wait_for 20 says allow
	ended
}

test_an_included_file_that_changes_appears_or_goes_is_seen() { # quick
	running
	mkdir conf.d
	version deny | sed 's/^internal.*/&\ninclude = conf.d\/*.ini/' >egret.ini
	program deny
	printf '[three]\nhosts = 127.0.0.3\nports = %s\n' "$PORT" >new
	mv new conf.d/three.ini
	wait_for 20 says allow
	sed -i 's/^ports.*/ports = 1/' conf.d/three.ini
	wait_for 20 says deny
	printf '[three]\nhosts = 127.0.0.3\nports = %s\n' "$PORT" >new
	mv new conf.d/three.ini
	wait_for 20 says allow
	rm conf.d/three.ini
	wait_for 20 says deny
	ended
}

test_a_broken_or_removed_policy_keeps_the_old_one_and_says_so_once() { # quick
	running
	version allow >egret.ini
	program allow
	printf '[one]\nhosts = \n' >new
	mv new egret.ini
	wait_for 20 grep -q "the old one stays in force" said
	says allow
	rm egret.ini
	sleep 1.5
	says allow
	equal "$(grep -c 'the old one stays in force' said)" 1
	expect said "egret.ini:2: hosts: the list is empty"
	version deny >new
	mv new egret.ini
	wait_for 20 says deny
	ended
}

# big allow|deny: the same verdicts in a policy so large that each one kept would show, and an origination with CA files of its own.
big() {
	version "$1"
	printf '[tls]\nhosts = 127.0.0.4\nports = 80\ntls = originate\ntls_server_name = www.googleapis.com\ntls_ca_file = %s\naddresses = 127.0.0.1:%s\n' \
		"$CERTS/ca.pem" "$TLS_PORT"
	seq 3000 | sed 's/.*/[filler&]\nhosts = host&.example\nports = 443/'
}

reload_to() {
	big "$1" >new
	mv new egret.ini
	wait_for 20 says "$1"
}

# $EGRET_RELOADS: how many pairs of them; make soak-reload; $EGRET_RELOADS_TOLD: a file for the figures.
test_many_reloads_under_load_give_no_wrong_verdict_and_leak_neither_memory_nor_descriptors() { # limit=120
	start_tls right --http
	TLS_PORT=$PORT
	running
	big deny >egret.ini
	chmod -R go-w .
	covered python3 "$ROOT/tests/lib/verdicts.py" "$T/state" "$PORT" tls >fds 2>said &
	PROGRAM=$!
	wait_for 20 says deny
	local i descriptors memory before=
	for ((i = 0; i < ${EGRET_RELOADS:-9}; i++)); do
		reload_to allow
		reload_to deny
		read -r descriptors memory <state.used
		[ $i != 2 ] || before=$memory
	done
	ended
	echo "$((2 * i)) reloads: $descriptors descriptors, $before KiB after the sixth, $memory at the end" | tee "${EGRET_RELOADS_TOLD:-told}"
	[ "$descriptors" -le 8 ] || fail "$descriptors descriptors are open"
	[ -n "${EGRET_SANITIZER:-}" ] || [ "$memory" -le $((before + 6000)) ] || fail "$before KiB became $memory"
	expect_not said "did not load"
}

test_an_entry_deleted_by_the_command_is_gone_for_running_programs() { # quick
	running
	version deny >egret.ini
	program deny
	"$EGRET" allow --name=third "127.0.0.3:$PORT"
	wait_for 20 says allow
	"$EGRET" delete third
	wait_for 20 says deny
	ended
}
