# System calls, counted: what a wrapped socket adds to what a program with OpenSSL linked in makes.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

BENCH=$EGRET_BUILD/bench

# bench_server: the bench's own server; what is said to 127.0.0.1:$ASKED goes there over TLS, $TLS is its port.
bench_server() {
	need strace
	need_library
	certificates
	"$BENCH/server" "$T/ports" "$CERTS/right.pem" "$CERTS/right.key" &
	wait_for 10 test -s "$T/ports"
	read -r _ TLS <"$T/ports"
	free_port
	ASKED=$PORT
	policy <<-INI
		[egret]
		internal = none
		[server]
		hosts = 127.0.0.1
		ports = $ASKED
		connect_port = $TLS
		tls = originate
		tls_server_name = localhost
		tls_ca_file = $CERTS/ca.pem
	INI
}

# calls CALL,... COMMAND...: how many of these it makes.
calls() {
	local these=$1
	shift
	strace -f -qq -o "$T/strace" -e "trace=$these" "$@" >"$T/out" 2>"$T/err" || fail "$* ended with $?: $(cat "$T/err")"
	grep -vc '<unfinished\|+++\|---' "$T/strace" || true
}

# fewest CALL,... COMMAND...: of three runs, since a busy machine has records arrive in pieces, now and then for a whole run.
fewest() {
	for _ in 1 2 3; do calls "$@"; done | sort -n | sed -n 1p
}

RECEIVING=read,readv,recvfrom,recvmsg,poll,ppoll,select,pselect6,ioctl,getsockopt,fcntl
SENDING=write,writev,sendto,sendmsg

# made_by CALLS COUNT JOB...: what COUNT of the job take, from the program's start on, with OpenSSL linked in and over a wrapped socket. No difference
# of two counts: whether an answer is there already is the same for a whole run, and may be another in the next.
made_by() {
	local these=$1 count=$2 job=$3
	shift 3
	NATIVE=$(fewest "$these" "$BENCH/client-native" --resume --ca-file "$CERTS/ca.pem" "$TLS" "$job" "$count" "$@")
	WRAPPED=$(fewest "$these" -E LD_PRELOAD="$EGRET_LIB" "$BENCH/client" "$ASKED" "$job" "$count" "$@")
	[ "$NATIVE" -ge $((count * 9 / 10)) ] || fail "$NATIVE calls for $count messages cannot be"
}

# no_more_than_native: but for the start and what a busy machine adds now and then; one more for each read would be half as many again.
no_more_than_native() {
	[ "$WRAPPED" -le $((NATIVE + NATIVE / 4)) ] || fail "$WRAPPED calls over a wrapped socket, $NATIVE with OpenSSL linked in"
}

test_a_read_of_a_wrapped_socket_costs_no_extra_system_call() { # alone
	bench_server
	made_by "$RECEIVING" 600 echo
	no_more_than_native
}

test_a_read_in_an_event_loop_costs_no_extra_system_call() { # alone
	bench_server
	made_by "$RECEIVING" 800 echo 16
	no_more_than_native
}

test_a_write_to_a_wrapped_socket_costs_no_extra_system_call() { # alone
	bench_server
	made_by "$SENDING" 600 echo
	no_more_than_native
	made_by "$SENDING" 800 echo 16
	no_more_than_native
}

test_buffers_that_are_used_again_cost_no_system_call_however_many_they_are() {
	need strace
	need_library
	start_tls right --echo
	originating localhost "$PORT"
	calls all -E LD_PRELOAD="$EGRET_LIB" python3 - >"$T/count" <<-PY
		import mmap, os, socket
		s = socket.create_connection(("localhost", 80))
		pages = memoryview(mmap.mmap(-1, 200 * 4096))
		places = [pages[i * 4096:i * 4096 + 16] for i in range(200)]
		def trips():
		    for place in places:
		        place[0] = 1
		        s.sendall(place)
		        assert s.recv_into(place) == 16
		trips()
		os.write(1, b"begin\n")
		trips()
		os.write(1, b"end\n")
	PY
	sed '1,/write(1, "begin/d; /write(1, "end/,$d' "$T/strace" >"$T/second"
	[ "$(wc -l <"$T/second")" -ge 600 ] || fail "$(wc -l <"$T/second") calls for 200 round trips cannot be"
	# Two pages may have one place in the memory of good ones, wherever the kernel put them: such a pair is looked at anew each time.
	[ "$(grep -cE 'rt_sigprocmask|futex' "$T/second")" -le 20 ] || { cat "$T/second"; fail "buffers were looked at again"; }
}

test_a_connection_costs_few_system_calls_more_than_one_of_openssls_own() { # alone
	bench_server
	made_by all 100 connect
	[ "$WRAPPED" -le $((NATIVE + 3 * 100)) ] || fail "$WRAPPED calls for 100 connections, $NATIVE with OpenSSL linked in"
}

test_a_fresh_process_makes_few_system_calls_more_than_one_with_openssl_linked_in() { # alone
	bench_server
	local native wrapped
	native=$(fewest all "$BENCH/client-native" --ca-file "$CERTS/ca.pem" "$TLS" connect 1)
	wrapped=$(fewest all -E LD_PRELOAD="$EGRET_LIB" "$BENCH/client" "$ASKED" connect 1)
	[ "$native" -ge 90 ] || fail "$native calls cannot be"
	[ "$wrapped" -le $((native + 12)) ] || fail "$wrapped calls, $native with OpenSSL linked in"
}

test_a_programs_first_words_do_not_wait_until_the_handshakes_end_is_acknowledged() {
	bench_server
	calls setsockopt,sendto -E LD_PRELOAD="$EGRET_LIB" python3 - >"$T/count" <<-PY
		import socket
		s = socket.create_connection(("127.0.0.1", $ASKED))
		assert not s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
		s.sendall(b"e" + bytes(15))
		assert not s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
		s.sendall(b"again")
	PY
	equal "$(sed -nE 's/.*(sendto|TCP_NODELAY, \[[01]\]).*/\1/p' "$T/strace" | tail -n +1 | head -5 | tr '\n' ' ')" \
		"sendto sendto TCP_NODELAY, [1] sendto TCP_NODELAY, [0] "
}

test_the_first_words_of_a_moved_connection_do_not_wait_either() {
	bench_server
	calls setsockopt,sendto -E LD_PRELOAD="$EGRET_LIB" python3 - >"$T/count" <<-PY
		import os, socket
		s = socket.create_connection(("127.0.0.1", $ASKED))
		os.dup2(s.fileno(), 0)
		os.write(0, b"e" + bytes(15))
		os.write(0, bytes(64))
		got = b""
		while len(got) < 64:
		    got += os.read(0, 64)
	PY
	# Records alone: a byte goes into the relay's own pair of sockets, too.
	equal "$(awk '/sendto\([0-9]+, "\\2[0-9]\\3/ { print "sendto" } /TCP_NODELAY, \[1\]/ { print "on" }' "$T/strace" | sed -n 1,4p | xargs)" \
		"sendto sendto on sendto"
}

test_what_a_program_asks_of_its_socket_while_its_first_words_wait_is_what_it_gets() {
	need_library
	start_tls right --slow --echo
	originating localhost "$PORT"
	status covered python3 - <<-PY
		import socket, threading, time
		NODELAY = socket.IPPROTO_TCP, socket.TCP_NODELAY
		s = socket.create_connection(("localhost", 80))
		s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
		writer = threading.Thread(target=s.send, args=(bytes(8 << 20),))
		writer.start()
		time.sleep(.3)
		waits, before = writer.is_alive(), s.getsockopt(*NODELAY)
		s.setsockopt(*NODELAY, 1)
		threading.Thread(target=lambda: [s.recv(65536) for _ in iter(int, 1)], daemon=True).start()
		writer.join()
		print("waited", waits, "before", before, "after", bool(s.getsockopt(*NODELAY)), flush=True)
		__import__("os")._exit(0)
	PY
	expect "$T/out" "waited True before 0 after True"
}

test_an_observed_request_costs_no_extra_system_call() {
	need strace ab
	need_library
	start_nginx_tls right "keepalive_requests 100000;"
	local protocol each=
	for protocol in tcp http; do
		PROTOCOL=$protocol originating www.googleapis.com "$PORT"
		sed -i '/^log = /d' "$T/egret.ini"
		local ab="-E LD_PRELOAD=$EGRET_LIB ab -q -k -c 1 -n"
		# shellcheck disable=SC2086
		each="$each $(fewest all $ab 600 http://www.googleapis.com/)"
	done
	read -r NATIVE WRAPPED <<<"$each"
	[ "$NATIVE" -ge 1800 ] || fail "$NATIVE calls for 600 requests cannot be"
	no_more_than_native
}

test_a_supervisor_whose_last_program_ends_does_not_ask_again_and_again_for_calls() {
	need strace
	policy <<<'[egret]'
	# While this much memory is given back the program is no caller any more, and not yet dead.
	calls ioctl "$EGRET" run --sandbox=require -- python3 -c 'block = bytearray(64 << 20); __import__("os")._exit(0)' >"$T/count"
	local asked
	asked=$(grep -c 'NOTIF_RECV.*ENOENT' "$T/strace" || true)
	[ "$asked" -le 2 ] || fail "asked $asked times"
}
