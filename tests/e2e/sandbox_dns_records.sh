# The sandbox's resolver and a server of names with every kind of record, as c-ares, musl and glibc see them.

# c-ares drops what comes from another address than the one it asked; it asks with and without EDNS.
inside_cares() {
	start_records
	good_policy
	sandboxed /usr/bin/python3 -c '
import pycares, select, socket, sys
def ask(name, kind, flags=0):
    got = []
    channel = pycares.Channel(servers=[sys.argv[1]], timeout=5, tries=2, flags=flags)
    channel.query(name, kind, lambda result, error: got.append((result, error)))
    while not got:
        reading, writing = channel.getsock()
        select.select(reading, writing, [], 0.2)
        for fd in reading: channel.process_fd(fd, pycares.ARES_SOCKET_BAD)
        for fd in writing: channel.process_fd(pycares.ARES_SOCKET_BAD, fd)
        if not reading and not writing and not got: break
    return got[0]
EDNS = 256 # ares_init_options(3)
for flags in (0, EDNS, pycares.ARES_FLAG_USEVC):
    print("A", [r.host for r in ask("good.example", pycares.QUERY_TYPE_A, flags)[0]])
print("AAAA", [r.host for r in ask("good.example", pycares.QUERY_TYPE_AAAA)[0]])
print("chain", [r.host for r in ask("alias.good.example", pycares.QUERY_TYPE_A)[0]])
print("CNAME", ask("alias.good.example", pycares.QUERY_TYPE_CNAME)[0].cname)
print("SRV", [(r.host, r.port, r.priority, r.weight) for r in ask("_ldap._tcp.good.example", pycares.QUERY_TYPE_SRV)[0]])
print("PTR", ask("3.100.51.198.in-addr.arpa", pycares.QUERY_TYPE_PTR)[0].name)
print("many", len(ask("many.good.example", pycares.QUERY_TYPE_A)[0]))
for name, kind in (("TXT", pycares.QUERY_TYPE_TXT), ("MX", pycares.QUERY_TYPE_MX), ("ANY", pycares.QUERY_TYPE_ANY)):
    print(name, pycares.errno.errorcode[ask("good.example", kind)[1]])
print("unknown PTR", pycares.errno.errorcode[ask("9.113.0.203.in-addr.arpa", pycares.QUERY_TYPE_PTR)[1]])
print("uncovered", pycares.errno.errorcode[ask("evil.example", pycares.QUERY_TYPE_A)[1]])' "$SERVER"
	expect_status 0
	equal "$(cat "$T/out")" "A ['198.51.100.3']
A ['198.51.100.3']
A ['198.51.100.3']
AAAA ['2001:db8::9']
chain ['198.51.100.3']
CNAME second.good.example
SRV [('good.example', 8080, 10, 20)]
PTR alias.good.example
many 60
TXT ARES_ECONNREFUSED
MX ARES_ECONNREFUSED
ANY ARES_ECONNREFUSED
unknown PTR ARES_ENOTFOUND
uncovered ARES_ENOTFOUND"
	# What the policy refuses never reached the server, and the long answer was fetched whole.
	expect_not "$T/asked" evil
	expect_not "$T/asked" "udp 16 "
	expect "$T/asked" "tcp 1 many.good.example edns"
}

test_every_kind_of_record_reaches_a_program_with_a_resolver_of_its_own() { # quick
	/usr/bin/python3 -c 'import pycares' 2>/dev/null || skip "python3-pycares is not installed"
	in_the_net inside_cares
}

# RFC 9460: the parameters of an HTTPS record without the encrypted ClientHello, which would hide the server's name.
inside_https_record() {
	start_records
	good_policy
	sandboxed /usr/bin/python3 -c '
import socket, struct, sys
name = b"".join(bytes([len(p)]) + p for p in (b"good", b"example")) + b"\0"
def ask(options):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    s.sendto(struct.pack("!6H", 7, 0x100, 1, 0, 0, 1 if options else 0) + name + struct.pack("!2H", 65, 1) + options, (sys.argv[1], 53))
    return s.recv(4096)
plain, edns = ask(b""), ask(b"\0" + struct.pack("!HHIH", 41, 1400, 0, 0))
assert plain[10:12] == b"\0\0" and edns[10:12] == b"\0\1", "EDNS is answered with EDNS, and only then"
data = plain[12 + len(name) + 4:]
length = struct.unpack("!H", data[10:12])[0]
data = data[12:12 + length]
assert data[:2] == b"\0\1" and data[2:2 + len(name)] == name
at, keys = 2 + len(name), {}
while at < len(data):
    key, size = struct.unpack("!HH", data[at:at + 4])
    keys[key] = data[at + 4:at + 4 + size]
    at += 4 + size
print(sorted(keys), keys[1])' "$SERVER"
	expect_status 0
	equal "$(cat "$T/out")" "[1, 4, 6] b'\\x02h2'"
}

test_an_https_record_loses_its_encrypted_hello_and_keeps_the_rest() { # quick
	in_the_net inside_https_record
}

# A datagram holds no more than the program says that it takes; the rest is for TCP.
inside_long_answer() {
	start_records
	good_policy
	sandboxed /usr/bin/python3 -c '
import socket, struct, sys
query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\4many\4good\7example\0" + struct.pack("!2H", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(query, (sys.argv[1], 53))
part = s.recv(8192)
assert len(part) <= 512 and part[2] & 2 and 0 < part[7] < 60, (len(part), part[2], part[7])
t = socket.create_connection((sys.argv[1], 53), 10)
t.sendall(struct.pack("!H", len(query)) + query)
f = t.makefile("rb")
whole = f.read(struct.unpack("!H", f.read(2))[0])
assert not whole[2] & 2 and whole[7] == 60, (whole[2], whole[7])' "$SERVER"
	expect_status 0
	sandboxed env -i /usr/bin/getent ahostsv4 many.good.example
	expect_status 0
}

test_a_long_answer_is_cut_for_udp_and_whole_over_tcp() { # quick
	in_the_net inside_long_answer
}

# The answer's time is over: the address is nobody's until the name is asked for again. The program holds on to it.
inside_expired() {
	start_records
	listen_at 0.0.0.0 8080
	good_policy 0s
	sandboxed env -i /usr/bin/python3 -c '
import errno, socket, time
def attempt():
    s = socket.socket()
    s.settimeout(5)
    return s.connect_ex(("198.51.100.3", 8080))
def asked_for(): return socket.gethostbyname("good.example") and attempt()
assert attempt() == errno.EACCES, "before anybody asked"
assert any(asked_for() == 0 for _ in range(20))
for _ in range(200):
    if attempt() == errno.EACCES: break
    time.sleep(0.1)
else: raise SystemExit("it was reached without end")
assert any(asked_for() == 0 for _ in range(20)), "asked for again"'
	expect_status 0
}

test_an_address_is_allowed_for_no_longer_than_its_answer_lives() { # quick
	in_the_net inside_expired
}

inside_kept() {
	start_records
	listen_at 0.0.0.0 8080
	good_policy
	sandboxed env -i /usr/bin/python3 -c '
import socket, time
socket.gethostbyname("good.example")
time.sleep(2.5) # the answer lived for two seconds
socket.create_connection(("198.51.100.3", 8080), 5)'
	expect_status 0
}

test_an_address_stays_allowed_for_dns_min_ttl() { # quick
	in_the_net inside_kept
}

# A static program of musl's: it sends to the server without connect and drops answers from elsewhere.
inside_musl() {
	start_records
	/usr/bin/musl-gcc -w -static -O1 -D_GNU_SOURCE -o "$T/speaker" "$ROOT/tests/programs/musl_lookup.c"
	good_policy
	sandboxed env -i "$T/speaker" good.example alias.good.example evil.example
	equal "$(cat "$T/out")" "good.example: 198.51.100.3 2001:db8::9
alias.good.example: 198.51.100.3 2001:db8::9
evil.example: Name does not resolve"
}

test_a_static_program_of_musl_looks_names_up() { # quick
	command -v musl-gcc >/dev/null || skip "musl-tools is not installed"
	in_the_net inside_musl
}

# Services that look names up past the resolver are as if they did not run: asked directly, and by the libc.
inside_name_services() {
	start_records
	mount -t tmpfs run /run
	mkdir -p /run/nscd /run/systemd/resolve
	/usr/bin/python3 -c '
import os, socket, sys, threading
def serve(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o777)
    s.listen(16)
    while True:
        client = s.accept()[0]
        question = client.recv(100)
        if question: open(sys.argv[1], "ab").write(question + b"\n")
        client.close()
for path in ("/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"):
    threading.Thread(target=serve, args=(path,), daemon=True).start()
while not os.path.exists("/run/systemd/resolve/io.systemd.Resolve"): pass
open(sys.argv[1] + ".up", "w").write("up")
threading.Event().wait()' "$T/services" &
	wait_for 10 test -s "$T/services.up"
	good_policy
	env -i /usr/bin/getent hosts good.example >"$T/without"
	[ -s "$T/services" ] || fail "the libc does not ask nscd here"
	rm "$T/services"
	status "$EGRET" run --sandbox=require --fail-on-deny -- env -i /usr/bin/python3 -c '
import errno, socket, subprocess
for path in ("/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve", "/var/run/nscd/socket"):
    assert socket.socket(socket.AF_UNIX).connect_ex(path) == errno.ENOENT
print(socket.gethostbyname("good.example"))
print(subprocess.run(["/usr/bin/getent", "hosts", "evil.example"]).returncode)'
	expect "$T/out" 198.51.100.3
	expect "$T/err" "denied dns evil.example"
	expect_not "$T/err" "denied unix"
	[ ! -e "$T/services" ] || fail "a service was asked"
}

test_services_that_look_names_up_are_closed_to_the_tree() { # quick
	[ "$(id -u)" = 0 ] || skip "not root"
	in_the_net inside_name_services
}
