# egret learn: the policy that would have allowed exactly what a run did.

talk() { # HOST:PORT...: a plain connection to each
	local to
	for to; do python3 -c 'import socket, sys; h, _, p = sys.argv[1].rpartition(":"); socket.create_connection((h, int(p)), 10).close()' "$to"; done
}

learn_and_enforce() {
	python3 -m http.server -b 203.0.113.9 8080 >/dev/null 2>&1 &
	python3 -m http.server -b 0.0.0.0 8081 >/dev/null 2>&1 &
	wait_for 10 in_use 8080
	wait_for 10 in_use 8081
	export -f talk
	"$EGRET" learn -o learnt.ini -- bash -c 'talk named.example:8080 named.example:8081 198.51.100.3:8081 || true
		python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"x\", (\"198.51.100.2\", 99))"' 2>err || { cat err; exit 1; }
	"$EGRET" check -c learnt.ini
	equal "$("$EGRET" list -c learnt.ini -o json | jq -c 'map([.name, .protocol, .ports])')" \
		'[["named.example","tcp",["8080","8081"]],["198.51.100.2","udp",["99"]],["198.51.100.3","tcp",["8081"]]]'
	equal "$(grep -A1 '^; an address' learnt.ini | grep -c '^\[198')" 2
	# The same under enforce: all of it passes, and nothing else.
	"$EGRET" run --sandbox=off -c learnt.ini -- bash -c 'talk named.example:8080 198.51.100.3:8081' 2>err
	status "$EGRET" run --sandbox=off -c learnt.ini -- bash -c 'talk 198.51.100.3:8080'
	[ "$STATUS" != 0 ]
	expect err "denied tcp 198.51.100.3:8080"
}

in_use() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

test_learn_writes_a_policy_that_allows_exactly_what_the_run_did() { # quick
	need_library
	export -f in_use talk
	in_network_with_names "203.0.113.9 named.example
198.51.100.1 named.example" learn_and_enforce
}

test_learn_adds_to_a_policy_and_shows_the_difference() { # quick
	need_library
	policy <<-INI
		; mine
		[egret]
		internal = none   ; nothing

		[a]
		hosts = 127.0.0.1
		ports = 1
		[never]
		hosts = 127.0.0.2
		action = deny
	INI
	cp egret.ini before.ini
	status "$EGRET" learn -o egret.ini -- bash -c '(: <>/dev/tcp/127.0.0.1/1); (: <>/dev/tcp/127.0.0.1/2); (: <>/dev/tcp/127.0.0.2/2); exit 7'
	expect_status 7
	expect err "+[127.0.0.1]"
	expect err "+ports = 2"
	expect err "entry [never] stands against it"
	expect egret.ini "; mine"
	equal "$(diff before.ini egret.ini | grep -c '^<')" 0
	cp egret.ini before.ini
	status "$EGRET" learn -o egret.ini -- bash -c '(: <>/dev/tcp/127.0.0.1/2); exit 7'
	expect err "nothing was called that egret.ini does not allow"
	cmp before.ini egret.ini
}

test_learn_tells_of_programs_that_it_could_not_follow() { # quick
	need_library
	echo 'int main(void) { return 0; }' >p.c
	gcc -static -o static p.c
	status "$EGRET" learn -o new.ini -- sh -c ./static
	expect err "static is statically linked: what it called is not known"
	status "$EGRET" learn -- true
	expect_status 125
	expect err "-o FILE is missing"
}

test_a_run_that_called_nothing_leaves_a_policy_that_allows_nothing() { # quick
	status "$EGRET" learn -o "$T/learnt.ini" -- true
	expect_status 0
	expect err "allows nothing"
	status "$EGRET" check -c "$T/learnt.ini"
	expect_status 0
	status "$EGRET" explain -c "$T/learnt.ini" evil.example:80
	expect_status 1
}
