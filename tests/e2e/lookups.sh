# Look-ups in the less usual ways of the libc answer as it would, within the policy.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

look_up() { covered timeout 30 "$PROGRAMS/lookups" "$@" 2>>"$T/err" | xargs; }

with_fixed_addresses() {
	start_names www.example.com=198.51.100.7 evil.example=198.51.100.8
	listen_at 198.51.100.7 8080
	named_policy
	cat >>"$T/egret.ini" <<-INI
		[fixed]
		hosts = fixed.example
		ports = 80
		addresses = 192.0.2.7, 2001:db8::7, 192.0.2.9
		[four]
		hosts = four.example
		ports = 80
		addresses = 192.0.2.8
		[service]
		hosts = service.example
		ports = 8080
		addresses = 198.51.100.7
	INI
}

nobody_was_asked() { [ ! -s "$T/asked" ] || fail "asked: $(cat "$T/asked")"; }

hints() {
	with_fixed_addresses
	equal "$(look_up numeric evil.example) $(look_up numeric www.example.com) $(look_up numeric fixed.example)" "EAI_NONAME EAI_NONAME EAI_NONAME"
	equal "$(look_up numeric 203.0.113.1) $(look_up nobody -)" "203.0.113.1 127.0.0.1"
	equal "$(look_up canonical fixed.example)" "192.0.2.7=fixed.example 192.0.2.9"
	equal "$(look_up mapped four.example)" "::ffff:192.0.2.8"
	equal "$(look_up mapped fixed.example)" "2001:db8::7"
	equal "$(look_up all fixed.example)" "::ffff:192.0.2.7 2001:db8::7 ::ffff:192.0.2.9"
	nobody_was_asked
	equal "$(look_up canonical www.example.com)" "198.51.100.7=www.example.com"
}

test_fixed_addresses_heed_the_hints_of_a_look_up_as_the_libc_does() {
	export -f with_fixed_addresses nobody_was_asked look_up
	in_the_net hints
}

hosts() {
	with_fixed_addresses
	local both="fixed.example=192.0.2.7 fixed.example=192.0.2.9"
	equal "$(look_up hosts fixed.example)" "grown $both $both"
	equal "$(look_up hosts6 fixed.example)" "grown fixed.example=2001:db8::7 fixed.example=2001:db8::7"
	equal "$(look_up hosts6 four.example)" "at once NO_DATA NO_DATA" # of the other family there is none: it is not looked up either
	equal "$(look_up hosts evil.example)" "at once HOST_NOT_FOUND HOST_NOT_FOUND"
	nobody_was_asked
	equal "$(look_up hosts www.example.com)" "grown www.example.com=198.51.100.7 www.example.com=198.51.100.7"
}

test_the_old_look_ups_tell_all_fixed_addresses_and_a_small_buffer_is_erange() {
	export -f with_fixed_addresses nobody_was_asked look_up
	in_the_net hosts
}

background() {
	with_fixed_addresses
	local mode
	for mode in waiting notified; do
		equal "$mode $(look_up $mode service.example)" "$mode 198.51.100.7 connected"
		equal "$mode $(look_up $mode evil.example)" "$mode EAI_NONAME"
		nobody_was_asked
	done
	for mode in waiting notified; do
		equal "$mode $(look_up $mode evil.example www.example.com service.example)" "$mode EAI_NONAME 198.51.100.7 connected 198.51.100.7 connected"
	done
	expect_not "$T/asked" evil
	expect_not "$T/asked" service
}

test_background_look_ups_answer_each_name_by_itself_and_fixed_addresses_at_once() {
	export -f with_fixed_addresses nobody_was_asked look_up
	in_the_net background
}

resolver_functions() {
	start_names www.example.com=198.51.100.7 evil.example.com=198.51.100.8
	listen_at 198.51.100.7 8080
	named_policy
	local name form asked
	asked() { covered timeout 20 "$PROGRAMS/resolvers" "$@" 2>>"$T/err"; }
	for name in res_query res_search res_nquery res_nsearch res_querydomain res_nquerydomain res_send res_nsend; do
		for form in $name __$name; do
			equal "$form $(asked $form evil.example.com)" "$form HOST_NOT_FOUND"
			equal "$form $(asked $form www.example.com)" "$form connected"
		done
	done
	expect_not "$T/asked" evil
}

test_every_resolver_function_asks_for_covered_names_only_and_names_the_connection() {
	in_the_net resolver_functions
}

inside_scope() {
	ip -6 addr add fe80::9/64 dev lo nodad
	policy <<-INI
		[link]
		hosts = fe80::/10
		ports = 4242
	INI
	cat >"$T/ask.py" <<-'PYTHON'
		import socket
		where = socket.getaddrinfo("fe80::9%lo", 4242, type=socket.SOCK_STREAM)[0][4]
		listener = socket.create_server(where, family=socket.AF_INET6)
		socket.socket(socket.AF_INET6).connect(where)
		for name in "ff02::fb%lo", "ff05::2%1", "::1%1": socket.getaddrinfo(name, 4242)
		for name in "evil%lo", "2001:db8::9%lo", "192.0.2.1%1":
		    try: socket.getaddrinfo(name, 4242)
		    except socket.gaierror: continue
		    raise SystemExit(name + " was looked up")
	PYTHON
	status covered python3 "$T/ask.py"
	expect_status 0
	status "$EGRET" explain '[fe80::9%lo]:4242'
	expect_status 0
	status "$EGRET" explain '[fe80::9%lo]:4243'
	expect_status 1
	expect "$T/out" "no entry covers this port of the host"
}

test_an_address_with_its_interface_is_an_address() { # quick
	need python3
	in_network inside_scope
}
