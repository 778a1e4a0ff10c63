# A server of names, and programs that ask it themselves. Sourced by harness.sh.

# What resolv.conf names in_the_net.
SERVER=203.0.113.9
WAYS="unconnected connected message read stream pieces"

# start_names ARGS of dns_server.py: on $SERVER's port 53.
start_names() {
	rm -f "$T/names.port"
	: >"$T/asked"
	/usr/bin/python3 "$ROOT/tests/lib/dns_server.py" "$T/names.port" "$T/asked" $SERVER 53 "$@" 2>"$T/names.err" &
	announced "$T/names.port"
}

# listen_at ADDRESS PORT: accepts and says nothing.
listen_at() {
	/usr/bin/python3 -c 'import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=50)
open(sys.argv[3], "w").write("up")
while True: s.accept()' "$1" "$2" "$T/listening" &
	wait_for 10 test -s "$T/listening"
}

named_policy() {
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		${1:-}
		[www]
		hosts = www.example.com
		ports = 8080
	INI
}

# own_resolver WAY NAME [PORT]
own_resolver() {
	covered /usr/bin/python3 "$ROOT/tests/lib/resolver.py" "$1" $SERVER "${@:2}" 2>>"$T/err"
}

# in_the_net FUNCTION: in a network and with names of its own; resolv.conf names $SERVER.
in_the_net() {
	NAMESERVER=$SERVER in_network_with_names "" "$@"
}

# start_records: the server of dns_records.py on $SERVER; what it was asked is in $T/asked.
start_records() {
	rm -f "$T/records.port"
	: >"$T/asked"
	/usr/bin/python3 "$ROOT/tests/lib/dns_records.py" "$T/records.port" "$T/asked" "$SERVER" 2>"$T/records.err" &
	announced "$T/records.port"
}

# good_policy [DNS_MIN_TTL]: good.example and what is below it, port 8080.
good_policy() {
	policy <<-INI
		[egret]
		log = $T/log
		dns_min_ttl = ${1:-60s}
		[good]
		hosts = good.example, *.good.example
		ports = 8080
	INI
}
