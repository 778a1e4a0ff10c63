# Private networks and names of a test: nothing leaves the machine, nothing of the machine's is changed. Sourced by harness.sh.

# in_network FUNCTION [ARGS]: runs a function of the test in its own network namespace: loopback, 203.0.113.9 and 198.51.100.1 to .9
# (RFC 5737) on it, and no way out. Servers are to be started inside.
in_network() {
	inside_of "-n" private_network "$@"
}

# with_names "ADDRESS NAME..." FUNCTION [ARGS]: runs a function in its own mount namespace with these lines in /etc/hosts (beside
# localhost), and a resolv.conf that names 127.0.0.53 or $NAMESERVER.
with_names() {
	NAME_LINES=$1 inside_of "-m" private_names "${@:2}"
}

# in_network_with_names "ADDRESS NAME..." FUNCTION [ARGS]: both.
in_network_with_names() {
	NAME_LINES=$1 inside_of "-mn" private_both "${@:2}"
}

inside_of() {
	local flags=$1 prepare=$2
	shift 2
	[ "$(id -u)" = 0 ] || flags="${flags}r"
	unshare "$flags" true 2>/dev/null || skip "namespaces are not permitted here"
	export -f "$1"
	NAME_LINES=${NAME_LINES:-} unshare "$flags" bash -euE -o pipefail -c '
		trap "echo \"failed: \$BASH_COMMAND\" >&2" ERR
		. "$1"; "$2"; shift 2; "$@"' - "$ROOT/tests/lib/harness.sh" "$prepare" "$@"
}

private_network() {
	local last
	ip link set lo up
	ip addr add 203.0.113.9/32 dev lo
	for last in 1 2 3 4 5 6 7 8 9; do ip addr add "198.51.100.$last/32" dev lo; done
	ip -6 addr add 2001:db8::9/128 dev lo nodad 2>/dev/null || true
}

private_names() {
	printf '127.0.0.1 localhost\n::1 localhost\n%s\n' "$NAME_LINES" >"$T/hosts"
	echo "nameserver ${NAMESERVER:-127.0.0.53}" >"$T/resolv.conf"
	echo "hosts: files dns" >"$T/nsswitch.conf"
	mount --make-rprivate /
	mount --bind "$T/hosts" /etc/hosts
	mount --bind "$T/resolv.conf" "$(readlink -f /etc/resolv.conf)"
	[ ! -e /etc/nsswitch.conf ] || mount --bind "$T/nsswitch.conf" /etc/nsswitch.conf
}

private_both() {
	private_network
	private_names
}
