# HTTP clients as they are: plaintext on their side, verified TLS on the wire; refused, each says so in its own words.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"
FETCH=$ROOT/tests/e2e/programs

by_curl() { "${UNDER[@]}" curl -sS --max-time 20 "$@"; }

test_plaintext_of_curl_is_tls_on_the_wire() { # quick
	http_over_tls by_curl
}

test_curl_is_told_of_a_refusal() { # limit=180
	refused_in_its_own_words ! "curl: (7)" "curl: (6)" by_curl
}

by_wget() { "${UNDER[@]}" wget -nv -T 20 -t 1 -O - "$@"; }

test_plaintext_of_wget_is_tls_on_the_wire() {
	http_over_tls by_wget
}

test_wget_is_told_of_a_refusal() { # limit=180
	refused_in_its_own_words 4 "failed: Permission denied" "unable to resolve host address" by_wget
}

# aria2c has a resolver of its own (c-ares), which clients_resolver.sh tests; here it asks the libc.
by_aria2c() {
	"${UNDER[@]}" aria2c -q --no-conf --async-dns=false --max-tries=1 --allow-overwrite=true --log=- --log-level=notice -d "$T" -o aria2.out "$@" &&
		cat "$T/aria2.out"
}

test_plaintext_of_aria2c_is_tls_on_the_wire() {
	need aria2c
	http_over_tls by_aria2c
}

test_aria2c_is_told_of_a_refusal() {
	need aria2c
	refused_in_its_own_words ! "Permission denied" "Name or service not known" by_aria2c
}

# need_python MODULE
need_python() {
	python3 -c "import $1" 2>/dev/null || skip "python3-$1 is not installed"
}

python_urllib() { "${UNDER[@]}" python3 "$FETCH/fetch.py" urllib "$@"; }

test_plaintext_of_python_urllib_is_tls_on_the_wire() {
	http_over_tls python_urllib
}

test_python_urllib_is_told_of_a_refusal() { # limit=180
	refused_in_its_own_words 3 "refused: PermissionError" "refused: gaierror: Name or service not known" python_urllib
}

python_asyncio() { "${UNDER[@]}" python3 "$FETCH/fetch.py" asyncio "$@"; }

test_plaintext_of_python_asyncio_is_tls_on_the_wire() {
	http_over_tls python_asyncio
}

test_python_asyncio_is_told_of_a_refusal() { # limit=180
	refused_in_its_own_words 3 "refused: PermissionError" "refused: gaierror: Name or service not known" python_asyncio
}

python_requests() { "${UNDER[@]}" python3 "$FETCH/fetch.py" requests "$@"; }

test_plaintext_of_python_requests_is_tls_on_the_wire() {
	need_python requests
	http_over_tls python_requests
}

test_python_requests_is_told_of_a_refusal() { # limit=180
	need_python requests
	refused_in_its_own_words 3 "Permission denied" "Name or service not known" python_requests
}

python_aiohttp() { "${UNDER[@]}" python3 "$FETCH/fetch.py" aiohttp "$@"; }

test_plaintext_of_python_aiohttp_is_tls_on_the_wire() {
	need_python aiohttp
	http_over_tls python_aiohttp
}

test_python_aiohttp_is_told_of_a_refusal() { # limit=180
	need_python aiohttp
	refused_in_its_own_words 3 "Permission denied" "Name or service not known" python_aiohttp
}

python_threads() { "${UNDER[@]}" python3 "$FETCH/fetch.py" threads "$@"; }

test_plaintext_of_python_threads_is_tls_on_the_wire() {
	http_over_tls python_threads
}

test_python_threads_are_told_of_a_refusal() { # limit=180
	refused_in_its_own_words 3 "refused: PermissionError" "refused: gaierror: Name or service not known" python_threads
}

python_grpc() { "${UNDER[@]}" /usr/bin/python3 "$ROOT/tests/lib/grpc_peer.py" ask "$@"; }

# start_grpc [CERT]: its server, over TLS with a certificate.
start_grpc() {
	certificates
	rm -f "$T/grpc.port"
	/usr/bin/python3 "$ROOT/tests/lib/grpc_peer.py" serve "$T/grpc.port" ${1:+"$CERTS/$1.pem" "$CERTS/$1.key"} >"$T/grpc.out" 2>&1 &
	announced "$T/grpc.port"
}

start_plain_grpc() {
	start_grpc
	record_wire_before "$PORT"
}

need_grpc() { /usr/bin/python3 -c 'import grpc' 2>/dev/null || skip "python3-grpcio is not installed"; }

test_plaintext_of_python_grpc_is_tls_on_the_wire() { # limit=120
	need_grpc
	start_grpc right
	record_wire_before "$PORT"
	PROTOCOL=http originating www.googleapis.com "$PORT" "tls_alpn = h2"
	covered_client python_grpc www.googleapis.com:80 50
	expect_status 0
	equal "$(sort "$T/out" | uniq -c | sed 's/^ *//')" "50 SECRET SECRET SECRET  300000"
	wire_is_tls SECRET PRI
}

test_python_grpc_is_told_of_a_refusal() { # limit=180
	need_grpc
	PLAIN=start_plain_grpc TARGET=%s:%s refused_in_its_own_words 3 "UNAVAILABLE" "UNAVAILABLE" python_grpc
}

by_ruby() { "${UNDER[@]}" ruby "$FETCH/fetch.rb" "$@"; }

test_plaintext_of_ruby_is_tls_on_the_wire() {
	need ruby
	http_over_tls by_ruby
}

test_ruby_is_told_of_a_refusal() { # limit=180
	need ruby
	refused_in_its_own_words 3 "refused: Errno::EACCES" "refused: SocketError" by_ruby
}

node_agent() { "${UNDER[@]}" node "$FETCH/fetch.mjs" agent 2 "$@"; }

test_plaintext_of_node_http_is_tls_on_the_wire() {
	need node
	http_over_tls node_agent
}

test_node_http_is_told_of_a_refusal() { # limit=180
	need node
	refused_in_its_own_words 3 "refused: EACCES" "refused: ENOTFOUND" node_agent
}

node_fetch() { "${UNDER[@]}" node "$FETCH/fetch.mjs" fetch 2 "$@"; }

test_plaintext_of_node_fetch_is_tls_on_the_wire() {
	need node
	http_over_tls node_fetch
}

test_node_fetch_is_told_of_a_refusal() { # limit=180
	need node
	refused_in_its_own_words 3 "refused: EACCES" "refused: ENOTFOUND" node_fetch
}

by_perl() { "${UNDER[@]}" perl "$FETCH/fetch.pl" "$@"; }

test_plaintext_of_perl_is_tls_on_the_wire() {
	http_over_tls by_perl
}

test_perl_is_told_of_a_refusal() { # limit=180
	refused_in_its_own_words 3 "Permission denied" "Name or service not known" by_perl
}

by_php() { "${UNDER[@]}" php "$FETCH/fetch.php" "$@"; }

test_plaintext_of_php_is_tls_on_the_wire() {
	need php
	http_over_tls by_php
}

test_php_is_told_of_a_refusal() { # limit=180
	need php
	refused_in_its_own_words 3 "Permission denied" "getaddrinfo" by_php
}

java_url() { "${UNDER[@]}" java -Xmx128m "$FETCH/Fetch.java" url 2 "$@"; }

test_plaintext_of_java_httpurlconnection_is_tls_on_the_wire() { # limit=240
	need javac
	http_over_tls java_url
}

test_java_httpurlconnection_is_told_of_a_refusal() { # limit=240
	need javac
	refused_in_its_own_words 3 "Permission denied" "UnknownHostException" java_url
}

java_nio() { "${UNDER[@]}" java -Xmx128m "$FETCH/Fetch.java" nio 2 "$@"; }

test_plaintext_of_java_httpclient_is_tls_on_the_wire() { # limit=240
	need javac
	http_over_tls java_nio
}

test_java_httpclient_is_told_of_a_refusal() { # limit=240
	need javac
	refused_in_its_own_words 3 "Permission denied" "UnresolvedAddressException" java_nio
}

java_channel() { "${UNDER[@]}" java -Xmx128m "$FETCH/Fetch.java" channel 2 "$@"; }

test_plaintext_of_java_socketchannel_is_tls_on_the_wire() { # limit=240
	need javac
	http_over_tls java_channel
}

test_java_socketchannel_is_told_of_a_refusal() { # limit=240
	need javac
	refused_in_its_own_words 3 "Permission denied" "UnknownHostException" java_channel
}

by_erlang() { "${UNDER[@]}" escript "$FETCH/fetch.escript" "$@"; }

test_plaintext_of_erlang_httpc_is_tls_on_the_wire() { # limit=240
	need escript
	http_over_tls by_erlang
}

test_erlang_httpc_is_told_of_a_refusal() { # limit=240
	need escript
	refused_in_its_own_words 3 "eacces" "nxdomain" by_erlang
}

by_lftp() {
	"${UNDER[@]}" lftp -c "set net:max-retries 1; set net:timeout 20; set dns:fatal-timeout 5; set xfer:clobber yes; get $1 -o $T/lftp.out" &&
		cat "$T/lftp.out"
}

test_plaintext_of_lftp_is_tls_on_the_wire() {
	need lftp
	http_over_tls by_lftp
}

test_lftp_is_told_of_a_refusal() { # limit=180
	need lftp
	refused_in_its_own_words 1 "Permission denied" "Name or service not known" by_lftp
}
