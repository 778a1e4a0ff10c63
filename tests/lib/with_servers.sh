# Servers of a test, each on a free port of 127.0.0.1, ended with the test. Sourced by harness.sh.
#
# Each start_* sets $PORT. What the wire received stands in a file when the server records it.

CERTS=$EGRET_BUILD/tests/certs

# certificates: makes them when they are not there yet.
certificates() {
	bash "$ROOT/tests/certs/make.sh" "$CERTS"
}

# free_port: a port that nobody listens on, into $PORT. It lies below those that the kernel gives to connections, so that no
# connection of a test beside takes it before the server does.
free_port() {
	PORT=$(python3 "$ROOT/tests/lib/free_port.py")
}

listening() {
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# announced FILE: waits until a server of ours has written its port there, into $PORT.
announced() {
	wait_for 10 test -s "$1"
	PORT=$(cat "$1")
}

# start_nginx_tls CERT [EXTRA lines for the server block]: HTTPS that answers "hello over tls"; $T/nginx.access. NGINX_TLS=plain: HTTP. NGINX_LISTEN: more
# words of its listen line.
start_nginx_tls() {
	need nginx
	local tls=ssl user=
	[ "${NGINX_TLS:-tls}" = tls ] || tls=
	[ "$(id -u)" != 0 ] || user="user root;"
	certificates
	free_port
	mkdir -p "$T/nginx"
	cat >"$T/nginx/conf" <<-CONF
		daemon off;
		$user
		worker_processes 1;
		pid $T/nginx/pid;
		error_log $T/nginx/error info;
		events { worker_connections 2048; }
		http {
			access_log $T/nginx.access;
			client_body_temp_path $T/nginx/body;
			proxy_temp_path $T/nginx/proxy;
			fastcgi_temp_path $T/nginx/fastcgi;
			uwsgi_temp_path $T/nginx/uwsgi;
			scgi_temp_path $T/nginx/scgi;
			server {
				listen 127.0.0.1:$PORT $tls ${NGINX_LISTEN:-} backlog=1024;
				ssl_certificate $CERTS/$1.pem;
				ssl_certificate_key $CERTS/$1.key;
				${2:-}
				location / { default_type text/plain; return 200 "hello over tls\n"; }
			}
		}
	CONF
	nginx -e "$T/nginx/error" -c "$T/nginx/conf" >"$T/nginx/out" 2>&1 &
	wait_for 10 listening "$PORT"
}

# start_recorder [ANSWER]: a TCP server that keeps all it receives in $T/wire and answers each connection's first bytes with ANSWER.
start_recorder() {
	rm -f "$T/recorder.port"
	: >"$T/wire"
	python3 "$ROOT/tests/lib/recorder.py" "$T/recorder.port" "$T/wire" "${1:-}" &
	announced "$T/recorder.port"
}

# start_recording_tls CERT [ARGS of tls_server.py]: TLS behind a recorder: the program's bytes as the wire carried them in $T/wire, what
# they meant in $T/plain.
start_recording_tls() {
	local cert=$1
	shift
	start_tls "$cert" "$@"
	record_wire_before "$PORT"
}

# record_wire_before PORT: a recorder that hands on to PORT; it is $PORT then.
record_wire_before() {
	rm -f "$T/recorder.port"
	: >"$T/wire"
	python3 "$ROOT/tests/lib/recorder.py" "$T/recorder.port" "$T/wire" --forward "$1" &
	announced "$T/recorder.port"
}

# start_tls CERT [--http | --echo] [--client-ca FILE] [--max-version 1.2] [--truncate] [--stall FILE]: a TLS server; what programs said is in $T/plain.
start_tls() {
	local cert=$1
	shift
	certificates
	rm -f "$T/tls.port"
	: >"$T/plain"
	python3 "$ROOT/tests/lib/tls_server.py" --port-file "$T/tls.port" --cert "$CERTS/$cert.pem" --key "$CERTS/$cert.key" \
		--record "$T/plain" "$@" 2>"$T/tls.err" &
	announced "$T/tls.port"
}

# start_plain_echo [ADDRESS PORT]: $PORT says everything again, over TCP as it is.
start_plain_echo() {
	rm -f "$T/echo.port"
	python3 "$ROOT/tests/lib/plain_echo.py" "$T/echo.port" "$@" &
	announced "$T/echo.port"
}

# start_http tls|plain: the server of http_server.py; what it was asked is in $T/asked.
start_http() {
	local secure=()
	certificates
	[ "$1" = plain ] || secure=(--cert "$CERTS/right.pem" --key "$CERTS/right.key")
	rm -f "$T/http.port"
	: >"$T/asked"
	python3 "$ROOT/tests/lib/http_server.py" --port-file "$T/http.port" --record "$T/asked" "${secure[@]}" >"$T/http.err" 2>&1 &
	announced "$T/http.port"
}

# start_s_server CERT [ARGS of openssl-s_server(1)]: a real server of OpenSSL's whose page tells what was negotiated.
start_s_server() {
	local cert=$1
	shift
	certificates
	free_port
	openssl s_server -accept "127.0.0.1:$PORT" -cert "$CERTS/$cert.pem" -key "$CERTS/$cert.key" -www "$@" >"$T/s_server" 2>&1 &
	wait_for 10 listening "$PORT"
}

# start_plain_http: answers every request with "hello in the clear", in plaintext.
start_plain_http() {
	start_recorder $'HTTP/1.0 200 OK\r\nContent-Length: 19\r\n\r\nhello in the clear\n'
}

# wire_is_tls [WORD...]: the wire saw a TLS handshake first, and nothing that the program said.
wire_is_tls() {
	[ -s "$T/wire" ] || fail "the wire received nothing"
	equal "$(head -c 2 "$T/wire" | xxd -p)" 1603
	local word
	for word in "GET /" "HTTP/1" "User-Agent" "secret" "$@"; do expect_not "$T/wire" "$word"; done
}

# wire_is_silent: not one byte arrived.
wire_is_silent() {
	[ -e "$T/wire" ] || fail "nothing records the wire"
	[ ! -s "$T/wire" ] || fail "the wire received: $(head -c 200 "$T/wire" | xxd)"
}
