# What tests of the sandbox's relay share. Sourced by harness.sh.

# sandboxed COMMAND...: under --sandbox=require; status, out and err as `status` leaves them.
sandboxed() {
	status "$EGRET" run --sandbox=require -- "$@"
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
