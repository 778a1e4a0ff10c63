# Life inside other people's processes: the library is there before constructors, after exit, under other allocators, without files.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# originated_at: 127.0.0.1:PORT is reached by TLS, nothing else is.
originated_at() {
	start_recording_tls right --http
	certificates
	policy <<-INI
		[egret]
		internal = none
		log = none
		[server]
		hosts = 127.0.0.1
		ports = $PORT
		tls = originate
		tls_server_name = www.googleapis.com
		tls_ca_file = $CERTS/ca.pem
	INI
}

# odd MODE EXPECTED [DIRECTORY]: the answer at the covered server, then the refusal at another port.
odd() {
	equal "$1 $(covered "$PROGRAMS/odd" "$1" 127.0.0.1 "$PORT" "${3:-/}" 2>>"$T/err")" "$1 $2"
	equal "$1 $(covered "$PROGRAMS/odd" "$1" 127.0.0.1 1 "${3:-/}" 2>>"$T/err")" "$1 ${4:-EACCES}"
}

test_a_connection_is_judged_and_wrapped_in_signal_handlers_and_after_exit() {
	originated_at
	odd plain connected
	odd signal connected
	odd exit connected
	odd close_range connected
	wire_is_tls
}

# A connect by ctypes: Python itself would refuse such an address.
odd_families() {
	"$@" python3 - "$PORT" <<-'PY'
		import ctypes, errno, socket, struct, sys
		libc = ctypes.CDLL(None, use_errno=True)
		port = int(sys.argv[1])
		v4 = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton("127.0.0.1") + bytes(8)
		v6 = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1") + bytes(4)
		for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
		    for family, address in (socket.AF_INET, v6), (socket.AF_INET6, v4), (socket.AF_INET6, v6):
		        s = socket.socket(family, kind)
		        failed = libc.connect(s.fileno(), address, len(address)) != 0
		        print(kind.name, family.name, errno.errorcode[ctypes.get_errno()] if failed else s.getpeername()[:2])
	PY
}

test_an_address_of_another_family_than_the_sockets_is_answered_as_by_tcp() {
	originated_at
	printf '[datagrams]
hosts = 127.0.0.1
ports = %s
protocol = udp
' "$PORT" >>"$T/egret.ini"
	odd_families env >"$T/bare"
	odd_families covered >"$T/out" 2>"$T/err" || fail "$(cat "$T/err")"
	[ "$(grep -c EAFNOSUPPORT "$T/bare")" -ge 2 ] || fail "$(cat "$T/bare")"
	equal "$(cat "$T/out")" "$(cat "$T/bare")"
}

test_a_process_that_lost_its_root_directory_keeps_policy_engine_and_certificates() {
	[ "$(id -u)" = 0 ] || skip "only root may chroot"
	originated_at
	mkdir "$T/empty"
	odd chroot connected "$T/empty"
	wire_is_tls
}

test_a_process_that_gave_up_root_keeps_a_policy_that_only_root_reads() {
	[ "$(id -u)" = 0 ] || skip "only root may change its user"
	originated_at
	chmod 600 "$T/egret.ini"
	odd setuid connected
}

test_a_line_of_ours_never_lands_in_a_file_that_took_descriptor_2() {
	originated_at
	equal "$(covered "$PROGRAMS/odd" stderr 127.0.0.1 1 "$T/own")" EACCES
	[ ! -s "$T/own" ] || fail "$(cat "$T/own")"
}

test_a_process_without_descriptors_to_spare_is_denied_not_let_through() {
	originated_at
	equal "$(covered "$PROGRAMS/odd" few 127.0.0.1 1 2>/dev/null)" EACCES
}

test_a_process_that_dies_at_unknown_system_calls_lives_under_the_library() {
	originated_at
	equal "$("$PROGRAMS/odd" confined 127.0.0.1 1)" confined
	equal "$(covered "$PROGRAMS/odd" confined 127.0.0.1 1)" confined
}

test_a_program_under_jemalloc_reaches_its_host_and_no_other() {
	local jemalloc
	jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
	[ -n "$jemalloc" ] || skip "jemalloc is not installed"
	originated_at
	local list
	for list in "$EGRET_LIB:$jemalloc" "$jemalloc:$EGRET_LIB"; do
		equal "$(LD_PRELOAD=$list "$PROGRAMS/odd" plain 127.0.0.1 "$PORT" 2>>"$T/err")" connected
		equal "$(LD_PRELOAD=$list "$PROGRAMS/odd" plain 127.0.0.1 1 2>>"$T/err")" EACCES
	done
}

test_a_program_built_with_an_address_sanitizer_is_covered() {
	need cc
	originated_at
	cc -D_GNU_SOURCE -fsanitize=address -o "$T/odd_asan" "$ROOT/tests/programs/odd.c" 2>"$T/err" || skip "no sanitizer here"
	local runtime
	runtime=$(ldd "$T/odd_asan" | awk '/libasan/ { print $3 }')
	equal "$(LD_PRELOAD=$runtime:$EGRET_LIB "$T/odd_asan" plain 127.0.0.1 "$PORT" 2>>"$T/err")" connected
	equal "$(LD_PRELOAD=$runtime:$EGRET_LIB "$T/odd_asan" plain 127.0.0.1 1 2>>"$T/err")" EACCES
}

test_a_process_that_exits_while_its_threads_connect_ends_and_tells_no_plaintext() {
	originated_at
	local i
	for i in 1 2 3 4 5; do odd threads connected; done
	wire_is_tls
}

test_a_process_without_memory_to_spare_connects_by_tls_or_not_at_all() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "a sanitizer needs terabytes of address space"
	originated_at
	local kib answer connected=0 refused=0
	# From what is too little for the engine to what is plenty.
	for kib in 3000 6000 9000 12000 15000 18000 22000 30000 300000; do
		answer=$(covered "$PROGRAMS/odd" memory 127.0.0.1 "$PORT" $kib 2>>"$T/err")
		if [ "$answer" = connected ]; then connected=$((connected + 1)); else refused=$((refused + 1)); fi
		case $answer in connected | EACCES | ENOMEM | ENOBUFS) ;; *) fail "$kib KiB: $answer" ;; esac
		equal "$kib $(covered "$PROGRAMS/odd" memory 127.0.0.1 1 $kib 2>>"$T/err")" "$kib EACCES"
	done
	[ $connected -gt 0 ] && [ $refused -gt 0 ] || fail "$connected connected, $refused refused"
	wire_is_tls
}

# early_library: $T/libearly.so connects to 127.0.0.1:1 in an IFUNC resolver and in a constructor, and says how that went.
early_library() {
	cat >"$T/early.c" <<-'C'
		#include <arpa/inet.h>
		#include <stdio.h>
		#include <sys/socket.h>
		#include <unistd.h>
		static int resolved = 7;
		static int attempt(void)
		{
			struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(INADDR_LOOPBACK) } };
			int fd = socket(AF_INET, SOCK_STREAM, 0), result = connect(fd, (struct sockaddr *)&to, sizeof(to));
			close(fd);
			return result;
		}
		static int one(void) { return 1; }
		static int (*resolve(void))(void) { resolved = attempt(); return one; }
		static int chosen_here(void) __attribute__((ifunc("resolve"))); /* resolved with this library, before ours */
		int chosen(void) { return chosen_here(); }
		__attribute__((constructor)) static void construct(void) { printf("resolver %d constructor %d\n", resolved, attempt()); }
	C
	cc -shared -fPIC -Wl,-z,now -o "$T/libearly.so" "$T/early.c"
	echo 'int chosen(void); int main(void) { return chosen() != 1; }' >"$T/main.c"
	cc -o "$T/main" "$T/main.c" -L"$T" -learly -Wl,-rpath,"$T"
}

test_a_library_that_connects_while_it_is_loaded_is_refused_and_nothing_crashes() {
	need cc
	originated_at
	early_library
	equal "$(covered "$T/main" 2>>"$T/err")" "resolver -1 constructor -1"
	expect "$T/err" "egret: denied tcp 127.0.0.1:1"
}

test_a_library_that_binds_to_its_own_needs_first_is_judged_all_the_same() {
	need cc
	originated_at
	mkdir "$T/plugins"
	cat >"$T/plugin.c" <<-'C'
		#include <arpa/inet.h>
		#include <sys/socket.h>
		int attempt(int port)
		{
			struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
			return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to));
		}
	C
	cat >"$T/loader.c" <<-'C'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdio.h>
		int main(void)
		{
			void *plugin = dlopen("plugin.so", RTLD_NOW | RTLD_DEEPBIND), *space = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
			int (*attempt)(int) = plugin ? (int (*)(int))dlsym(plugin, "attempt") : NULL;
			if (!attempt)
				return puts(dlerror()), 1;
			printf("%d %s\n", attempt(1), space ? "another space" : "no other space");
			return 0;
		}
	C
	cc -shared -fPIC -o "$T/plugins/plugin.so" "$T/plugin.c"
	cc -o "$T/loader" "$T/loader.c" -Wl,-rpath,'$ORIGIN/plugins' # found by the caller's own path only
	equal "$(covered "$T/loader" 2>>"$T/err")" "-1 no other space"
	expect "$T/err" "egret: denied tcp 127.0.0.1:1"
}

test_a_wrapped_socket_works_under_the_highest_descriptor_and_takes_no_room_for_those_below() {
	need_library
	start_tls right --echo
	originating localhost "$PORT"
	local limit # a million where the machine allows it, or what it does
	limit=$((1 << 20))
	prlimit --nofile="$limit" true 2>/dev/null || limit=$(ulimit -Hn)
	prlimit --nofile="$limit" env LD_PRELOAD="$EGRET_LIB" python3 - $((limit - 1)) >"$T/out" <<-'PY'
		import os, select, socket, sys
		most = int(sys.argv[1])
		def resident():
		    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
		s = socket.create_connection(("localhost", 80))
		s.sendall(b"low")
		assert s.recv(3, socket.MSG_WAITALL) == b"low"
		numbers = range(100, most - 2, most // 20), range(most - 2, most + 1)
		before = resident()
		for number in [*numbers[0], *numbers[1]]:
		    os.dup2(s.fileno(), number)
		s.close()
		for number in [*numbers[0], *numbers[1]]:
		    copy = socket.socket(fileno=number)
		    poller = select.poll()
		    poller.register(copy, select.POLLIN)
		    assert poller.poll(0) == []
		    copy.sendall(b"x" * 100)
		    assert poller.poll(20000) == [(number, select.POLLIN)]
		    assert copy.recv(100, socket.MSG_WAITALL) == b"x" * 100
		    if number != most:
		        copy.close()
		copy.sendall(b"still there")
		assert copy.recv(11, socket.MSG_WAITALL) == b"still there"
		print(resident() - before)
	PY
	[ "$(cat "$T/out")" -lt $((2 << 20)) ] || fail "$(cat "$T/out") bytes for 24 descriptors"
}
