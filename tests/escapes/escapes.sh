# What a program tries in order to get out, with and without egret. Nothing leaves the test's own network namespace.

. "$ROOT/tests/escapes/attempts.sh"

start_world() {
	local tail
	ip addr add 203.0.113.53/32 dev lo
	python3 "$ROOT/tests/escapes/world.py" "$T/seen" "$T/ready" "$T/outside.sock" >"$T/world" 2>&1 &
	wait_for 10 test -s "$T/ready"
	. "$T/ready"
	chmod 755 "$T"
	gcc -w -D_GNU_SOURCE -static -O1 -pthread -o "$T/static" "$ROOT/tests/programs/escape_connect.c"
	export PATH_OF_ESCAPE=$PROGRAMS/escape_connect EGRET PROGRAMS T ROOT
	policy <<-INI
		[egret]
		[good]
		hosts = good.example
		ports = 8080, 9000
	INI
	chmod 644 "$T/egret.ini"
}

# ways_hold WAY...: every attempt that works bare is stopped in each of the ways.
ways_hold() {
	local program name way escaped=0 works=0 all=0
	. "$ROOT/tests/escapes/escapes.sh"
	start_world
	list_attempts >"$T/attempts"
	while read -r program name <&3; do
		all=$((all + 1))
		if ! try_one bare "$program" "$name"; then
			echo "does not work here without egret either: $name"
			continue
		fi
		works=$((works + 1))
		for way; do
			if try_one "$way" "$program" "$name"; then
				echo "ESCAPED $way: $name"
				head -c 300 "$T/attempt.err"
				escaped=$((escaped + 1))
			fi
		done
	done 3<"$T/attempts"
	echo "$all attempts, $works work without egret, $escaped escaped"
	[ "$works" -ge 60 ] || fail "too few attempts work without egret for the test to mean anything"
	[ "$escaped" = 0 ] || fail "something got out"
}

# One row an attempt, as docs/escapes.md shows them.
write_table() {
	local program name way cell row
	. "$ROOT/tests/escapes/escapes.sh"
	start_world
	list_attempts >"$T/attempts"
	while read -r program name <&3; do
		row="| ${name//_/ } |"
		for way in bare preload sandbox nobody; do
			cell=stopped
			if try_one "$way" "$program" "$name"; then cell=out; elif [ "$way" = bare ]; then cell='not on this machine'; fi
			row="$row $cell |"
		done
		echo "$row" >>"$T/table"
	done 3<"$T/attempts"
}

test_nothing_that_works_without_the_sandbox_gets_out_of_it_as_root() { # alone limit=300
	need ip python3 gcc setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "203.0.113.53 server.example" ways_hold sandbox
}

test_nothing_that_works_without_the_sandbox_gets_out_of_it_as_nobody() { # alone limit=300
	need ip python3 gcc setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "203.0.113.53 server.example" ways_hold nobody
}
