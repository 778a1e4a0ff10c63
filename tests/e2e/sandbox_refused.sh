# What the sandbox refuses, it tells; what is the tree's own business, it leaves alone.

# Each attempt of escape_kernel and escape_reach, and what the log says of it: protocol and what stands in the place of a host. "kernel": it
# is refused by the kernel alone, unseen (SECURITY.md). "absent": as if nobody ran there. "?": only where the machine has such calls.
refusals() {
	cat <<-'TABLE'
		io_uring io_uring io_uring_setup
		packet_socket socket a socket of family AF_PACKET
		raw_socket socket a raw socket
		raw_socket_v6 socket a raw socket
		ping_socket socket a socket of protocol ICMP
		vsock_socket socket a socket of family AF_VSOCK
		sctp_socket socket a socket of protocol SCTP
		dccp_socket socket a socket of protocol DCCP
		udplite_socket socket a socket of protocol UDP-Lite
		smc_socket socket a socket of family AF_SMC
		tipc_socket socket a socket of family AF_TIPC
		xdp_socket socket a socket of family AF_XDP
		kernel_crypto_socket socket a socket of family AF_ALG
		netfilter_netlink_socket socket a socket of family AF_NETLINK
		ip_source_route_option setsockopt IP options
		ip_option_with_high_bits_in_the_level setsockopt IP options
		routing_header_option setsockopt IPv6 extension headers
		routing_header_in_ancillary_data sendmsg ancillary data that routes packets
		tcp_repair setsockopt TCP_REPAIR
		terminal_input ioctl TIOCSTI or TIOCLINUX: input put into a terminal
		bpf_map bpf a program or map of the kernel's
		name_looked_up_by_the_kernels_keys request_key a key that a program outside would look up
		ptrace_outside ptrace a process outside of the command's
		signal_outside signal a process outside of the command's
		write_memory_outside memory a process outside of the command's
		open_memory_outside kernel
		take_a_socket_from_outside pidfd_getfd a process outside of the command's
		unix_socket_outside unix /outside.sock
		abstract_socket_outside unix @
		unix_socket_outside_by_a_link unix /outside.sock
		second_supervisor kernel
		system_call_of_i386 ? foreign a system call of another architecture
		system_call_of_x32 ? x32 a system call of the x32 interface
		signal_outside_by_thread kernel
		signal_outside_by_pidfd signal a process outside of the command's
		signal_outside_queued kernel
		ptrace_outside_stopped ptrace a process outside of the command's
		read_memory_outside memory a process outside of the command's
		source_route_in_ancillary_data sendmsg ancillary data that routes packets
		pair_of_other_sockets socket a pair of sockets that are not unix
		docker_service unix /run/docker.sock
		docker_service_by_its_old_path unix /run/docker.sock
		containerd_service unix /run/containerd/containerd.sock
		podman_service unix /run/podman/podman.sock
		dbus_service unix /run/dbus/system_bus_socket
		systemd_service unix /run/systemd/private
		resolved_service absent
		nscd_service absent
		notify_service unix /run/systemd/notify
		socket_sent_from_outside unix /outside.sock
	TABLE
}

# told NAME: the log has the line of its row.
told() {
	local protocol text
	read -r _ protocol text < <(refusals | grep "^$1 ") || fail "$1 has no row"
	case $protocol in
	kernel | absent | '?') return ;;
	unix) grep -F '"verdict":"deny"' "$T/log" | grep -F '"protocol":"unix"' | grep -F -- "$text" >"$T/found" || fail "no line tells of $1" ;;
	*) grep -F "\"protocol\":\"$protocol\",\"host\":\"$text\"" "$T/log" | grep -F '"verdict":"deny"' >"$T/found" || fail "no line tells of $1" ;;
	esac
}

# One run for all: the same refusal is told once. What has an address or a name is told each time, also in these.
inside_every_refusal() {
	local program name
	. "$ROOT/tests/escapes/escapes.sh"
	. "$ROOT/tests/e2e/sandbox_refused.sh"
	start_world
	: >"$T/log"
	status "$EGRET" run --sandbox=require --log "$T/log" --log-format json -- bash -c '
		for program in escape_send escape_connect escape_kernel escape_reach; do
			for name in $("$PROGRAMS/$program" list); do
				case $name in *flipped* | *swapped* | *added*) continue ;; esac # thousands of the same calls
				before=$(wc -c <"$T/log")
				timeout 10 "$PROGRAMS/$program" "$name" >/dev/null 2>&1 </dev/null
				after=$(wc -c <"$T/log")
				echo "$program $name $((after - before))"
			done
		done; true'
	expect_status 0
	while read -r program name <&3; do
		case $program in
		escape_send | escape_connect) expect_not "$T/out" "$program $name 0" ;;
		escape_kernel | escape_reach) told "$name" ;;
		esac
	done 3< <(list_attempts)
}

test_every_refusal_of_the_sandbox_has_its_line_in_the_log() { # quick limit=150
	need ip python3 gcc
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names $'203.0.113.53 server.example\n198.51.100.1 good.example' inside_every_refusal
}

# Signals, ptrace, memory and descriptors within the tree; as numbers of a namespace of its own, too.
inside_own_business() {
	policy <<<"[egret]"
	cat >"$T/business.py" <<-'PYTHON'
		import ctypes, os, signal, socket, sys
		libc = ctypes.CDLL(None, use_errno=True)
		child = os.fork()
		if child == 0:
		    ours = socket.socketpair()
		    signal.pause()
		def answer(result): return result if result >= 0 else -ctypes.get_errno()
		word = ctypes.create_string_buffer(b"word", 5)
		class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
		place = ctypes.create_string_buffer(5)
		here = Vector(ctypes.addressof(place), 4)
		there = Vector(ctypes.addressof(word), 4)
		assert answer(libc.process_vm_readv(child, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)) == 4
		assert answer(libc.process_vm_writev(child, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)) == 4
		pidfd = os.pidfd_open(child)
		assert answer(libc.syscall(438, pidfd, 0, 0)) >= 0
		assert answer(libc.ptrace(0x4206, child, None, None)) == 0
		os.kill(os.getpid(), 0)
		try: os.kill(999999, 0)
		except ProcessLookupError: pass
		signal.pidfd_send_signal(pidfd, signal.SIGKILL)
		assert os.waitpid(child, 0)[1] == signal.SIGKILL
		other = os.fork()
		if other == 0:
		    os.setsid()
		    signal.pause()
		while os.getpgid(other) != other: pass
		os.killpg(other, signal.SIGTERM)
		assert os.waitpid(other, 0)[1] == signal.SIGTERM
		print("done")
	PYTHON
	sandboxed "$@" python3 "$T/business.py"
	expect_status 0
	equal "$(cat "$T/out")" "done"
	expect_not "$T/err" "denied"
}

test_processes_of_the_tree_signal_trace_and_read_each_other() { # quick
	in_network inside_own_business
}

test_processes_with_numbers_of_their_own_signal_trace_and_read_each_other() { # quick
	need bwrap
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_own_business bwrap --bind / / --dev /dev --unshare-user --unshare-pid --uid 0
}

test_strace_works_in_the_sandbox() { # quick
	need strace
	policy <<<"[egret]"
	sandboxed strace -f -o "$T/calls" sh -c 'true; exit 3'
	expect_status 3
	expect "$T/calls" execve
	expect_not "$T/err" denied
}

inside_network_of_its_own() {
	start_recorder
	named good.example "$PORT"
	unshare -rn true 2>/dev/null || skip "user namespaces are not permitted here"
	sandboxed unshare -rn bash -c 'ip link set lo up; exec 3<>"/dev/tcp/good.example/$1"' - "$PORT"
	[ "$STATUS" != 0 ] || fail "it was connected"
	expect "$T/err" "denied network a connection from a network namespace of the program's own"
	expect "$T/log" "a network namespace of the program's own"
	sandboxed unshare -rn bash -c 'ip link set lo up; exec 3<>/dev/tcp/203.0.113.9/80'
	[ "$STATUS" != 0 ] || fail "it was connected"
	expect "$T/err" "denied tcp 203.0.113.9:80"
	wire_is_silent
}

test_a_network_namespace_of_the_programs_own_fails_closed_with_a_line() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_network_of_its_own
}

# MPTCP (RFC 8684) for a host by name, which goes through the relay, and for an address, which does not.
inside_multipath() {
	python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)' 2>/dev/null || skip "this kernel has no MPTCP"
	start_relay_server echo
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example, 127.0.0.1
		ports = $PORT
	INI
	sandboxed python3 -c '
import errno, socket, sys
for host in ("good.example", "127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    s.connect((host, int(sys.argv[1])))
    s.sendall(b"by many paths")
    assert s.recv(100) == b"by many paths"
    s.close()
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
assert s.connect_ex(("203.0.113.9", int(sys.argv[1]))) == errno.EACCES' "$PORT"
	expect_status 0
	expect "$T/err" "denied tcp 203.0.113.9:$PORT"
}

test_multipath_tcp_is_judged_as_tcp() { # quick
	in_network_with_names "127.0.0.1 good.example" inside_multipath
}
