# Behind a request that is answered here the connection goes on, where all who wait for it can be told of the answer.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# goes_on tls|plain: one connection, refusals among requests that pass; bodies that go nowhere.
goes_on() {
	local how
	served "$1"
	for how in blocked poll select epoll edge oneshot; do
		: >"$T/asked"
		EGRET_HOW=$how raw <<-'PY'
			how, mask = os.environ["EGRET_HOW"], select.EPOLLIN | select.EPOLLRDHUP
			s.setblocking(how == "blocked")
			if how in ("epoll", "edge", "oneshot"):
			    mask |= {"epoll": 0, "edge": select.EPOLLET, "oneshot": select.EPOLLONESHOT}[how]
			    e = select.epoll()
			    e.register(s, mask)
			    ready = lambda ms: e.poll(ms / 1000)
			elif how == "poll":
			    p = select.poll()
			    p.register(s, select.POLLIN)
			    ready = p.poll
			else:
			    ready = lambda ms: select.select([s], [], [], ms / 1000)[0]
			def answer(status, mark):
			    data = b""
			    while mark not in data:
			        if how != "blocked":
			            assert ready(20000), "not woken"
			        if how == "oneshot":
			            e.modify(s, mask)
			        try:
			            while part := s.recv(50):
			                data += part
			                if len(part) < 50:
			                    break
			            assert part, (data, "ended")
			        except BlockingIOError:
			            pass
			    assert data.startswith(b"HTTP/1.1 %d " % status) and b"Connection" not in data, data
			    assert not ready(20), "readable with nothing to read"
			for turn in range(3):
			    s.sendall(head("/ok/slow"))
			    answer(200, b"hello GET")
			    s.sendall(no)
			    answer(403, b"denies this request")
			    s.sendall(head("/no", "Content-Length: 3\r\n", "POST") + b"abc" + head("/no", "Transfer-Encoding: chunked\r\n", "PUT") + b"5\r\nhello\r\n0\r\n\r\n")
			    answer(403, b"http_allow covers it\nHTTP/1.1 403 Forbidden\r\n")
			s.sendall(b"POST /no HTTP/1.1\r\nHost: www.googleapis.com\r\nContent-Length: 70000\r\n\r\n")
			answer(403, b"denies this request")
			for part in range(70):
			    s.sendall(b"GET /no HTTP/1.1\r\n\r\n".ljust(1000))
			s.sendall(ok)
			answer(200, b"hello GET")
		PY
		asked "GET /ok/slow 0" "GET /ok/slow 0" "GET /ok/slow 0" "GET /ok/1 0"
	done
	logged '.status == 403 and .path == "/no" and .flags == null'
}

test_a_connection_goes_on_behind_a_denied_request() { # quick
	goes_on tls
}

test_a_connection_in_the_clear_goes_on_behind_a_denied_request() {
	goes_on plain
}

# mixed tls|plain: pipelined in random pieces, answered in order.
mixed() {
	served "$1"
	raw <<-'PY'
		import random, threading
		for seed in range(8):
		    dice = random.Random(seed)
		    s = socket.create_connection(("www.googleapis.com", 80), 20)
		    s.setblocking(seed % 2 == 0)
		    kinds = [dice.choice(["slow", "chunked", "big-70000", "none", "no", "no", "flood", "3"]) for _ in range(40)]
		    bodies = [dice.choice([b"", b"x" * dice.randrange(1, 3000)]) for _ in kinds]
		    data = b"".join(head("/no" if kind == "no" else "/ok/" + kind, f"Content-Length: {len(body)}\r\n", "POST") + body for kind, body in zip(kinds, bodies))
		    got, p = b"", select.poll()
		    p.register(s, select.POLLIN | select.POLLOUT)
		    while data or not got.endswith(b"END"):
		        events = p.poll(20000)[0][1]
		        try:
		            if data and events & select.POLLOUT:
		                data = data[s.send(data[:dice.randrange(1, 2000)]):]
		                if not data:
		                    s.shutdown(socket.SHUT_WR)
		                    p.modify(s, select.POLLIN)
		            elif events & select.POLLIN:
		                part = s.recv(dice.choice([1, 60, 5000, 100000]))
		                got += part or b"END"
		        except BlockingIOError:
		            pass
		    statuses = [line.split()[1] for line in got.replace(b"HTTP/1.1 ", b"\nHTTP/1.1 ").split(b"\n") if line.startswith(b"HTTP/1.1 ") and b" 100 " not in line]
		    wanted = [{"no": b"403", "none": b"204"}.get(kind, b"200") for kind in kinds]
		    assert statuses == wanted, (seed, statuses, wanted)
	PY
}

test_refusals_among_pipelined_requests_are_answered_in_order() {
	mixed tls
}

test_refusals_among_pipelined_requests_in_the_clear_are_answered_in_order() {
	mixed plain
}

test_a_connection_ends_where_a_response_between_two_answers_is_none() { # quick
	need_library
	start_recorder $'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokthis is no response\r\n\r\n'
	governing plain
	raw <<-'PY'
		s.sendall(ok + no + head("/ok/2") + no)
		data = b""
		try:
		    while part := s.recv(65536):
		        data += part
		except ConnectionResetError:
		    data += b"RESET"
		assert data.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 403 "), data
		assert data.endswith(b"RESET") and data.count(b"HTTP/1.1") == 2 and b"no response" not in data, data
	PY
}

test_who_cannot_be_told_of_an_answer_is_told_by_the_end_of_the_connection() {
	served tls
	raw <<-'PY' # a thread that waits in recv already; a process that has the connection as well; a second descriptor
		import threading
		def connect(): return socket.create_connection(("www.googleapis.com", 80), 20)
		def closes(data): assert b" 403 " in data and b"Connection: close" in data and data.count(b"HTTP/1.1") == 1, data
		s.setblocking(True)
		t = threading.Timer(0.3, lambda: s.sendall(no + ok))
		t.start()
		closes(rest(s))
		for hold in (lambda: os.dup(s.fileno()), lambda: os.fork() or time.sleep(20)):
		    s = connect()
		    kept = hold()
		    s.sendall(no + ok)
		    closes(rest(s))
		    try:
		        s.sendall(ok)
		        assert False, "sent"
		    except BrokenPipeError:
		        pass
		os.kill(kept, 9)
	PY
	asked
}

test_threads_that_were_cancelled_in_a_wait_are_not_waited_for() {
	need gcc
	cat >"$T/cancel.c" <<-'C'
		#define _GNU_SOURCE
		#include <netdb.h>
		#include <poll.h>
		#include <pthread.h>
		#include <stdio.h>
		#include <string.h>
		#include <unistd.h>
		static int s;
		static void *receives(void *p) { char c; recv(s, &c, 1, 0); return p; }
		static void *polls(void *p) { struct pollfd f = { s, POLLIN, 0 }; poll(&f, 1, -1); return p; }
		static void ask(const char *path)
		{
			char text[4096] = "";
			snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n", path);
			write(s, text, strlen(text));
			text[read(s, text, sizeof text - 1)] = 0;
			printf("%.12s%s\n", text, strstr(text, "Connection: close") ? ", the end" : "");
		}
		int main(void)
		{
			void *(*ways[])(void *) = { receives, polls };
			struct addrinfo *at;
			if (getaddrinfo("www.googleapis.com", "80", &(struct addrinfo){ .ai_socktype = SOCK_STREAM }, &at)) return 1;
			s = socket(at->ai_family, SOCK_STREAM, 0);
			if (connect(s, at->ai_addr, at->ai_addrlen)) return 1;
			for (int i = 0; i < 2; i++) {
				pthread_t thread;
				void *how;
				pthread_create(&thread, NULL, ways[i], NULL);
				usleep(200000);
				pthread_cancel(thread);
				pthread_join(thread, &how);
				if (how != PTHREAD_CANCELED) return 1;
			}
			ask("/no");
			ask("/ok/1");
			return 0;
		}
	C
	gcc -w -pthread -o "$T/cancel" "$T/cancel.c"
	served tls
	status covered "$T/cancel"
	expect_status 0
	equal "$(cat "$T/out")" "HTTP/1.1 403
HTTP/1.1 200"
}

test_the_last_request_of_a_connection_is_the_last_one_denied_or_not() {
	served tls
	raw <<-'PY'
		def answer(data):
		    s = socket.create_connection(("www.googleapis.com", 80), 20)
		    s.sendall(data)
		    return rest(s)
		for data in (head("/no", "Connection: close\r\n"), b"GET /no HTTP/1.0\r\n\r\n", b"GET /no HTTP/1.1\r\n\r\n", b"GET /no\r\n\r\n",
		        head("/no", "Expect: 100-continue\r\nContent-Length: 5\r\n", "PUT")):
		    got = answer(data + ok)
		    assert b"Connection: close" in got and got.count(b"HTTP/1.1") == 1, (data, got)
		s.sendall(b"GET /no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + ok)
		got = end(s)
		assert b"Connection: keep-alive" in got and got.count(b"HTTP/1.1") == 2, got
	PY
	asked "GET /ok/1 0"
}

# one_connection tls|plain: curl, wrk and clients with pools ask over the connection that they have.
one_connection() {
	served "$1"
	get -v "$URL/ok/1" "$URL/no" "$URL/ok/2" >"$T/out" 2>"$T/err"
	equal "$(grep -c 'Re-using existing connection' "$T/err")" 2
	equal "$(grep -c "denies this request" "$T/out")" 1
	asked "GET /ok/1 0" "GET /ok/2 0"
	covered python3 - <<-'PY'
		import http.client
		c = http.client.HTTPConnection("www.googleapis.com", timeout=20)
		c.connect()
		kept = c.sock
		for path in "/ok/1", "/no", "/ok/2", "/no", "/no", "/ok/3":
		    c.request("POST", path, b"body")
		    assert (b"denies" in c.getresponse().read()) == (path == "/no") and c.sock is kept
	PY
	need node
	covered node -e '
	const http = require("http"), agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), ports = new Set();
	const ask = path => new Promise((done, failed) => { const q = http.get({ host: "www.googleapis.com", path, agent }, r => {
		let body = ""; r.on("data", d => body += d); r.on("end", () => done(ports.add(q.socket.localPort))); }).on("error", failed); });
	(async () => { for (let i = 0; i < 30; i++) await ask(i % 3 ? "/no" : "/ok/1"); agent.destroy(); console.log(ports.size); })();' >"$T/out"
	equal "$(cat "$T/out")" 1
}

test_clients_ask_on_over_the_connection_that_was_answered_here() {
	one_connection tls
}

test_clients_in_the_clear_ask_on_over_the_connection_that_was_answered_here() {
	one_connection plain
}

test_wrk_is_answered_here_as_fast_as_it_asks() {
	need wrk
	served plain
	covered wrk -t1 -c4 -d1 "$URL/no" >"$T/out" 2>"$T/err"
	expect "$T/out" "Non-2xx or 3xx responses: $(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$T/out")"
	expect_not "$T/out" "Socket errors"
	asked
}

test_a_connection_that_moved_to_a_relay_goes_on_behind_a_denied_request() {
	served tls
	raw <<-'PY'
		s.setblocking(True)
		os.dup2(s.fileno(), 1)
		for turn in range(3):
		    os.write(1, no)
		    assert b" 403 " in os.read(1, 65536)
		    os.write(1, ok)
		    assert b" 200 " in os.read(1, 65536)
	PY
	asked "GET /ok/1 0" "GET /ok/1 0" "GET /ok/1 0"
}
