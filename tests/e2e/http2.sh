# HTTP/2 with prior knowledge: it passes where the server agreed to it and no rules hold; all else is refused with one line that says why.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# served_h2 LISTEN [KEYS]: nginx that speaks HTTP/2 where LISTEN says so.
served_h2() {
	need_library
	NGINX_LISTEN=$1 start_nginx_tls right "location /big { default_type text/plain; return 200 $(printf 'b%.0s' {1..3000}); }"
	governing tls "${2-tls_alpn = h2, http/1.1}"
}

h2() {
	covered curl -sS --max-time 20 --http2-prior-knowledge "$@"
}

test_http_2_with_prior_knowledge_passes_and_is_logged_as_a_connection() { # quick
	served_h2 http2
	equal "$(h2 -w ' %{http_version}' "$URL/two")" "hello over tls
 2"
	wait_for 10 grep -q '"event":"close"' "$T/log"
	equal "$(jq -r .event "$T/log" | sort | tr "\n" " ")" "close connect tls "
	equal "$(jq -r 'select(.event == "tls").alpn' "$T/log")" h2
	[ "$(jq 'select(.event == "close").bytes_sent' "$T/log")" -gt 30 ] || fail "$(cat "$T/log")"
	grep -q 'GET /two HTTP/2.0' "$T/nginx.access" || fail "$(cat "$T/nginx.access")"
}

test_http_2_is_refused_where_rules_hold_and_the_line_says_why() { # quick
	served_h2 http2 "tls_alpn = h2
http_allow = GET /**"
	status h2 "$URL/one"
	[ "$STATUS" != 0 ] || fail "it passed"
	expect "$T/err" "egret: denied http HTTP/2 to www.googleapis.com:80: HTTP/2 cannot be judged by http_allow and http_deny; without them it passes where tls_alpn = h2 (entry [api], $T/egret.ini:4)"
	equal "$(grep -c '^egret:' "$T/err")" 1
	logged '.verdict == "deny" and .reason == "http_h2_rules" and .protocol == "HTTP/2" and .status == 403 and .method == null'
	[ ! -s "$T/nginx.access" ] || fail "$(cat "$T/nginx.access")"
}

test_http_2_is_refused_where_the_server_agreed_to_http_1() {
	local alpn
	for alpn in "tls_alpn = h2, http/1.1" ""; do
		served_h2 "" "$alpn"
		status h2 "$URL/one"
		[ "$STATUS" != 0 ] || fail "it passed"
		expect "$T/err" "denied http HTTP/2 to www.googleapis.com:80: the server did not agree to HTTP/2, for which tls_alpn must offer h2"
		logged '.reason == "http_h2_not_agreed" and .flags == "UPE"'
		[ ! -s "$T/nginx.access" ] || fail "$(cat "$T/nginx.access")"
	done
}

test_http_1_is_refused_where_the_server_agreed_to_http_2() {
	served_h2 http2
	status covered curl -sS --max-time 20 -w '%{http_code}' "$URL/one"
	expect_status 0
	expect "$T/out" "the server agreed to HTTP/2, and this is HTTP/1; to speak HTTP/1, take h2 out of tls_alpn"
	expect "$T/out" 502
	expect "$T/err" "denied http GET /one to www.googleapis.com:80: the server agreed to HTTP/2"
	logged '.reason == "http_h2_agreed" and .status == 502 and .flags == "UPE" and .path == "/one"'
	[ ! -s "$T/nginx.access" ] || fail "$(cat "$T/nginx.access")"
}

test_a_client_of_http_2_is_told_by_its_own_protocol() {
	need python3
	served_h2 "" "tls_alpn = h2, http/1.1"
	raw <<-'PY'
		s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
		data = rest(s)
		assert data[:9] == b"\0\0\0\4\0\0\0\0\0", data
		assert data[9:18] == (len(data) - 18).to_bytes(3, "big") + b"\7\0\0\0\0\0" and data[18:26] == b"\0\0\0\0\0\0\0\x0d", data
		assert b"did not agree to HTTP/2" in data
	PY
}

test_grpc_that_nginx_passes_on_in_plaintext_is_tls_on_the_wire() {
	local front=$T/front
	need_library
	need nginx
	/usr/bin/python3 -c 'import grpc' 2>/dev/null || skip "grpcio is not installed"
	certificates
	/usr/bin/python3 "$ROOT/tests/lib/grpc_peer.py" serve "$T/grpc.port" "$CERTS/right.pem" "$CERTS/right.key" 2>"$T/grpc.err" &
	announced "$T/grpc.port"
	record_wire_before "$PORT"
	governing tls "tls_alpn = h2"
	free_port
	mkdir -p "$front"
	cat >"$front/conf" <<-CONF
		daemon off;
		master_process off;
		pid $front/pid;
		error_log $front/error info;
		events { }
		http {
			access_log off;
			client_body_temp_path $front/body;
			proxy_temp_path $front/proxy;
			fastcgi_temp_path $front/fastcgi;
			uwsgi_temp_path $front/uwsgi;
			scgi_temp_path $front/scgi;
			upstream far { server www.googleapis.com:80; keepalive 4; }
			server { listen 127.0.0.1:$PORT http2; location / { grpc_pass grpc://far; } }
		}
	CONF
	covered nginx -e "$front/error" -c "$front/conf" >"$front/out" 2>&1 &
	wait_for 10 listening "$PORT"
	/usr/bin/python3 "$ROOT/tests/lib/grpc_peer.py" ask "127.0.0.1:$PORT" 3 >"$T/out" 2>"$T/err" || fail "$(cat "$T/err" "$front/out" "$front/error")"
	equal "$(sort -u "$T/out")" "SECRET SECRET SECRET  300000"
	wire_is_tls
	[ "$(jq -s 'map(select(.event == "tls" and .alpn == "h2")) | length' "$T/log")" -ge 1 ] || fail "$(cat "$T/log")"
}
