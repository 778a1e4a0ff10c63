# The sandbox's resolver, as programs without the library see it.

# names_policy: good.example resolves from the policy itself, so that no server is needed.
inside_asked_address() {
	policy <<-INI
		[good]
		hosts = good.example
		ports = 80
		addresses = 198.51.100.3
	INI
	sandboxed python3 "$ROOT/tests/lib/dns_asker.py" "$1"
	expect_status 0
	expect "$T/out" "198.51.100.3"
}

test_an_answer_comes_from_the_address_that_was_asked_without_connect() { # quick
	in_network_with_names "" inside_asked_address sendto
}

test_an_answer_comes_from_the_address_that_was_asked_on_a_connected_socket() { # quick
	in_network_with_names "" inside_asked_address connect
}

test_an_answer_comes_from_the_address_that_was_asked_over_ipv6() { # quick
	in_network_with_names "" inside_asked_address ipv6
}

test_a_socket_that_is_watched_by_epoll_still_receives_its_answer() { # quick
	in_network_with_names "" inside_asked_address epoll
}

test_a_socket_that_asked_for_a_name_still_reaches_other_servers_that_are_allowed() { # quick
	in_network_with_names "" inside_asked_address elsewhere
}

inside_nobody() {
	policy <<-INI
		[good]
		hosts = good.example
		ports = 80
		addresses = 198.51.100.3
	INI
	open_to_nobody
	status as_nobody "$EGRET" run --sandbox=require -- python3 "$ROOT/tests/lib/dns_asker.py" sendto
	expect_status 0
}

test_an_answer_comes_from_the_address_that_was_asked_for_an_unprivileged_user() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	as_nobody unshare -Un true 2>/dev/null || skip "user namespaces are not permitted here"
	in_network_with_names "" inside_nobody
}

inside_types() {
	policy <<-INI
		[good]
		hosts = good.example, *.wild.example
		ports = 80
		addresses = 198.51.100.3
	INI
	sandboxed python3 "$ROOT/tests/lib/dns_asker.py" types
	expect_status 0
	cat "$T/out"
	expect "$T/out" "A good.example 0 1"
	expect "$T/out" "TXT good.example 5 0"
	expect "$T/out" "NULL good.example 5 0"
	expect "$T/out" "ANY good.example 5 0"
	expect "$T/out" "A evil.example 3 0"
	expect "$T/out" "PTR 3.100.51.198.in-addr.arpa 0 1"
	expect "$T/out" "PTR 9.9.9.9.in-addr.arpa 3 0"
	expect "$T/out" "TCP A good.example 0 1"
	expect "$T/out" "long label 5 0"
}

test_the_resolver_answers_known_types_of_covered_names_and_refuses_the_rest() { # quick
	in_network_with_names "" inside_types
}

# A program without the library asks the server of names for $1 and connects to its port 8080.
inside_leads_elsewhere() {
	start_names evil.wild.example=198.51.100.8 good.wild.example=198.51.100.8 inner.wild.example=127.0.0.1
	listen_at 0.0.0.0 8080
	policy <<-INI
		[egret]
		log = $T/log
		[net]
		hosts = 198.51.100.0/24
		ports = 8080
		[evil]
		hosts = evil.wild.example
		ports = 8080
		action = deny
		[wild]
		hosts = *.wild.example
		ports = 8080
	INI
	status "$EGRET" run --sandbox=require -- env -i /usr/bin/python3 -c 'import socket, sys
for name in sys.argv[1:]:
    try: socket.create_connection((name, 8080), 10); print("connected", name)
    except OSError as e: print(e, name)' "${@:2}"
	cat "$T/out" "$T/err"
	"$1"
}

refused_by_name() {
	expect_not "$T/out" connected
	expect "$T/err" "denied tcp $NAME:8080"
}

test_what_a_deny_entry_names_is_denied_although_its_address_is_allowed() { # quick
	export -f refused_by_name
	export NAME=evil.wild.example
	in_the_net inside_leads_elsewhere refused_by_name evil.wild.example
}

test_a_name_that_leads_inside_is_refused_to_programs_without_the_library() { # quick
	export -f refused_by_name
	export NAME=inner.wild.example
	in_the_net inside_leads_elsewhere refused_by_name inner.wild.example
}

allowed_by_the_other() {
	expect "$T/out" "connected good.wild.example"
	expect "$T/out" "connected 127.0.0.1"
	expect_not "$T/log" '"host":"localhost"'
}

test_an_entry_for_another_name_of_a_shared_address_holds_and_loopback_is_logged_without_a_name() { # quick
	export -f allowed_by_the_other
	in_the_net inside_leads_elsewhere allowed_by_the_other 127.0.0.1 good.wild.example
}

# A server that answers nothing until it has been asked for six names.
start_holding_names() {
	/usr/bin/python3 -c '
import socket, struct, sys
s, held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {}
s.bind((sys.argv[1], 53))
open(sys.argv[2], "w").write("up")
def answer(query, client):
    end = query.index(b"\0", 12) + 5
    s.sendto(query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + query[12:end] + struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + bytes((198, 51, 100, 3)), client)
while True:
    query, client = s.recvfrom(4096)
    held[query[12:]] = query, client
    if len(held) == 6:
        for one in held.values(): answer(*one)' "$SERVER" "$T/holding" &
	wait_for 10 test -s "$T/holding"
}

inside_held_queries() {
	start_holding_names
	policy <<-INI
		[good]
		hosts = *.held.example
		ports = 80
	INI
	sandboxed /usr/bin/python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for ident in range(6):
    s.sendto(struct.pack("!6H", ident, 0x100, 1, 0, 0, 0) + b"\2n%d\4held\7example\0" % ident + struct.pack("!2H", 1, 1), (sys.argv[1], 53))
answers = [s.recv(4096) for _ in range(6)]
assert sorted(a[1] for a in answers) == [0, 1, 2, 3, 4, 5] and all(a[3] & 15 == 0 for a in answers), answers' "$SERVER"
	expect_status 0
}

test_names_that_a_server_is_slow_to_answer_hold_up_no_other_name() { # quick
	export -f start_holding_names
	in_the_net inside_held_queries
}

inside_asks_nothing() {
	policy <<<"[egret]"
	status strace -f -e trace=unshare,clone,execve -o calls "$EGRET" run --sandbox=require -- true
	expect_status 0
	expect calls '/true", ["true"]'
	expect_not calls CLONE_NEWNET
}

test_a_namespace_for_names_is_made_when_the_first_is_asked_for() { # quick
	need strace
	in_network_with_names "" inside_asks_nothing
}
