# Programs with a resolver of their own: what they ask port 53 is judged like a look-up, what they are answered names their connections.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

uncovered_questions() {
	start_names www.example.com=198.51.100.7 evil.example=198.51.100.8
	named_policy
	for way in $WAYS; do equal "$way $(own_resolver "$way" secret.evil.example)" "$way EACCES"; done
	expect_not "$T/asked" "evil"
	expect "$T/log" '"host":"secret.evil.example"'
	expect "$T/err" "egret: denied dns secret.evil.example: no entry covers it"
}

test_a_question_about_an_uncovered_name_never_reaches_the_server() {
	in_the_net uncovered_questions
}

covered_questions() {
	start_names www.example.com=198.51.100.7
	listen_at 198.51.100.7 8080
	named_policy
	for way in $WAYS; do equal "$way $(own_resolver "$way" www.example.com 8080 | xargs)" "$way 198.51.100.7 connected"; done
	expect "$T/log" '"host":"www.example.com"'
}

test_what_a_program_is_answered_at_port_53_names_its_connection() {
	in_the_net covered_questions
}

aliased_answers() {
	start_names edge.cdn.example=198.51.100.7 "www.example.com>b.example.net" "b.example.net>edge.cdn.example"
	listen_at 198.51.100.7 8080
	named_policy
	equal "$(own_resolver unconnected wWw.Example.com 8080 | xargs)" "198.51.100.7 connected"
}

test_an_alias_carries_the_name_that_was_asked() {
	in_the_net aliased_answers
}

lying_answers() {
	start_names www.example.com=198.51.100.7 --liar=other.example=198.51.100.8
	listen_at 198.51.100.8 8080
	named_policy
	equal "$(own_resolver unconnected www.example.com)" 198.51.100.7
	# The liar's answer of another id came to the same socket; its address is nobody's.
	cat >"$T/lied.py" <<-'PY'
		import socket, subprocess, sys
		sys.argv = ["resolver.py", "unconnected", "203.0.113.9", "www.example.com"]
		exec(open(sys.path[0] + "/resolver.py").read())
		try:
		    socket.create_connection(("198.51.100.8", 8080), 5)
		    print("connected")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	PY
	cp "$ROOT/tests/lib/resolver.py" "$T/"
	equal "$(covered /usr/bin/python3 "$T/lied.py" 2>/dev/null | xargs)" "198.51.100.7 EACCES"
}

test_an_answer_of_another_id_is_not_believed() {
	in_the_net lying_answers
}

other_servers() {
	start_names www.example.com=198.51.100.7
	named_policy
	echo "nameserver 198.51.100.1" >"$T/resolv.conf"
	equal "$(own_resolver unconnected www.example.com)" EACCES
	equal "$(own_resolver connected www.example.com)" EACCES
	equal "$(own_resolver stream www.example.com)" EACCES
	expect_not "$T/asked" "www"
}

test_port_53_is_open_to_the_servers_of_resolv_conf_alone() {
	in_the_net other_servers
}

internal_servers() {
	# A server on the machine that resolv.conf does not name is internal, but no authority: it cannot lend an allowed name to an address.
	start_names www.example.com=198.51.100.7
	listen_at 198.51.100.7 8080
	named_policy
	sed -i "s/^internal = none/internal = $SERVER\/32/" "$T/egret.ini"
	echo "nameserver 198.51.100.1" >"$T/resolv.conf"
	equal "$(own_resolver unconnected www.example.com 8080 | xargs)" "198.51.100.7 EACCES"
	equal "$(own_resolver unconnected secret.evil.example)" EACCES
}

test_a_server_that_nobody_named_lends_no_names() {
	in_the_net internal_servers
}

open_questions() {
	start_names www.example.com=198.51.100.7 evil.example=198.51.100.8
	listen_at 198.51.100.7 8080
	named_policy "dns = open"
	equal "$(own_resolver unconnected evil.example 8080 | xargs)" "198.51.100.8 EACCES"
	equal "$(own_resolver unconnected www.example.com 8080 | xargs)" "198.51.100.7 connected"
}

test_with_dns_open_every_question_passes_and_connections_are_still_judged() {
	in_the_net open_questions
}

searched_names() {
	start_names redis.corp.example=198.51.100.7 www.example.com=198.51.100.8
	listen_at 198.51.100.7 8080
	named_policy
	sed -i 's/www.example.com/redis/' "$T/egret.ini"
	echo "search corp.example" >>"$T/resolv.conf"
	equal "$(own_resolver connected redis.corp.example 8080 | xargs)" "198.51.100.7 connected"
	equal "$(own_resolver connected mail.corp.example)" EACCES
}

test_a_search_domain_behind_a_covered_name_is_the_resolvers_business() {
	in_the_net searched_names
}

dig_asks() {
	start_names www.example.com=198.51.100.7 evil.example=198.51.100.8
	named_policy
	equal "$(covered dig +short +tries=1 +time=3 www.example.com)" 198.51.100.7
	equal "$(covered dig +tcp +short +tries=1 +time=3 www.example.com)" 198.51.100.7
	status covered dig +short +tries=1 +time=1 evil.example
	status covered dig +tcp +short +tries=1 +time=1 evil.example
	expect_not "$T/asked" evil
}

test_dig_asks_for_covered_names_only() {
	need dig
	in_the_net dig_asks
}

node_asks() {
	start_names www.example.com=198.51.100.7 evil.example=198.51.100.8
	listen_at 198.51.100.7 8080
	named_policy
	cat >"$T/ask.js" <<-'JS'
		const dns = require('dns').promises, net = require('net');
		(async () => {
		  const [address] = await dns.resolve4('www.example.com');
		  await new Promise((good, bad) => net.connect(8080, address, good).on('error', bad));
		  console.log(address, 'connected');
		  await dns.resolve4('evil.example').catch(e => console.log(e.code));
		  process.exit(0);
		})().catch(e => { console.log(e.message); process.exit(1); });
	JS
	equal "$(covered node "$T/ask.js" 2>"$T/err" | xargs)" "198.51.100.7 connected ECONNREFUSED"
	expect_not "$T/asked" evil
}

test_node_with_the_resolver_it_brings_reaches_covered_names_only() {
	need node
	in_the_net node_asks
}

shared_names() {
	start_names www.example.com=198.51.100.7
	listen_at 198.51.100.7 8080
	named_policy
	"$EGRET" run --sandbox=off -- sh -c 'getent hosts www.example.com; /usr/bin/python3 -c "import socket
socket.create_connection((\"198.51.100.7\", 8080), 5); print(\"connected\")"' >"$T/out" 2>"$T/err" || fail "$(cat "$T/err")"
	expect "$T/out" connected
	status covered /usr/bin/python3 -c 'import socket; socket.create_connection(("198.51.100.7", 8080), 5)'
	[ "$STATUS" != 0 ] || fail "it connected without a look-up"
}

test_what_one_process_of_a_run_looked_up_names_the_connections_of_the_others() {
	in_the_net shared_names
}

test_a_socket_that_asked_the_dns_sends_a_datagram_nowhere_else_than_it_says() {
	policy <<-'INI'
		[egret]
		internal = none
		[dns]
		hosts = 127.0.0.1
		ports = 53
		protocol = udp
		[named]
		hosts = good.example
		ports = 80
		[moved]
		hosts = 127.0.0.1
		ports = 5000
		protocol = udp
		connect_port = 5001
	INI
	status covered python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\4good\7example\0\0\1\0\1", ("127.0.0.1", 53))
try:
    s.sendto(b"secret", ("127.0.0.1", 5000))
    print("sent")
except OSError as e:
    print("refused", e.errno)'
	expect_status 0
	expect "$T/out" "refused 95"
	expect "$T/err" "entry [moved]"
}
