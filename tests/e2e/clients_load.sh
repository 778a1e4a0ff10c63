# HTTP clients under load: many at once, large bodies both ways, kept alive; every answer counted, every byte compared.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"
FETCH=$ROOT/tests/e2e/programs

# answers N: the client ended well and printed N bodies.
answers() {
	expect_status 0
	equal "$(grep -c "hello over tls" "$T/out")" "$1"
}

curl_parallel() { "${UNDER[@]}" curl -sS --max-time 50 --parallel --parallel-immediate --parallel-max 50 "http://www.googleapis.com/[1-400]"; }

test_curl_holds_under_load() { # limit=120
	served_web
	covered_client curl_parallel
	answers 400
}

# 20 processes, each keeps one connection for 20 requests.
wget_twenty() { seq 1 20 | "${UNDER[@]}" xargs -P 10 -I{} wget -nv -T 40 -t 1 -O - $(seq -f "http://www.googleapis.com/%g" 1 20); }

test_wget_holds_under_load() { # limit=120
	served_web
	covered_client wget_twenty
	answers 400
}

# big_file MB: $T/www/big of random bytes, served under /files/.
big_file() {
	mkdir -p "$T/www/files"
	head -c "$1"M /dev/urandom >"$T/www/files/big"
	served_web "location /files/ { root $T/www; dav_methods PUT; create_full_put_path on; client_max_body_size 0; }"
}

# 16 connections, each fetches its part of one file.
aria2c_split() {
	"${UNDER[@]}" aria2c -q --no-conf --async-dns=false -x 16 -s 16 -k 1M -d "$T" -o got http://www.googleapis.com/files/big
}

test_aria2c_holds_under_load() { # limit=120
	need aria2c
	big_file 100
	covered_client aria2c_split
	expect_status 0
	cmp "$T/got" "$T/www/files/big"
}

lftp_segments() { "${UNDER[@]}" lftp -c "set net:timeout 40; pget -n 8 http://www.googleapis.com/files/big -o $T/got"; }

test_lftp_holds_under_load() { # limit=120
	need lftp
	big_file 100
	covered_client lftp_segments
	expect_status 0
	cmp "$T/got" "$T/www/files/big"
}

up_and_down() {
	"${UNDER[@]}" curl -sS --max-time 100 -T "$T/www/files/big" http://www.googleapis.com/files/up
	"${UNDER[@]}" curl -sS --max-time 100 -o "$T/got" http://www.googleapis.com/files/up
}

test_three_hundred_megabytes_arrive_whole_in_both_directions() { # limit=240
	big_file 300
	covered_client up_and_down
	expect_status 0
	cmp "$T/www/files/up" "$T/www/files/big"
	cmp "$T/got" "$T/www/files/big"
}

# python_many WAY COUNT
python_many() { "${UNDER[@]}" python3 "$FETCH/fetch.py" "$1" $(seq -f "http://www.googleapis.com/%g" 1 "$2"); }

test_python_urllib_holds_under_load() { # limit=120
	served_web
	covered_client python_many urllib 200
	answers 200
}

test_python_threads_hold_under_load() { # limit=120
	served_web
	covered_client python_many threads 100
	answers 100
}

test_python_http_client_keeps_a_connection_alive() {
	served_web
	covered_client python_many http_client 500
	answers 500
	equal "$(grep -c '"event":"tls"' "$T/log")" 1
}

test_python_requests_holds_under_load() { # limit=120
	python3 -c 'import requests' 2>/dev/null || skip "python3-requests is not installed"
	served_web
	covered_client python_many requests 500
	answers 500
	equal "$(grep -c '"event":"tls"' "$T/log")" 1
}

test_python_asyncio_holds_under_load() { # limit=120
	served_web
	covered_client python_many asyncio 150
	answers 150
}

test_python_aiohttp_holds_under_load() { # limit=120
	python3 -c 'import aiohttp' 2>/dev/null || skip "python3-aiohttp is not installed"
	served_web
	covered_client python_many aiohttp 500
	answers 500
}

ruby_many() { seq 1 10 | "${UNDER[@]}" xargs -P 10 -I{} ruby "$FETCH/fetch.rb" $(seq -f "http://www.googleapis.com/%g" 1 50); }

test_ruby_holds_under_load() { # limit=120
	need ruby
	served_web
	covered_client ruby_many
	answers 500
}

perl_many() { seq 1 10 | "${UNDER[@]}" xargs -P 10 -I{} perl "$FETCH/fetch.pl" $(seq -f "http://www.googleapis.com/%g" 1 50); }

test_perl_holds_under_load() { # limit=120
	served_web
	covered_client perl_many
	answers 500
}

php_many() { seq 1 8 | "${UNDER[@]}" xargs -P 8 -I{} php "$FETCH/fetch.php" $(seq -f "http://www.googleapis.com/%g" 1 25); }

test_php_holds_under_load() { # limit=120
	need php
	served_web
	covered_client php_many
	answers 200
}

node_many() { "${UNDER[@]}" node "$FETCH/fetch.mjs" "$1" 400 http://www.googleapis.com/many; }

test_node_http_holds_under_load() { # limit=120
	need node
	served_web
	covered_client node_many agent
	answers 400
}

test_node_fetch_holds_under_load() { # limit=120
	need node
	served_web
	covered_client node_many fetch
	answers 400
}

java_many() { "${UNDER[@]}" java -Xmx256m "$FETCH/Fetch.java" "$1" "$2" http://www.googleapis.com/many; }

test_java_httpurlconnection_holds_under_load() { # limit=240
	need javac
	served_web
	covered_client java_many url 300
	answers 300
}

test_java_httpclient_holds_under_load() { # limit=240
	need javac
	served_web
	covered_client java_many nio 200
	answers 200
}

test_java_socketchannel_holds_under_load() { # limit=240
	need javac
	served_web
	covered_client java_many channel 100
	answers 100
}

erlang_many() { "${UNDER[@]}" escript "$FETCH/fetch.escript" $(seq -f "http://www.googleapis.com/%g" 1 200); }

test_erlang_httpc_holds_under_load() { # limit=240
	need escript
	served_web
	covered_client erlang_many
	answers 200
}

by_ab() { "${UNDER[@]}" ab -v 4 -n 1 "$@"; }

test_plaintext_of_ab_is_tls_on_the_wire() {
	need ab
	http_over_tls by_ab
}

ab_hundred() { "${UNDER[@]}" ab -q -k -c 100 -n 5000 http://www.googleapis.com/secret; }

test_ab_holds_under_load() { # limit=120
	need ab
	served_web
	covered_client ab_hundred
	expect_status 0
	expect "$T/out" "Complete requests:      5000"
	expect "$T/out" "Failed requests:        0"
	expect_not "$T/out" "Non-2xx"
}

by_wrk() {
	echo 'response = function(status, headers, body) io.write(body) end' >"$T/print.lua"
	"${UNDER[@]}" wrk -t 1 -c 1 -d 1s -s "$T/print.lua" "$@"
}

test_plaintext_of_wrk_is_tls_on_the_wire() {
	need wrk
	http_over_tls by_wrk
}

# EGRET_SOAK=30s for longer than the 8 s of every day.
wrk_hundred() { "${UNDER[@]}" wrk -t 2 -c 100 -d "${EGRET_SOAK:-8s}" --timeout 20s http://www.googleapis.com/secret; }

test_wrk_holds_under_load() { # limit=120
	need wrk
	served_web
	covered_client wrk_hundred
	expect_status 0
	grep -qE '^ +[1-9][0-9]* requests in' "$T/out"
	expect_not "$T/out" "Socket errors"
	expect_not "$T/out" "Non-2xx"
}

test_ab_is_told_of_a_refusal() { # limit=180
	need ab
	refused_in_its_own_words ! "Permission denied" "Name or service not known" by_ab
}

test_wrk_is_told_of_a_refusal() { # limit=180
	need wrk
	refused_in_its_own_words 1 "unable to connect to" "unable to resolve" by_wrk
}
