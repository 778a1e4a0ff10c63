# egret run of what changes its user or its root directory: what it is denied counts and is reported all the same.

# installed: $AT: a copy of the installed tree that every user reaches, and a policy that denies everything outside.
installed() {
	need_library
	[ "$(id -u)" = 0 ] || skip "only root may change its user"
	AT=$(mktemp -d /tmp/egret-installed.XXXXXX)
	trap 'rm -rf "$AT"' EXIT
	chmod 755 "$AT"
	cp -r "$EGRET_BUILD/bin" "$EGRET_BUILD/lib" "$AT/"
	chmod -R go+rX "$AT"
	denying >"$AT/egret.ini"
	chmod 644 "$AT/egret.ini"
	export EGRET_CONFIG=$AT/egret.ini
	unset XDG_RUNTIME_DIR TMPDIR
}

denying() { printf '[egret]\ninternal = none\n[api]\nhosts = api.example.com\nports = 443\n'; }

# counted N COMMAND...: it succeeds, and N denials count; with and without a supervisor.
counted() {
	local denials=$1 sandbox
	shift
	for sandbox in off auto; do
		status "$AT/bin/egret" run --sandbox=$sandbox --fail-on-deny --report=text -- "$@"
		expect_status 1
		expect err "$denials denied (--fail-on-deny)"
	done
}

CONNECTS='import os, socket
def connect(port):
    try: socket.create_connection(("203.0.113.9", port), 5)
    except OSError as e: assert e.errno == 13, e
'

test_a_denial_counts_and_is_reported_after_a_change_of_user() {
	installed
	counted 2 /usr/bin/python3 -c "${CONNECTS}
connect(81); os.setgroups([]); os.setgid(65534); os.setuid(65534); connect(82)"
	expect err 203.0.113.9:82
	counted 2 /usr/bin/python3 -c "${CONNECTS}
if os.fork() == 0: os.setresuid(65534, 65534, 65534); connect(81); os._exit(0)
os.wait(); os.seteuid(65533); connect(82); os.seteuid(0)"
	expect err 203.0.113.9:81
}

test_a_denial_counts_and_is_reported_where_another_user_runs_the_program() {
	installed
	need setpriv
	counted 1 setpriv --reuid=65534 --clear-groups bash -c '(: <>/dev/tcp/203.0.113.9/80) || true'
	expect err 203.0.113.9:80
	status "$AT/bin/egret" run --sandbox=off --fail-on-deny -- setpriv --reuid=65534 --clear-groups true
	expect_status 0
}

test_a_record_that_another_user_removed_or_replaced_counts_as_a_denial() {
	installed
	need setpriv
	local how
	for how in 'rm' 'ln -sf /etc/passwd' 'rm "$EGRET_RUN/65534/events"; mkfifo'; do
		counted 1 setpriv --reuid=65534 --clear-groups sh -c "$how \"\$EGRET_RUN/65534/events\""
	done
}

test_no_other_user_reads_the_record_of_a_run_that_a_user_of_its_own_passes_through() {
	installed
	need setpriv
	"$AT/bin/egret" run --sandbox=off -- setpriv --reuid=65534 --clear-groups sh -c '
		cat "$EGRET_RUN/events"; ls "$EGRET_RUN"; touch "$EGRET_RUN/more"; stat -c "%a %u" "$EGRET_RUN/65534"' >out 2>err || true
	equal "$(cat out)" "700 65534"
}

test_a_program_that_starts_where_the_library_is_out_of_its_reach_counts_as_a_denial() {
	installed
	need setpriv
	chmod 700 "$AT"
	status "$AT/bin/egret" run --sandbox=off --fail-on-deny -- setpriv --reuid=65534 --clear-groups true
	expect_status 1
	expect err "libegret.so with the user and root directory that it gets"
}

test_a_program_that_starts_where_the_record_is_out_of_its_reach_counts_as_a_denial() {
	installed
	need setpriv
	mkdir -m 700 "$AT/private"
	mkdir -m 755 "$AT/private/run"
	TMPDIR=$AT/private/run counted 1 setpriv --reuid=65534 --clear-groups true
	expect err "cannot record what it does"
}

test_a_denial_counts_and_is_reported_after_a_change_of_the_root_directory() {
	installed
	mkdir "$AT/root"
	counted 2 /usr/bin/python3 -c "${CONNECTS}
connect(81); os.chroot('$AT/root'); connect(82)"
	expect err 203.0.113.9:82
	counted 1 chroot / bash -c '(: <>/dev/tcp/203.0.113.9/80) || true'
	expect err 203.0.113.9:80
}

test_a_program_in_a_root_directory_without_the_library_counts_as_a_denial() {
	installed
	local file
	for file in /bin/true $(ldd /bin/true | grep -o '/[^ ]*'); do
		mkdir -p "$AT/root${file%/*}"
		cp -L "$file" "$AT/root$file"
	done
	status "$AT/bin/egret" run --sandbox=off --fail-on-deny -- chroot "$AT/root" /bin/true
	expect_status 1
	expect err "1 denied"
	expect err "/bin/true cannot open"
}

# refused WORDS COMMAND: as an ordinary user without a sandbox; with one it may start.
refused() {
	status setpriv --reuid=65534 --regid=65534 --clear-groups "$AT/bin/egret" run --sandbox=off -- "$2"
	expect_status 125
	expect err "$1"
	expect err ": the preload layer cannot cover it; a sandbox can"
}

test_run_refuses_setuid_setgid_and_file_capability_programs_of_the_system() {
	installed
	need setpriv setcap
	cp /bin/true "$AT/setuid"
	chmod 4755 "$AT/setuid"
	setpriv --reuid=65534 --clear-groups test -u "$AT/setuid" || skip "no setuid here"
	refused "is setuid" "$AT/setuid"
	[ ! -u /usr/bin/su ] || refused "is setuid" /usr/bin/su
	cp /bin/true "$AT/setgid"
	chmod 2755 "$AT/setgid"
	refused "is setgid" "$AT/setgid"
	cp /bin/true "$AT/capable"
	setcap cap_net_bind_service+ep "$AT/capable" || skip "no file capabilities here"
	refused "has file capabilities" "$AT/capable"
	printf '#!%s\n' "$AT/capable" >"$AT/script"
	chmod 755 "$AT/script"
	refused "has file capabilities" "$AT/script"
	status setpriv --reuid=65534 --regid=65534 --clear-groups "$AT/bin/egret" run --sandbox=off --fail-on-deny -- sh -c "$AT/setuid"
	expect_status 1
	expect err "is setuid: it runs uncovered"
}

test_run_refuses_programs_of_another_libc_and_static_ones() {
	installed
	need setpriv musl-gcc
	echo 'int main(void) { return 0; }' >p.c
	musl-gcc -o "$AT/musl" p.c
	musl-gcc -static -o "$AT/musl_static" p.c
	gcc -static -o "$AT/static" p.c
	refused "uses another C library: its loader is /lib/ld-musl" "$AT/musl"
	refused "is statically linked" "$AT/musl_static"
	refused "is statically linked" "$AT/static"
}
