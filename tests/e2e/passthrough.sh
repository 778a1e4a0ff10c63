# A program's own TLS: its ClientHello is judged before a byte of it leaves, and what may pass passes untouched.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

export PYTHONPATH=$ROOT/tests/lib

# passing PROTOCOL PORT: good.example:443 of that protocol is 127.0.0.1:PORT; so is other.example's, an entry of its own.
passing() {
	certificates
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[good]
		hosts = good.example, *.wild.example
		ports = 443
		protocol = $1
		addresses = 127.0.0.1:$2
		[other]
		hosts = other.example
		ports = 443
		protocol = tls
		addresses = 127.0.0.1:$2
	INI
}

# wire_has_not_seen TEXT...
wire_has_not_seen() {
	local word
	for word; do expect_not "$T/wire" "$word"; done
}

# client_reaches COMMAND...: it succeeds, TLS on the wire, its request at the server.
client_reaches() {
	start_recording_tls right --http
	passing tls "$PORT"
	covered "$@" >"$T/out" 2>"$T/err" || { show_output; fail "the client failed"; }
	wire_is_tls
	expect "$T/plain" "GET /secret"
	expect "$T/log" '"server_name":"good.example"'
}

test_curl_speaks_its_own_tls_to_a_tls_entry() {
	client_reaches curl -sS --max-time 20 --cacert "$CERTS/ca.pem" https://good.example/secret
	expect "$T/out" "hello over tls"
}

test_wget_speaks_its_own_tls_to_a_tls_entry() {
	need wget
	client_reaches wget -q -T 20 -t 1 -O "$T/page" --ca-certificate="$CERTS/ca.pem" https://good.example/secret
}

test_python_speaks_its_own_tls_to_a_tls_entry() {
	client_reaches env SSL_CERT_FILE="$CERTS/ca.pem" python3 -c 'import urllib.request
print(urllib.request.urlopen("https://good.example/secret", timeout=20).read())'
}

test_asyncio_speaks_its_own_tls_to_a_tls_entry() {
	client_reaches env SSL_CERT_FILE="$CERTS/ca.pem" python3 -c 'import asyncio
async def main():
    r, w = await asyncio.open_connection("good.example", 443, ssl=True)
    w.write(b"GET /secret HTTP/1.0\r\n\r\n")
    print(await r.read())
asyncio.run(asyncio.wait_for(main(), 20))'
}

test_node_speaks_its_own_tls_to_a_tls_entry() {
	need node
	client_reaches env NODE_EXTRA_CA_CERTS="$CERTS/ca.pem" node -e 'require("https").get("https://good.example/secret", (r) => {
		r.on("data", (d) => process.stdout.write(d)); r.on("end", () => process.exit(0)) }).on("error", (e) => { console.error(e); process.exit(1) })'
}

test_ruby_speaks_its_own_tls_to_a_tls_entry() {
	need ruby
	client_reaches env SSL_CERT_FILE="$CERTS/ca.pem" ruby -rnet/http -ruri -e 'puts Net::HTTP.get(URI("https://good.example/secret"))'
}

test_php_speaks_its_own_tls_to_a_tls_entry() {
	need php
	client_reaches php -r 'echo file_get_contents("https://good.example/secret", false, stream_context_create(["ssl" => ["cafile" => $argv[1]]]));' \
		"$CERTS/ca.pem"
	expect "$T/out" "hello over tls"
}

test_perl_speaks_its_own_tls_to_a_tls_entry() {
	need perl
	perl -MIO::Socket::SSL -e1 2>/dev/null || skip "IO::Socket::SSL is not installed"
	client_reaches perl -MHTTP::Tiny -e 'my $r = HTTP::Tiny->new(verify_SSL => 1, timeout => 20, SSL_options => { SSL_ca_file => $ARGV[0] })->get(
		"https://good.example/secret"); print $r->{content}; exit !$r->{success}' "$CERTS/ca.pem"
	expect "$T/out" "hello over tls"
}

test_openssl_s_client_speaks_its_own_tls_to_a_tls_entry() {
	client_reaches bash -c '(printf "GET /secret HTTP/1.0\r\n\r\n"; sleep 3) | openssl s_client -quiet -connect good.example:443'
}

test_git_speaks_its_own_tls_to_a_tls_entry() {
	need git
	start_recording_tls right --http
	passing tls "$PORT"
	status covered env GIT_SSL_CAINFO="$CERTS/ca.pem" git ls-remote https://good.example/secret.git
	wire_is_tls
	expect "$T/plain" "GET /secret.git/info/refs"
}

test_java_speaks_its_own_tls_to_a_tls_entry() { # limit=120
	need java javac
	cat >"$T/Get.java" <<-'JAVA'
		import java.net.*; import javax.net.ssl.*; import java.security.cert.X509Certificate;
		public class Get { public static void main(String[] a) throws Exception {
			SSLContext c = SSLContext.getInstance("TLS");
			c.init(null, new TrustManager[] { new X509TrustManager() {
				public void checkClientTrusted(X509Certificate[] x, String s) {} public void checkServerTrusted(X509Certificate[] x, String s) {}
				public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; } } }, null);
			HttpsURLConnection u = (HttpsURLConnection) new URL("https://good.example/secret").openConnection();
			u.setSSLSocketFactory(c.getSocketFactory());
			System.out.write(u.getInputStream().readAllBytes()); System.out.flush();
		} }
	JAVA
	javac -d "$T" "$T/Get.java"
	client_reaches java -cp "$T" Get
}

# hello_refused PROTOCOL NAME TEXT: a ClientHello for NAME (none: no name) is refused with TEXT on stderr and never leaves.
hello_refused() {
	start_recorder
	passing "$1" "$PORT"
	covered python3 - "$2" >"$T/out" 2>"$T/err" <<-'PY'
		import hello, socket, sys
		s = socket.create_connection(("good.example", 443), 10)
		try:
		    s.sendall(hello.client_hello(None if sys.argv[1] == "none" else sys.argv[1]))
		    print("sent")
		except OSError as e:
		    print("errno", e.errno)
		try:
		    print("then", s.recv(10))
		except OSError as e:
		    print("then errno", e.errno)
	PY
	expect "$T/out" "errno 13"
	expect "$T/out" "then errno 104"
	expect "$T/err" "egret: denied tls good.example:443 (127.0.0.1): $3"
	expect "$T/log" '"verdict":"deny"'
	equal "$(grep -c "^egret:" "$T/err")" 1
	wire_is_silent
}

test_a_client_hello_for_a_name_of_no_entry_never_leaves() { # quick
	hello_refused tls evil.example "its ClientHello asks for a server name that is none of the entry's hosts: evil.example"
	expect "$T/err" "to allow it: egret allow evil.example:443"
	expect "$T/log" '"server_name":"evil.example"'
}

test_a_client_hello_for_a_name_of_another_entry_never_leaves() {
	hello_refused tls other.example "its ClientHello asks for a server name that is none of the entry's hosts: other.example"
}

test_a_client_hello_without_a_name_never_leaves() {
	hello_refused tls none "its ClientHello asks for no server name"
}

test_a_client_hello_on_a_named_tcp_entry_is_judged_too() {
	hello_refused tcp evil.example "its ClientHello asks for a server name that is none of the entry's hosts: evil.example"
}

test_curl_with_a_foreign_host_header_and_sni_is_reset() {
	start_recording_tls right --http
	passing tls "$PORT"
	status covered curl -sSk --max-time 20 --connect-to evil.example:443:good.example:443 https://evil.example/secret
	expect_refused "none of the entry's hosts: evil.example"
	wire_is_silent
}

test_audit_lets_a_foreign_client_hello_pass_and_logs_it() {
	start_recording_tls right --http
	passing tls "$PORT"
	EGRET_MODE=audit covered curl -sSk --max-time 20 --connect-to evil.example:443:good.example:443 https://evil.example/secret >"$T/out"
	expect "$T/out" "hello over tls"
	expect "$T/log" '"audited":true'
	expect "$T/log" '"server_name":"evil.example"'
}

# spoken PROTOCOL PROGRAM [ARGS]: a python program that has `s`, connected to good.example:443, and `hello`, a good ClientHello.
spoken() {
	local protocol=$1 program=$2
	shift 2
	passing "$protocol" "$PORT"
	covered python3 - "$@" >"$T/out" 2>"$T/err" <<-PY || { show_output; fail "the program failed"; }
		import array, errno, hello as h, os, select, socket, struct, subprocess, sys, threading, time
		hello = h.client_hello("good.example")
		def connect():
		    return socket.create_connection(("good.example", 443), 20)
		$program
	PY
}

# wire_becomes HEX-or-TEXT-file: what the recorder got equals the file, in the end.
wire_becomes() {
	wait_for 10 cmp -s "$1" "$T/wire"
}

# write_by CODE: the hello leaves whole and unchanged although the program writes it by CODE, which has s and hello; nothing before its end.
write_by() {
	start_recorder
	spoken tls "
s = connect()
open('$T/hello', 'wb').write(hello + b'tail')
def seen(): return os.path.getsize('$T/wire')
$1
s.sendall(b'tail')
time.sleep(0.1)
"
	wire_becomes "$T/hello"
}

test_a_client_hello_written_byte_by_byte_leaves_when_it_is_complete() { # quick
	write_by "
for i in range(len(hello) - 1):
    assert s.send(hello[i:i+1]) == 1
time.sleep(0.2)
assert seen() == 0, seen()
s.send(hello[-1:])"
}

test_a_client_hello_written_by_writev_sendmsg_and_sendmmsg_leaves_whole() {
	write_by "
assert os.writev(s.fileno(), [hello[:3], hello[3:7], b'', hello[7:60]]) == 60
assert s.sendmsg([hello[60:70], hello[70:90]]) == 30
time.sleep(0.1)
assert seen() == 0
import ctypes
class iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_char_p), ('len', ctypes.c_size_t)]
class msghdr(ctypes.Structure): _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint), ('iov', ctypes.POINTER(iovec)), ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t), ('flags', ctypes.c_int)]
class mmsghdr(ctypes.Structure): _fields_ = [('hdr', msghdr), ('len', ctypes.c_uint)]
parts = [hello[90:100], hello[100:]]
iovs = [(iovec * 1)(iovec(p, len(p))) for p in parts]
list_ = (mmsghdr * 2)(*[mmsghdr(msghdr(None, 0, iovs[i], 1, None, 0, 0), 0) for i in range(2)])
assert ctypes.CDLL(None).sendmmsg(s.fileno(), list_, 2, 0) == 2
assert [m.len for m in list_] == [len(p) for p in parts]"
}

test_a_client_hello_written_by_sendfile_leaves_whole() {
	write_by "
f = open('$T/hello', 'rb')
assert os.sendfile(s.fileno(), f.fileno(), 0, 50) == 50
assert os.sendfile(s.fileno(), f.fileno(), 50, len(hello) - 50) == len(hello) - 50"
}

test_a_client_hello_written_through_a_stdio_stream_is_judged() {
	start_recorder
	spoken tls "
import ctypes
c = ctypes.CDLL(None)
c.fdopen.restype = ctypes.c_void_p
evil = h.client_hello('evil.example')
s = connect()
f = ctypes.c_void_p(c.fdopen(s.fileno(), b'r+'))
print('wrote', c.fwrite(evil, 1, len(evil), f), c.fflush(f))
"
	expect "$T/out" "-1"
	expect "$T/err" "none of the entry's hosts: evil.example"
	wire_is_silent
}

test_a_connect_that_does_not_block_and_a_poll_for_writing_see_what_tcp_shows() {
	start_recorder ANSWER
	for waiter in poll epoll select; do
		spoken tls "
waiter = sys.argv[1]
address = socket.getaddrinfo('good.example', 443, type=socket.SOCK_STREAM)[0][4]
s = socket.socket(); s.setblocking(False)
def ready(mask):
    if waiter == 'poll':
        p = select.poll(); p.register(s, mask); return p.poll(10000)
    if waiter == 'epoll':
        p = select.epoll(); p.register(s, mask); return p.poll(10)
    return any(select.select([s] if mask == select.POLLIN else [], [s] if mask == select.POLLOUT else [], [], 10))
assert s.connect_ex(address) in (0, errno.EINPROGRESS)
assert ready(select.POLLOUT)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
assert s.getpeername() == address, s.getpeername()
assert s.send(hello[:40]) == 40
assert ready(select.POLLOUT)
assert s.send(hello[40:]) == len(hello) - 40
assert ready(select.POLLIN)
print(s.recv(100))
assert s.getpeername() == address, s.getpeername()
" $waiter
		expect "$T/out" ANSWER
	done
}

test_what_is_no_client_hello_is_refused_on_a_tls_entry() {
	start_recorder ANSWER
	spoken tls "
s = connect()
try: s.sendall(b'GET / HTTP/1.0\r\n\r\n')
except OSError as e: print('errno', e.errno)"
	expect "$T/out" "errno 13"
	expect "$T/err" "did not begin with a ClientHello"
	wire_is_silent
}

test_what_is_no_client_hello_passes_untouched_on_a_tcp_entry() { # quick
	start_recorder ANSWER
	spoken tcp "
s = connect(); s.sendall(b'\x16'); time.sleep(0.1); s.sendall(b'\x20 secret plaintext')
print(s.recv(100))"
	expect "$T/out" ANSWER
	printf '\x16\x20 secret plaintext' >"$T/expected"
	wire_becomes "$T/expected"
}

test_a_server_that_speaks_first_is_heard_on_a_tcp_entry() {
	python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
while True:
    c = s.accept()[0]; c.sendall(b"220 hi\r\n"); c.sendall(c.recv(100))' "$T/first.port" &
	announced "$T/first.port"
	spoken tcp "
s = connect()
assert select.select([s], [], [], 10)[0]
print(s.recv(100)); s.sendall(b'EHLO me\r\n'); print(s.recv(100))"
	expect "$T/out" "220 hi"
	expect "$T/out" "EHLO me"
}

test_half_a_client_hello_and_the_end_is_refused() {
	start_recorder
	for end in "s.shutdown(socket.SHUT_WR)" "s.close()"; do
		spoken tls "
s = connect(); s.sendall(hello[:60])
try: $end
except OSError as e: print(e)"
		expect "$T/err" "it began like TLS, but not with a ClientHello"
		wire_is_silent
	done
}

test_a_client_hello_may_be_sent_by_the_child_of_a_fork() {
	start_recorder ANSWER
	spoken tls "
s = connect()
if os.fork() == 0:
    s.sendall(hello); os._exit(0)
os.wait()
print(s.recv(100))
s.sendall(b'tail')"
	expect "$T/out" ANSWER
	[ -s "$T/wire" ] || fail "nothing arrived"
}

test_the_child_of_a_fork_does_not_send_a_foreign_client_hello() {
	start_recorder
	spoken tls "
s = connect()
if os.fork() == 0:
    try: s.sendall(h.client_hello('evil.example'))
    except OSError as e: print('errno', e.errno, flush=True)
    os._exit(0)
os.wait()"
	expect "$T/out" "errno 13"
	wire_is_silent
}

test_an_unjudged_connection_of_a_tls_entry_does_not_become_a_standard_stream() {
	start_recorder
	spoken tls "
s = connect()
try: os.dup2(s.fileno(), 0)
except OSError as e: print('errno', e.errno)"
	expect "$T/out" "errno 1"
}

test_a_judged_connection_may_become_a_standard_stream() {
	start_recorder ANSWER
	spoken tls "
s = connect(); s.setblocking(True); s.sendall(hello)
os.dup2(s.fileno(), 0)
print(os.read(0, 100))"
	expect "$T/out" ANSWER
}

test_a_refused_socket_may_be_connected_again_and_is_judged_again() {
	start_recorder
	spoken tls "
evil = h.client_hello('evil.example')
s = connect(); address = s.getpeername()
for i in range(2):
    try: s.sendall(evil)
    except OSError as e: print('refused', e.errno)
    try: s.recv(1)
    except OSError as e: pass
    s.connect(address)
"
	equal "$(grep -c 'refused 13' "$T/out")" 2
	wire_is_silent
}

test_a_program_that_speaks_tls_to_an_originating_entry_is_told_so() {
	start_recording_tls right --http
	originating good.example "$PORT"
	sed -i 's/^ports = 80/ports = 443/' "$T/egret.ini"
	status covered curl -sSk --max-time 20 https://good.example/secret
	expect_refused "the program sent a ClientHello: it speaks TLS itself to an entry that originates TLS" "set protocol = tls and tls = off"
	[ ! -s "$T/plain" ] || fail "the server received something"
}

test_getpeername_answers_what_was_asked_where_a_plain_entry_dials_elsewhere() {
	start_recorder ANSWER
	spoken tcp "
s = connect(); print(s.getpeername()); s.sendall(b'x'); print(s.recv(9)); print(s.getpeername())"
	equal "$(grep -c "'127.0.0.1', 443" "$T/out")" 2
}

test_an_unjudged_connection_of_a_tls_entry_is_not_sent_to_another_process() {
	start_recorder
	spoken tls "
s = connect(); a, b = socket.socketpair()
try: socket.send_fds(a, [b'x'], [s.fileno()])
except OSError as e: print('errno', e.errno)"
	expect "$T/out" "errno 1"
}

test_an_unjudged_connection_of_a_tls_entry_is_not_inherited() {
	start_recorder
	spoken tls "
import subprocess
s = connect(); os.set_inheritable(s.fileno(), True)
for how in (dict(close_fds=False), dict(pass_fds=[s.fileno()])):
    subprocess.call(['/bin/sh', '-c', 'echo leak >&%d' % s.fileno()], **how)
s2 = connect(); n = s2.fileno(); os.set_inheritable(n, True)
os.posix_spawn('/bin/sh', ['sh', '-c', 'echo leak >&%d' % n], os.environ)
os.wait()
try: os.posix_spawn('/bin/sh', ['sh', '-c', 'echo leak >&9'], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, n, 9)])
except OSError as e: print('errno', e.errno)"
	expect "$T/out" "errno 1"
	wire_is_silent
	expect "$T/err" "is not inherited by the next program"
}

test_fast_open_after_a_dial_that_failed_is_judged() { # quick
	start_recorder
	passing tcp 1
	covered python3 - "$PORT" >"$T/out" 2>"$T/err" <<-'PY'
		import select, socket, sys
		s = socket.socket(); s.setblocking(False)
		s.connect_ex(socket.getaddrinfo("good.example", 443)[0][4])
		select.select([], [s], [], 10)
		for i in range(3):
		    try: print("sent", s.sendto(b"leak", socket.MSG_FASTOPEN, ("127.0.0.1", int(sys.argv[1]))))
		    except OSError as e: print("errno", e.errno)
	PY
	expect "$T/out" "errno 13"
	expect_not "$T/out" "sent"
	wire_is_silent
}

test_an_unjudged_connection_of_a_tls_entry_is_not_inherited_from_inside_the_libc() {
	start_recorder
	spoken tls "
import ctypes
libc = ctypes.CDLL(None)
libc.popen.restype = ctypes.c_void_p
s = connect(); n = s.fileno(); os.set_inheritable(n, True)
def command(to): return ('echo leak >&%d' % to).encode()
print('system', libc.system(command(n)) != 0)
print('popen', libc.pclose(ctypes.c_void_p(libc.popen(command(n), b'r'))) != 0)
words = ctypes.create_string_buffer(64)
libc.wordexp(b'\$(' + command(n) + b')', words, 0)
print('kept', os.get_inheritable(n))"
	equal "$(cat "$T/out")" "system True
popen True
kept True"
	wire_is_silent
}

test_after_a_failed_exec_an_unjudged_connection_is_the_programs_as_before() {
	start_recorder
	spoken tls "
s = connect(); n = s.fileno(); os.set_inheritable(n, True)
try: os.execv('/no/such/program', ['x'])
except FileNotFoundError: print('failed', os.get_inheritable(n))
os.posix_spawn('/bin/true', ['true'], os.environ); os.wait()
print('spawned', os.get_inheritable(n))
s.setblocking(True); s.sendall(hello)
open('$T/hello', 'wb').write(hello + b'judged\n')
os.system('echo judged >&%d' % n)"
	equal "$(cat "$T/out")" "failed True
spawned True"
	wire_becomes "$T/hello"
}
