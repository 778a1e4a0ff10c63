# Ways in which people use their clients: pipelines, daemons, IPv6, slow servers and servers that leave early.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

test_a_pipeline_of_clients_and_filters_is_covered_whole() {
	served_web
	status "$EGRET" run --sandbox=off -- bash -c '
		set -o pipefail
		curl -sS http://www.googleapis.com/a | tee first | sed s/hello/HELLO/ | cat - <(wget -q -O - http://www.googleapis.com/b)
		seq 1 30 | xargs -P 6 -I{} curl -sS http://www.googleapis.com/{} | sort | uniq -c'
	expect_status 0
	expect "$T/out" "HELLO over tls"
	expect "$T/out" "     30 hello over tls"
	equal "$(cat first)" "hello over tls"
}

test_a_daemon_that_left_its_session_still_reaches_its_host_alone() {
	served_web
	cat >"$T/daemon.py" <<-'PY'
		import os, sys, time, urllib.request
		for _ in range(2):
		    if os.fork():
		        os._exit(0)
		    os.setsid()
		os.closerange(0, 1024)
		fetch = lambda url: urllib.request.urlopen(url, timeout=20).read().decode()
		said = fetch("http://www.googleapis.com/daemon")
		try:
		    said += fetch("http://unnamed.example/daemon")
		except OSError as error:
		    said += f"refused: {error}"
		with open("daemon.new", "w") as f:
		    f.write(said)
		os.rename("daemon.new", "daemon.out")
	PY
	status "$EGRET" run --sandbox=off -- python3 "$T/daemon.py"
	expect_status 0
	wait_for 30 test -s "$T/daemon.out"
	expect "$T/daemon.out" "hello over tls"
	expect "$T/daemon.out" "refused:"
}

test_ipv6_is_originated_like_ipv4() {
	local port
	free_port
	port=$PORT
	[ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6 || skip "no IPv6 here"
	start_nginx_tls right "listen [::1]:$port ssl;"
	originating www.googleapis.com "$PORT"
	sed -i "s/^addresses = .*/addresses = [::1]:$port/" "$T/egret.ini"
	status "$EGRET" run --sandbox=off -- curl -sS --max-time 20 -w '%{remote_ip}\n' http://www.googleapis.com/six
	expect_status 0
	expect "$T/out" "hello over tls"
	expect "$T/out" "::1"
	expect "$T/nginx.access" "::1 "
}

test_a_slow_server_is_waited_for() {
	mkdir -p "$T/www/files"
	head -c 200000 /dev/urandom >"$T/www/files/big"
	served_web "location /files/ { root $T/www; limit_rate 80k; }"
	status "$EGRET" run --sandbox=off -- curl -sS --max-time 40 -o "$T/got" http://www.googleapis.com/files/big
	expect_status 0
	cmp "$T/got" "$T/www/files/big"
}

test_a_server_that_closes_in_the_middle_of_a_body_is_the_clients_own_error() {
	certificates
	free_port
	printf 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this' >"$T/answer"
	socat "OPENSSL-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork,verify=0,cert=$CERTS/right.pem,key=$CERTS/right.key" \
		"SYSTEM:head -c 20 >/dev/null; cat $T/answer" 2>"$T/socat.err" &
	wait_for 10 listening "$PORT"
	originating www.googleapis.com "$PORT"
	status "$EGRET" run --sandbox=off -- curl -sS --max-time 20 http://www.googleapis.com/part
	expect_status 18
	expect "$T/out" "only this"
}
