# What the supervisor uses is out of the command's reach: policy, certificate authorities, log, the report's record.

# A command of the policy's owner attacks the policy in every way that leaves a good one in its place; nothing changes.
inside_policy() {
	local way runs=
	start_recorder
	policy <<<"[egret]"
	open_to_nobody
	mkdir "$T/etc" "$T/etc/conf.d"
	cat >"$T/etc/egret.ini" <<-INI
		[egret]
		internal = none
		include = conf.d/*.ini
		[good]
		hosts = good.example
		ports = 1
	INI
	sed "s/ports = 1/ports = $PORT/" "$T/etc/egret.ini" >"$T/wide.ini"
	chmod 600 "$T/etc/egret.ini" "$T/wide.ini"
	cat >"$T/attack.py" <<-'PYTHON'
		import os, shutil, socket, sys, time
		directory, wide, port, way = sys.argv[1:]
		policy = directory + "/egret.ini"
		def in_place(): shutil.copyfile(wide, policy)
		def renamed(): os.rename(wide, policy)
		def linked():
		    os.unlink(policy)
		    os.symlink(wide, policy)
		def directory_replaced():
		    os.rename(directory, directory + ".old")
		    shutil.copytree(directory + ".old", directory)
		    shutil.copyfile(wide, policy)
		def included():
		    with open(directory + "/conf.d/more.ini", "w") as f: f.write("[more]\nhosts = good.example\nports = %s\n" % port)
		    os.chmod(directory + "/conf.d/more.ini", 0o600)
		def environment(): os.environ["EGRET_CONFIG"] = wide
		locals()[way]()
		for _ in range(8):
		    s = socket.socket()
		    assert s.connect_ex(("good.example", int(port))) == 13
		    time.sleep(0.2)
		print("denied")
	PYTHON
	chown -R 65534 "$T/etc" "$T/wide.ini" "$T"
	for way in in_place renamed linked directory_replaced included environment; do
		cp -Rp "$T/etc" "$T/$way"
		cp -p "$T/wide.ini" "$T/$way.wide"
		"$@" "$EGRET" run -c "$T/$way/egret.ini" --sandbox=require -- python3 "$T/attack.py" "$T/$way" "$T/$way.wide" "$PORT" "$way" \
			>"$T/$way.out" 2>"$T/$way.err" &
		runs="$runs $!"
	done
	wait $runs
	for way in in_place renamed linked directory_replaced included environment; do
		equal "$way $(cat "$T/$way.out")" "$way denied"
	done
	wire_is_silent
}

test_no_change_of_the_policy_by_the_command_is_taken_as_its_owner() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "127.0.0.1 good.example" inside_policy as_nobody
}

test_no_change_of_the_policy_by_the_command_is_taken_as_root() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "127.0.0.1 good.example" inside_policy
}

# $T/tamper.py DIRECTORY WAY: is refused something, tampers with DIRECTORY/log, is refused something else.
tamperer() {
	cat >"$T/tamper.py" <<-'PYTHON'
		import os, socket, sys
		directory, way = sys.argv[1:]
		log, victim = directory + "/log", directory + ".victim"
		def attempt(host): assert socket.socket().connect_ex((host, 9)) == 13
		def cut(): os.truncate(log, 0)
		def overwritten():
		    with open(log, "r+") as f: f.write("nothing to see here")
		def removed(): os.unlink(log)
		def linked():
		    os.rename(log, log + ".old")
		    os.symlink(victim, log)
		def queued():
		    os.rename(log, log + ".old")
		    os.mkfifo(log)
		def moved():
		    os.rename(directory, directory + ".old")
		    os.mkdir(directory)
		attempt("203.0.113.7")
		try:
		    locals()[way]()
		    print("done")
		except OSError as e: print(e.strerror)
		attempt("203.0.113.8")
	PYTHON
}

# tamper WAY [as_nobody]: $T/WAY.out and .err, status 1 for what was refused.
tamper() {
	local way=$1 status=0
	mkdir "$T/$way"
	: >"$T/$way.victim"
	[ -z "${2:-}" ] || chown 65534 "$T/$way" "$T/$way.victim"
	"${@:2}" timeout 60 "$EGRET" run --sandbox=require --log "$T/$way/log" --report=text --fail-on-deny -- python3 "$T/tamper.py" "$T/$way" "$way" \
		>"$T/$way.out" 2>"$T/$way.err" || status=$?
	equal "$way: $status" "$way: 1"
	# Whatever became of the log: the report has both, and nobody was written to.
	expect "$T/$way.err" "203.0.113.7:9  "
	expect "$T/$way.err" "203.0.113.8:9  "
	[ ! -s "$T/$way.victim" ] || fail "$way: a line went elsewhere"
}

inside_log_of_root() {
	local way
	. "$ROOT/tests/e2e/sandbox_tampering.sh"
	policy <<<"[egret]"
	tamperer
	for way in cut overwritten removed linked queued; do
		tamper "$way"
		[ "$(cat "$T/$way.out")" != "done" ] || fail "$way: it could"
		expect "$T/$way/log" "203.0.113.7:9"
		expect "$T/$way/log" "203.0.113.8:9"
		expect_not "$T/$way.err" "rely on the report"
	done
	tamper moved
	expect "$T/moved.old/log" "203.0.113.7:9"
	expect "$T/moved.old/log" "203.0.113.8:9"
	[ ! -e "$T/moved/log" ] || fail "the log followed the command"
}

test_as_root_the_command_cannot_touch_the_log() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	unshare -m true 2>/dev/null || skip "namespaces are not permitted here"
	in_network inside_log_of_root
}

# An owner may do what it likes with its file: lines go nowhere else, the supervisor does not wait, and it says so.
inside_log_of_its_owner() {
	local way
	. "$ROOT/tests/e2e/sandbox_tampering.sh"
	policy <<<"[egret]"
	open_to_nobody
	chown 65534 "$T"
	tamperer
	for way in cut removed linked queued moved; do tamper "$way" as_nobody; done
	for way in cut removed linked queued moved; do equal "$way $(cat "$T/$way.out")" "$way done"; done
	expect "$T/cut.err" "the log $T/cut/log was cut while the command ran: rely on the report"
	expect "$T/removed.err" "was removed while"
	expect "$T/linked.err" "was replaced while"
	expect "$T/queued.err" "was replaced while"
	expect "$T/linked/log.old" "203.0.113.8:9"
	expect "$T/moved.old/log" "203.0.113.8:9"
}

test_a_command_that_owns_the_log_leads_no_line_elsewhere_and_is_told_of() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_log_of_its_owner
}

# Whoever rotates the log from outside finds nothing said about it.
inside_rotated() {
	policy <<<"[egret]"
	status "$EGRET" run --sandbox=require --log "$T/log" -- python3 -c '
import os, socket, sys, time
assert socket.socket().connect_ex(("203.0.113.7", 9)) == 13
open(sys.argv[1] + ".go", "w").close()
while not os.path.exists(sys.argv[1] + ".rotated"): time.sleep(0.02)
assert socket.socket().connect_ex(("203.0.113.8", 9)) == 13' "$T/run" &
	wait_for 20 test -e "$T/run.go"
	mv "$T/log" "$T/log.1"
	: >"$T/run.rotated"
	wait $!
	expect "$T/log.1" "203.0.113.7:9"
	expect "$T/log" "203.0.113.8:9"
	expect_not "$T/err" "rely on the report"
}

test_a_rotation_of_the_log_from_outside_goes_on_in_the_new_file() { # quick
	in_network inside_rotated
}

# The launcher keeps the record that the report is made of: the command does not get at it.
inside_record() {
	policy <<<"[egret]"
	open_to_nobody
	status as_nobody "$EGRET" run --sandbox=require --report=text -- python3 -c '
import os, re, socket
assert socket.socket().connect_ex(("203.0.113.7", 9)) == 13
pid, reached = os.getppid(), 0
for _ in range(2): # the supervisor, the launcher
    for fd in range(3, 64):
        for attempt in (lambda: os.truncate("/proc/%d/fd/%d" % (pid, fd), 0), lambda: os.readlink("/proc/%d/fd/%d" % (pid, fd))):
            try: attempt(); reached += 1
            except OSError: pass
    try: open("/proc/%d/mem" % pid, "rb"); reached += 1
    except OSError: pass
    pid = int(re.search("PPid:\\s+(\\d+)", open("/proc/%d/status" % pid).read()).group(1))
print(reached, "reached")'
	expect_status 0
	equal "$(cat "$T/out")" "0 reached"
	expect "$T/err" "203.0.113.7:9  "
}

test_the_command_does_not_reach_the_record_of_the_report() { # quick
	need setpriv
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network inside_record
}
