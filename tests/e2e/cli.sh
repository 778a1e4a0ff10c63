# The egret command by itself: exit statuses, words, files. Nothing is connected to here.

test_help_lists_every_command_and_each_tells_its_usage() { # quick
	status "$EGRET" help
	expect_status 0
	local name usage
	for name in run check explain list env; do
		expect out "  $name "
		usage=$("$EGRET" "$name" --help)
		[[ $usage == "usage: egret $name"[[:space:]]* ]] || fail "egret $name --help begins: ${usage:0:60}"
	done
	status "$EGRET" no-such-command
	expect_status 2
	expect err "there is no command"
}

test_check_tells_a_good_policy_from_a_bad_one_and_lists_every_error() { # quick
	sample_policy
	status "$EGRET" check
	expect_status 0
	expect out "good, 5 entries"
	policy < <(printf '[a]\nhosts = a.example\nports = 99999\n[b]\nhosts = b.example\nports = 80\nprotcol = tcp\n')
	status "$EGRET" check
	expect_status 1
	expect err "egret.ini:3:"
	expect err "egret.ini:7:"
	expect err "protocol"
}

test_check_of_a_missing_policy_fails() { # quick
	status "$EGRET" check -c "$T/missing.ini"
	expect_status 1
	expect err "missing.ini"
}

test_without_any_policy_the_places_looked_at_are_named() { # quick
	[ ! -e /etc/egret/egret.ini ] || skip "this machine has a policy"
	status env -u EGRET_CONFIG XDG_CONFIG_HOME="$T/xdg" "$EGRET" check
	expect_status 1
	expect err "$T/xdg/egret/egret.ini"
	mkdir -p xdg/egret
	printf '[a]\nhosts = a.example\nports = 80\n' >xdg/egret/egret.ini
	chmod 600 xdg/egret/egret.ini
	status env -u EGRET_CONFIG XDG_CONFIG_HOME="$T/xdg" "$EGRET" check
	expect_status 0
}

test_a_relative_home_of_configurations_is_not_taken() { # quick
	[ ! -e /etc/egret/egret.ini ] || skip "this machine has a policy"
	need_library
	mkdir -p xdg/egret home/.config/egret
	printf '[relative]\nhosts = 203.0.113.9\naction = deny\n' >xdg/egret/egret.ini
	printf '[absolute]\nhosts = 203.0.113.9\naction = deny\n' >home/.config/egret/egret.ini
	chmod 600 xdg/egret/egret.ini home/.config/egret/egret.ini
	unset EGRET_CONFIG
	export HOME=$T/home XDG_CONFIG_HOME=xdg
	"$EGRET" list >list
	expect list absolute
	expect_not list relative
	status env LD_PRELOAD="$EGRET_LIB" curl -sS http://203.0.113.9:1/
	expect err absolute
	expect_not err relative
}

test_list_shows_every_entry_as_table_and_json() { # quick
	sample_policy
	"$EGRET" list >table
	equal "$(wc -l <table)" 6
	expect table "8000-8100"
	equal "$("$EGRET" list -o json | jq -c 'map(.protocol)')" '["http","tls","tcp","udp","tcp,udp"]'
	equal "$("$EGRET" list -o json | jq -c 'map(.name)')" '["googleapis","wild","fixed","names","never"]'
	equal "$("$EGRET" list -o json | jq -c '.[1].ports')" '["443","8000-8100"]'
}

test_env_prints_lines_that_a_shell_reads_back() { # quick
	need_library
	mkdir "it's here"
	sample_policy
	cp egret.ini "it's here/p.ini"
	chmod 600 "it's here/p.ini"
	"$EGRET" env -c "it's here/p.ini" --mode audit --log "a log" >lines
	equal "$(grep -vc '^export [A-Z_]*=' lines)" 0
	(
		eval "$(cat lines)"
		unset LD_PRELOAD
		equal "$EGRET_CONFIG" "$T/it's here/p.ini"
		equal "$EGRET_MODE" audit
		equal "$EGRET_LOG" "$T/a log"
	)
	expect lines "export LD_PRELOAD='$EGRET_LIB"
}

test_env_keeps_an_earlier_preload_behind_ours() { # quick
	need_library
	sample_policy
	status env LD_PRELOAD=/nonexistent/other.so "$EGRET" env
	expect out "libegret.so:/nonexistent/other.so'"
}

test_a_moved_tree_finds_its_library_and_a_path_with_a_space_is_refused() { # quick
	need_library
	sample_policy
	mkdir -p moved/bin moved/lib "mo ved/bin"
	cp "$EGRET" moved/bin/
	cp "$EGRET" "mo ved/bin/"
	cp -r "$EGRET_BUILD/lib/egret" moved/lib/
	status moved/bin/egret env
	expect_status 0
	expect out "LD_PRELOAD='$T/moved/lib/egret/libegret.so'"
	status "mo ved/bin/egret" env
	expect_status 1
	expect err "space"
}

test_a_path_of_the_loader_is_named_by_its_token() { # quick
	need_library
	sample_policy
	local lib
	lib=lib/$(gcc -print-multiarch)
	mkdir -p moved/bin "moved/$lib"
	cp "$EGRET" moved/bin/
	cp -r "$EGRET_BUILD/lib/egret" "moved/$lib/"
	status moved/bin/egret env
	expect out "LD_PRELOAD='$T/moved/\$LIB/egret/libegret.so'"
}

test_an_include_that_cannot_be_read_is_told_where_it_stands() { # quick
	policy < <(printf '[egret]\ninclude = no.ini,\n  open.ini\n')
	echo >open.ini
	chmod o+w open.ini
	status "$EGRET" check
	expect_status 1
	expect err "egret.ini:2: include: $T/no.ini cannot be opened"
	expect err "egret.ini:3: include: $T/open.ini everybody may write this policy"
}

test_check_warns_of_files_that_others_can_replace_and_of_a_log_without_a_folder() { # quick
	mkdir open
	chmod 777 open
	certificates
	cp "$CERTS/ca.pem" open/ca.pem
	chmod 666 open/ca.pem
	printf '[egret]\nlog = %s/nowhere/log\n[a]\nhosts = a.example\nports = 80\ntls = originate\ntls_ca_file = ca.pem\n' "$T" >open/egret.ini
	chmod 600 open/egret.ini
	status "$EGRET" check -c open/egret.ini
	expect_status 0
	expect err "egret.ini:2: log: there is no directory $T/nowhere"
	expect err "egret.ini:7: tls_ca_file: everybody may write"
	expect err "everybody may write its folder"
}

test_env_never_leaves_a_script_uncovered() { # quick
	need_library
	mkdir -p "mo ved/bin"
	cp "$EGRET" "mo ved/bin/"
	unset EGRET_CONFIG
	export HOME=$T
	local way
	for way in "$EGRET env" "$EGRET env -c $T/missing.ini"; do
		status sh -c "$way"
		expect_status 1
		status env WAY="$way" sh -c 'eval "$($WAY)"; exec python3 -c "import socket; socket.create_connection((\"192.0.2.1\", 80))"'
		expect err "PermissionError"
		expect err "egret: denied tcp 192.0.2.1:80: no policy could be loaded"
	done
	for way in "'$T/mo ved/bin/egret' env" "'$EGRET' env --mode=nonsense" "'$EGRET' env nonsense"; do
		status sh -c "eval \"\$($way)\"; echo went on"
		expect_status 125
		expect_not out "went on"
	done
}

test_an_unknown_command_is_answered_with_the_nearest() { # quick
	status "$EGRET" chekc
	expect_status 2
	expect err "there is no command \`chekc\`, did you mean \`check\`"
	status "$EGRET" nonsense
	expect_status 2
	expect_not err "did you mean"
}
