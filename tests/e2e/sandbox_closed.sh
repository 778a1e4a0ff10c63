# The sandbox fails closed: whatever is missing, gone or overwhelmed, nothing gets out.

inside_killed() {
	start_recorder
	policy <<-INI
		[good]
		hosts = good.example
		ports = $PORT
	INI
	# Outside of the tree somebody kills the supervisor; the command waits for that and tries what was allowed before.
	(
		wait_for 20 test -s "$T/pid"
		kill -9 "$(cat "$T/pid")"
		: >"$T/killed"
	) &
	status "$EGRET" run --sandbox=require -- python3 -c '
import errno, os, socket, sys, time
port, pid_file, killed = int(sys.argv[1]), *sys.argv[2:]
def attempt(act):
    try: act()
    except OSError as e: return e.errno
    return 0
assert attempt(lambda: socket.create_connection(("127.0.0.1", port), 5)) == 0
stream, pair = socket.create_connection(("127.0.0.1", port), 5), socket.socketpair()
with open(pid_file + ".new", "w") as f: f.write(str(os.getppid()))
os.rename(pid_file + ".new", pid_file)
while not os.path.exists(killed): time.sleep(0.02)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for act in (lambda: socket.create_connection(("127.0.0.1", port), 5), lambda: udp.sendto(b"x", ("127.0.0.1", port)),
            lambda: stream.sendmsg([b"x"]), lambda: pair[0].sendmsg([b"x"])):
    assert attempt(act) == errno.ENOSYS, attempt(act)
open(killed + ".held", "w").close()' "$PORT" "$T/pid" "$T/killed"
	expect_status 125
	wait_for 10 test -e "$T/killed.held"
}

test_without_its_supervisor_the_command_has_no_network() { # quick
	in_network_with_names "" inside_killed
}

test_require_refuses_a_policy_that_cannot_be_read() { # quick
	status "$EGRET" run -c "$T/missing.ini" --sandbox=require -- true
	expect_status 125
	policy <<<"[broken"
	status "$EGRET" run --sandbox=require -- true
	expect_status 125
}

# A supervisor that gets no more memory answers with errors; it does not let through.
inside_memory() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example
		ports = $PORT
	INI
	status "$EGRET" run --sandbox=require -- python3 -c '
import os, resource, socket, sys
port = int(sys.argv[1])
used = int(open("/proc/%d/statm" % os.getppid()).read().split()[0]) * 4096
resource.prlimit(os.getppid(), resource.RLIMIT_AS, (used, used))
got_out = 0
for n in range(200):
    for host in ("203.0.113.9", "good.example"):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((host, port))
        if host != "good.example":
            s.setblocking(True)
            s.settimeout(0.2)
            try: s.sendall(b"denied"); got_out += 1
            except OSError: pass
sys.exit(1 if got_out else 0)' "$PORT"
	[ "$STATUS" = 0 ] || { show_output; fail "exit status $STATUS"; }
	expect_not "$T/wire" denied
}

test_a_supervisor_without_memory_lets_nothing_out() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "127.0.0.1 good.example" inside_memory
}

inside_flood() {
	start_relay_server echo
	named good.example "$PORT"
	status timeout 150 "$EGRET" run --sandbox=require -- python3 -c '
import os, socket, sys, threading
port = int(sys.argv[1])
def flood():
    for n in range(400):
        s = socket.socket()
        s.setblocking(False)
        assert s.connect_ex(("203.0.113.%d" % (n % 200 + 10), 9)) == 13
        s.close()
crowd = [threading.Thread(target=flood) for _ in range(16)]
for t in crowd: t.start()
for _ in range(10):
    s = socket.create_connection(("good.example", port), 30)
    s.sendall(b"through")
    assert s.recv(100) == b"through"
for t in crowd: t.join()' "$PORT"
	expect_status 0
}

test_a_flood_of_refused_connections_is_refused_and_others_go_on() { # quick limit=180
	in_network_with_names "127.0.0.1 good.example" inside_flood
}

inside_reload() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example
		ports = 1
	INI
	open_to_nobody
	chmod 755 "$EGRET_TEST_WORK"
	mkdir "$T/shared"
	chmod 777 "$T/shared"
	# The owner changes the policy while the command runs; the command cannot. The first change does not load, and is mended.
	(
		wait_for 20 test -e "$T/shared/started"
		sed "s/ports = 1/ports = none/" "$T/egret.ini" >"$T/egret.new"
		chmod 644 "$T/egret.new"
		cp "$T/egret.ini" "$T/egret.was"
		mv "$T/egret.new" "$T/egret.ini"
		wait_for 20 grep -q "the old policy holds" "$T/err"
		mv "$T/egret.was" "$T/egret.ini"
		sed "s/ports = 1/ports = $PORT/" "$T/egret.ini" >"$T/egret.new"
		chmod 644 "$T/egret.new"
		mv "$T/egret.new" "$T/egret.ini"
	) &
	status as_nobody "$EGRET" run --sandbox=require -- python3 -c '
import socket, sys, time
def attempt():
    s = socket.socket()
    return s.connect_ex(("good.example", int(sys.argv[1])))
assert attempt() == 13
open(sys.argv[2], "w").close()
for _ in range(300):
    if attempt() == 0: sys.exit(0)
    time.sleep(0.1)
sys.exit(1)' "$PORT" "$T/shared/started"
	expect_status 0
	expect "$T/err" "egret: $T/egret.ini:5: ports: expected numbers from 1 to 65535"
}

test_the_supervisor_takes_a_changed_policy_that_the_command_could_not_write() { # limit=240
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "127.0.0.1 good.example" inside_reload
}

inside_tree_cannot() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example
		ports = 1
	INI
	status "$EGRET" run --sandbox=require -- python3 -c '
import socket, sys, time
text = open(sys.argv[2]).read()
open(sys.argv[2], "w").write(text.replace("ports = 1", "ports = " + sys.argv[1]))
time.sleep(2.5)
s = socket.socket()
assert s.connect_ex(("good.example", int(sys.argv[1]))) == 13' "$PORT" "$T/egret.ini"
	expect_status 0
	wire_is_silent
}

test_a_policy_that_the_command_changes_changes_nothing() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_tree_cannot
}

inside_authority() {
	start_tls right
	originating api.example.com "$PORT"
	cp "$CERTS/other-ca.pem" "$T/ca.pem"
	sed -i "s#tls_ca_file = .*#tls_ca_file = $T/ca.pem#" "$T/egret.ini"
	sandboxed sh -c 'cat "$1" >"$2"; curl -sS --max-time 10 http://api.example.com/secret' - "$CERTS/ca.pem" "$T/ca.pem"
	[ "$STATUS" != 0 ] || fail "the command chose whom to trust"
	expect_not "$T/plain" secret
}

test_a_certificate_authority_that_the_command_puts_in_place_is_not_trusted() { # quick
	need curl
	in_network_with_names "203.0.113.9 api.example.com" inside_authority
}

test_as_root_the_tree_cannot_change_what_the_kernel_runs() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	unshare -m true 2>/dev/null || skip "namespaces are not permitted here"
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=require -- sh -c 'cat /proc/sys/kernel/core_pattern >"$1"; cat "$1" >/proc/sys/kernel/core_pattern' - "$T/pattern"
	[ "$STATUS" != 0 ] || fail "core_pattern was written"
	expect "$T/err" "Read-only"
}

test_messages_on_unix_sockets_pass_for_root_of_a_user_namespace() { # quick
	need python3
	unshare -r true 2>/dev/null || skip "namespaces are not permitted here"
	policy <<<"[egret]"
	status unshare -r "$EGRET" run --sandbox=require -- python3 -c 'import socket
left, right = socket.socketpair()
left.sendmsg([b"whole"])
print(right.recv(9))'
	expect_status 0
	expect "$T/out" whole
}

inside_routes() {
	local way
	policy <<<"[egret]"
	for way in env "$PROGRAMS/without_call pidfd_getfd"; do
		for change in "addr add 192.0.2.77/32 dev lo" "route add 192.0.2.0/24 dev lo" "link set lo down"; do
			status $way "$EGRET" run --sandbox=require -- ip $change
			[ "$STATUS" != 0 ] || fail "$way: ip $change was obeyed"
			expect "$T/err" "Operation not permitted"
		done
		status $way "$EGRET" run --sandbox=require -- ip -o addr show
		expect_status 0
		expect "$T/out" 203.0.113.9
	done
}

test_as_root_the_tree_cannot_change_addresses_and_routes_through_the_supervisor() { # quick
	need ip
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_routes
}

test_require_says_that_seccomp_is_withheld_and_refuses() { # quick
	refuses_without seccomp "seccomp user notification is missing"
}

test_a_sandbox_inside_a_sandbox_is_refused_with_its_reason() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=require -- "$EGRET" run --sandbox=require -- touch "$T/ran"
	expect_status 125
	expect "$T/err" "--sandbox=require: seccomp user notification"
	[ ! -e "$T/ran" ] || fail "the command ran"
}

test_a_ring_that_the_command_would_inherit_is_closed() { # quick
	policy <<<"[egret]"
	status "$PROGRAMS/ring" ls -l /proc/self/fd
	[ "$STATUS" != 77 ] || skip "there is no io_uring"
	expect "$T/out" "[io_uring]"
	status "$PROGRAMS/ring" "$EGRET" run --sandbox=require -- ls -l /proc/self/fd
	expect_status 0
	expect_not "$T/out" "[io_uring]"
}

test_a_key_that_a_program_outside_would_look_up_is_refused_with_its_line_and_a_search_is_not() { # quick
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=require -- python3 -c '
import ctypes, platform
number = {"x86_64": 249, "aarch64": 218}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
def ask(callout):
    libc.syscall(number, b"user", b"egret-test", callout, -3)
    return ctypes.get_errno()
print(ask(b"x"), ask(b""), ask(None))'
	expect_status 0
	equal "$(cat "$T/out")" "1 1 126"
	expect "$T/err" "denied request_key a key that a program outside would look up: the sandbox refuses it"
}
