# Where the kernel's Landlock knows no scopes yet (before Linux 6.12), the supervisor judges signals and the rest holds.

# older ABI: a library that makes egret see the Landlock of that ABI, as $T/older.so.
older() {
	cat >"$T/older.c" <<-'C'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <errno.h>
		#include <stdint.h>
		#include <sys/syscall.h>
		long syscall(long nr, long a, long b, long c, long d, long e, long f)
		{
			static long (*next)(long, ...);
			const uint64_t *attr = (const uint64_t *)a;
			if (!next)
				next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
			if (nr == SYS_landlock_create_ruleset && !attr)
				return ABI;
			if (nr == SYS_landlock_create_ruleset && (attr[1] || attr[2])) {
				errno = E2BIG;
				return -1;
			}
			return next(nr, a, b, c, d, e, f);
		}
	C
	gcc -w -shared -fPIC -DABI="$1" -o "$T/older.so" "$T/older.c" -ldl
}

inside_older() {
	local name
	policy <<<"[egret]"
	open_to_nobody
	chmod 755 "$T/older.so"
	as_nobody python3 -c '
import ctypes, sys, time
memory = ctypes.create_string_buffer(16)
ctypes.CDLL(None).prctl(0x59616d61, -1, 0, 0, 0) # where Yama is, let the attempts try
import os
os.setpgid(0, 0)
print("export OUTSIDE_PID=%d OUTSIDE_GROUP=%d OUTSIDE_AT=%d" % (os.getpid(), os.getpgrp(), ctypes.addressof(memory)), flush=True)
time.sleep(100)' >"$T/outside" &
	wait_for 10 test -s "$T/outside"
	. "$T/outside"
	for name in kernel/signal_outside kernel/write_memory_outside kernel/open_memory_outside kernel/ptrace_outside reach/ptrace_outside_stopped \
		reach/signal_outside_by_thread reach/signal_outside_by_pidfd reach/signal_outside_queued reach/read_memory_outside; do
		equal "$name $(as_nobody timeout 10 "$PROGRAMS/escape_${name%/*}" "${name#*/}")" "$name escaped"
		status as_nobody env LD_PRELOAD="$T/older.so" "$EGRET" run --sandbox=require -- timeout 10 "$PROGRAMS/escape_${name%/*}" "${name#*/}"
		expect "$T/err" "layers: sandbox: supervisor, resolver, relay, landlock (signals: the supervisor)"
		expect_not "$T/out" escaped
		case $name in *signal*) expect "$T/err" "denied signal a process outside of the command's" ;; esac
	done
	# What a build does is left alone: renames between directories, signals to its own, threads of its own.
	mkdir -m 777 "$T/one" "$T/other"
	status as_nobody env LD_PRELOAD="$T/older.so" "$EGRET" run --sandbox=require -- python3 -c '
import os, signal, subprocess, sys, threading
os.chdir(sys.argv[1])
open("one/a", "w").close()
os.rename("one/a", "other/a")
os.link("other/a", "one/b")
child = subprocess.Popen(["sleep", "100"])
child.terminate()
assert child.wait() == -signal.SIGTERM
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
assert seen
os.kill(0, 0)
for group in -1, -int(sys.argv[2]):
    try: os.kill(group, 0)
    except PermissionError: print("refused")' "$T" "$OUTSIDE_GROUP"
	expect_status 0
	equal "$(cat "$T/out")" "refused
refused"
	expect "$T/err" "denied signal a group with processes outside of the command's"
}

test_without_landlocks_signal_scope_require_holds_by_other_means() { # limit=120
	need setpriv gcc
	[ "$(id -u)" = 0 ] || skip "not root"
	older 4
	in_network inside_older
}

test_without_landlock_require_refuses_with_the_reason_and_auto_says_so_on_one_line() { # quick
	refuses_without landlock_create_ruleset "--sandbox=require: Landlock is missing"
	status "$PROGRAMS/without_call" landlock_create_ruleset "$EGRET" run --sandbox=auto -- true
	expect_status 0
	equal "$(cat "$T/err")" "egret: layers: preload; sandbox off: Landlock is missing (Linux 5.19, and not switched off at boot): the tree could trace processes outside"
}

test_auto_names_every_active_layer_on_one_line() { # quick
	local missing
	missing=$("$EGRET" doctor | grep -c 'no sandbox\|no --sandbox' || true)
	[ "$missing" = 0 ] || skip "this machine lacks a layer"
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=auto -- true
	expect_status 0
	grep -qE '^egret: layers: preload; sandbox: supervisor[^,]*, resolver, relay, landlock' "$T/err" || fail "$(cat "$T/err")"
	equal "$(wc -l <"$T/err")" 1
	status "$PROGRAMS/without_call" seccomp "$EGRET" run --sandbox=auto -- true
	expect_status 0
	expect "$T/err" "layers: preload; sandbox off: seccomp user notification is missing"
	equal "$(wc -l <"$T/err")" 1
}

# Inherited connections: what stands on 0, 1 and 2 was given on purpose (inetd); others are closed before the command runs.
inside_inherited() {
	start_relay_server echo
	policy < <(printf '[egret]\ninternal = none\n')
	status bash -c 'exec 7<>"/dev/tcp/127.0.0.1/$1" 8</dev/null
		exec "$2" run --sandbox=require -- python3 -c "
import os, socket
s = socket.socket(fileno=os.dup(0))
s.sendall(b\"given\")
assert s.recv(10) == b\"given\"
try: os.fstat(7); print(\"7 is open\")
except OSError: print(\"7 is closed\")
os.fstat(8)" <&7' - "$PORT" "$EGRET"
	expect_status 0
	equal "$(cat "$T/out")" "7 is closed"
}

test_inherited_connections_but_standard_ones_are_closed() { # quick
	in_network inside_inherited
}
