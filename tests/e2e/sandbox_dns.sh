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
