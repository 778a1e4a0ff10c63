# Odd requests among good ones before servers of the world: no handler runs what is denied, nor anything that the log does not tell of.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# seeing [CERT KEY]: node, on $PORT; what its handlers ran is in $T/seen.
seeing() {
	need node
	: >"$T/seen"
	rm -f "$T/node.port"
	node "$ROOT/tests/lib/seeing.mjs" "$T/node.port" "$T/seen" "$@" &
	announced "$T/node.port"
}

# odd_ones tls|plain [SEED]: before the server on $PORT. $EGRET_ODD connections, 400 where it is not set: more for a longer search.
odd_ones() {
	need_library
	governing "$1"
	covered python3 "$ROOT/tests/lib/odd_requests.py" send "${2:-1}" "${EGRET_ODD:-400}" 2>"$T/err" || fail "$(cat "$T/err")"
	python3 "$ROOT/tests/lib/odd_requests.py" judge "$T/seen" "$T/log" || fail "see above"
}

test_node_runs_no_odd_request_that_the_log_does_not_let_through() { # limit=180
	seeing
	odd_ones plain
}

test_node_behind_tls_runs_no_odd_request_that_the_log_does_not_let_through() { # limit=180
	certificates
	seeing "$CERTS/right.pem" "$CERTS/right.key"
	odd_ones tls 2
}

test_node_behind_nginx_runs_no_odd_request_that_the_log_does_not_let_through() { # limit=180
	seeing
	start_nginx_tls right "keepalive_requests 100000;
		location ~ ^/ { proxy_pass http://127.0.0.1:$PORT; proxy_http_version 1.1; proxy_set_header Host \$http_host; proxy_set_header Connection ''; proxy_request_buffering off; }"
	odd_ones tls 3
}

test_node_behind_apache_runs_no_odd_request_that_the_log_does_not_let_through() { # limit=180
	seeing
	local node=$PORT
	web_files
	free_port
	certificates
	web_apache "ProxyPass / http://127.0.0.1:$node/
		ProxyPreserveHost On"
	wait_for 20 listening "$PORT"
	odd_ones tls 4
}
