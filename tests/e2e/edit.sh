# egret allow, egret delete, egret doctor.

commented_policy() {
	policy <<-INI
		; mine
		[egret]
		mode = enforce   ; as it should be

		; about a
		[a]
		hosts = a.example
		ports = 80
		# the end
	INI
}

test_allow_adds_and_delete_removes_with_every_comment_kept() { # quick
	commented_policy
	cp egret.ini before.ini
	"$EGRET" allow b.example:443
	"$EGRET" explain b.example:443 >/dev/null
	expect egret.ini "; about a"
	expect egret.ini "# the end"
	"$EGRET" delete b.example
	status "$EGRET" explain b.example:443
	expect_status 1
	diff -B before.ini egret.ini
}

test_allow_with_tls_originates_and_udp_is_its_own_protocol() { # quick
	commented_policy
	"$EGRET" allow --tls=originate --name web d.example:80
	equal "$("$EGRET" explain --json d.example:80 | jq -r .tls,.entry | xargs)" "originate web"
	"$EGRET" allow udp://192.0.2.53:53
	"$EGRET" explain udp://192.0.2.53:53 >/dev/null
	status "$EGRET" explain 192.0.2.53:53
	expect_status 1
}

test_an_edit_that_fails_leaves_the_file_as_it_was() { # quick
	commented_policy
	cp egret.ini before.ini
	local before
	before=$(stat -c %i egret.ini)
	status "$EGRET" allow good.example:80 'bad host:80'
	expect_status 1
	status "$EGRET" delete no-such-entry
	expect_status 1
	expect err "no-such-entry"
	cmp before.ini egret.ini
	equal "$(stat -c %i egret.ini)" "$before"
	equal "$(find . -name '.egret.*')" ""
}

test_an_edit_keeps_mode_owner_and_link() { # quick
	commented_policy
	mkdir real
	mv egret.ini real/p.ini
	chmod 640 real/p.ini
	[ "$(id -u)" != 0 ] || chown 65534:65534 real/p.ini
	local before
	before=$(stat -c '%a %u %g' real/p.ini)
	ln -s real/p.ini egret.ini
	"$EGRET" allow b.example:443
	[ -L egret.ini ]
	equal "$(stat -c '%a %u %g' real/p.ini)" "$before"
	expect real/p.ini b.example
}

test_allow_makes_the_target_of_a_dangling_link_and_takes_a_relative_path() { # quick
	mkdir real
	ln -s real/p.ini link.ini
	"$EGRET" allow -c link.ini b.example:443
	[ -L link.ini ]
	expect real/p.ini b.example
	"$EGRET" allow -c new.ini b.example:443
	expect new.ini b.example
}

test_delete_of_a_name_that_does_not_exist_names_the_nearest() { # quick
	commented_policy
	"$EGRET" allow --name=billing b.example:443
	status "$EGRET" delete biling
	expect_status 1
	expect err 'has no entry [biling]; did you mean [billing]?'
	status "$EGRET" delete zzz
	expect err 'has no entry [zzz]; `egret list` shows those there are'
}

test_delete_takes_one_entry_of_several_hosts_as_a_whole_and_allow_refuses_what_would_open_more() { # quick
	policy < <(printf '[two]
hosts = a.example, b.example
ports = 80
')
	status "$EGRET" allow --name=two a.example:443
	expect_status 1
	expect err "choose another name with --name"
	"$EGRET" allow --name=two c.example:80
	equal "$("$EGRET" list -o json | jq -c '.[0].hosts')" '["a.example","b.example","c.example"]'
	"$EGRET" delete two
	equal "$("$EGRET" list -o json | jq length)" 0
}

test_edits_at_once_all_arrive() { # quick
	commented_policy
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do "$EGRET" allow "host$i.example:80" & done
	wait
	equal "$("$EGRET" list -o json | jq length)" 11
}

test_allow_makes_a_policy_where_there_is_none() { # quick
	status "$EGRET" allow -c "$T/new.ini" a.example:80
	expect_status 0
	"$EGRET" explain -c "$T/new.ini" a.example:80 >/dev/null
}

test_doctor_tells_what_works_and_fails_without_a_policy() { # quick
	need_library
	commented_policy
	"$EGRET" doctor >facts || true
	local fact
	for fact in kernel "seccomp user notification" Landlock "certificate store" "policy" "preload"; do expect facts "$fact"; done
	equal "$(grep -E ' preload ' facts | cut -d' ' -f1)" ok
	status "$EGRET" doctor -c "$T/missing.ini"
	expect_status 1
	expect out "MISSING  policy"
}

# lacking NAME FACT COST: where NAME is withheld doctor's line of FACT tells what that costs.
lacking() {
	"$PROGRAMS/without_call" "$1" "$EGRET" doctor >facts || true
	grep -E "^weaker  +$2 .*$3" facts >/dev/null || fail "doctor does not tell what the absence of $1 costs: $(cat facts)"
}

test_doctor_says_what_each_absence_costs() { # quick
	commented_policy
	"$EGRET" doctor >facts || true
	local fact
	for fact in "seccomp user notification" WAIT_KILLABLE_RECV SYNC_WAKE_UP process_vm_readv pidfd_getfd Landlock "network namespaces" \
		"user namespaces" "--sandbox=require"; do expect facts "$fact"; done
	lacking seccomp "seccomp user notification" "no sandbox: nothing governs static programs"
	lacking killable WAIT_KILLABLE_RECV "no sandbox: a signal could make a judged call run twice"
	lacking sync_wake SYNC_WAKE_UP "takes some 30 us longer"
	lacking process_vm_readv process_vm_readv "no sandbox: the supervisor cannot read"
	lacking pidfd_getfd pidfd_getfd "the supervisor makes the sockets itself"
	lacking landlock_create_ruleset Landlock "no --sandbox=require"
	lacking unshare "network namespaces" "DNS answers come from loopback"
	lacking unshare "user namespaces" "bubblewrap, chromium"
	lacking seccomp "--sandbox=require" "seccomp user notification is missing"
	lacking process_vm_readv "--sandbox=require" "process_vm_readv is withheld"
}

inside_yama() {
	local scope
	mount -t tmpfs none /proc/sys/kernel
	mkdir /proc/sys/kernel/yama
	for scope in 0 1 2 3; do
		echo "$scope" >/proc/sys/kernel/yama/ptrace_scope
		"$EGRET" doctor >"facts.$scope" || true
	done
}

test_doctor_says_what_yama_costs() { # quick
	commented_policy
	with_names "" inside_yama
	expect facts.0 "ok       Yama ptrace_scope"
	expect facts.1 "ok       Yama ptrace_scope            1: a process may read its descendants"
	expect facts.2 "weaker   Yama ptrace_scope            2: no sandbox without CAP_SYS_PTRACE"
	expect facts.3 "weaker   Yama ptrace_scope            3: no sandbox"
}

test_a_destination_that_is_none_is_a_usage_error_and_changes_nothing() { # quick
	policy <<<"[egret]"
	status "$EGRET" allow good.example:80 bad
	expect_status 2
	equal "$(cat "$T/egret.ini")" "[egret]"
}
