# What tests of the sandbox's relay share. Sourced by harness.sh.

# sandboxed COMMAND...: under --sandbox=require; status, out and err as `status` leaves them.
sandboxed() {
	status "$EGRET" run --sandbox=require -- "$@"
}

# as_nobody COMMAND...: an unprivileged user. What it reads of the test must be open to it: open_to_nobody first.
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# open_to_nobody: the test's directory and policy can be read by everybody.
open_to_nobody() {
	chmod 711 "$EGRET_TEST_WORK"
	chmod 755 "$T"
	chmod 644 "$T/egret.ini"
	as_nobody test -x "$EGRET" -a -r "$T/egret.ini" || skip "an unprivileged user cannot read the tree"
}

# named NAME PORT [KEYS]: one entry; nothing is internal.
named() {
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[named]
		hosts = $1
		ports = $2
		${3:-}
	INI
}

# start_relay_server MODE: see relay_server.py.
start_relay_server() {
	rm -f "$T/relay.port"
	python3 "$ROOT/tests/lib/relay_server.py" "$T/relay.port" "$1" &
	announced "$T/relay.port"
}

# static_program NAME: that of tests/programs, without a libc that could be preloaded, as $T/NAME.
static_program() {
	gcc -w -static -O1 -D_GNU_SOURCE -o "$T/$1" "$ROOT/tests/programs/$1.c"
}
