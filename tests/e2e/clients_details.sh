# A web service that calls another one in plaintext.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"
PROGRAM_FILES=$ROOT/tests/e2e/programs

BOOK='{"items": [{"volumeInfo": {"title": "The Comedy of Errors"}}]}'

# start_books: nginx with TLS plays www.googleapis.com on 203.0.113.9:443; nothing listens on port 80.
start_books() {
	start_nginx_tls right "listen 203.0.113.9:443 ssl; location /books/v1/ { default_type application/json; return 200 '$BOOK'; }"
	policy <<-INI
		[egret]
		log = $T/log
		[googleapis]
		hosts = www.googleapis.com
		ports = 80, 443
		protocol = http
		tls = originate
		connect_port = 443
		tls_ca_file = $CERTS/ca.pem
	INI
}

# details_from URL: what the covered service says of the book.
details_from() {
	rm -f "$T/details.port"
	UNDER=("$EGRET" run --sandbox=off --)
	"${UNDER[@]}" ruby "$PROGRAM_FILES/details.rb" "$T/details.port" "$1" 2>"$T/err" &
	announced "$T/details.port"
	curl -sS --max-time 30 "http://127.0.0.1:$PORT/details/0486424618" >"$T/out"
}

try_details() {
	. "$ROOT/tests/e2e/clients_details.sh"
	start_books
	details_from "$1"
	expect "$T/out" "$2"
	[ "$3" = refused ] || wait_for 10 grep -q 'GET /books/v1/volumes?q=isbn:0486424618 HTTP/1.1" 200' "$T/nginx.access"
}

test_the_details_service_asks_port_80_and_reaches_port_443_over_tls() {
	need ruby nginx ip
	in_network_with_names "203.0.113.9 www.googleapis.com" try_details http://www.googleapis.com '"title":"The Comedy of Errors"' allowed
}

test_the_details_service_speaks_plain_http_to_port_443_and_the_wire_carries_tls() {
	need ruby nginx ip
	in_network_with_names "203.0.113.9 www.googleapis.com" try_details http://www.googleapis.com:443 '"title":"The Comedy of Errors"' allowed
}

test_the_details_service_tells_of_a_host_that_no_entry_names_by_its_own_error() {
	need ruby nginx ip
	in_network_with_names "203.0.113.9 www.googleapis.com books.example" try_details http://books.example "SocketError: Failed to open" refused
	in_network_with_names "203.0.113.9 www.googleapis.com" try_details http://203.0.113.9:80 "Errno::EACCES: Failed to open" refused
}
