# Clients that ask the DNS themselves (c-ares): the answers that they read tell which name an address has.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"
. "$ROOT/tests/e2e/clients_details.sh"

# own_resolver CLIENT...: the server's name is known to a DNS server alone, which the client asks itself.
own_resolver() {
	need dnsmasq ip
	in_network_with_names "127.0.0.1 nobody.example" in_file clients_resolver.sh try_own_resolver "$@"
}

start_dnsmasq() {
	dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --no-resolv --no-hosts --bind-interfaces --listen-address=127.0.0.53 \
		--user="$(id -un)" --address=/www.googleapis.com/203.0.113.9 --address=/unnamed.example/203.0.113.9 2>"$T/dnsmasq.err" &
	wait_for 10 dns_answers
}

dns_answers() { getent ahostsv4 www.googleapis.com >/dev/null; }

try_own_resolver() {
	start_dnsmasq
	start_books
	covered_client "$@" http://www.googleapis.com/books/v1/volumes
	expect_status 0
	expect "$T/out" "The Comedy of Errors"
	expect "$T/nginx.access" "GET /books/v1/volumes"
	: >"$T/nginx.access"
	covered_client "$@" http://unnamed.example/books/v1/volumes
	[ "$STATUS" != 0 ] || fail "it succeeded"
	expect "$T/err" "egret: denied"
	expect_not "$T/nginx.access" GET
}

aria2c_cares() {
	"${UNDER[@]}" aria2c -q --no-conf --async-dns=true --disable-ipv6=true --max-tries=1 --allow-overwrite=true -d "$T" -o aria2.out "$@" &&
		cat "$T/aria2.out"
}

test_a_client_with_a_resolver_of_its_own_reaches_its_host() {
	need aria2c
	own_resolver aria2c_cares
}

# node's dns.resolve4 asks the DNS by c-ares, inside node.
node_resolver() { "${UNDER[@]}" node "$PROGRAM_FILES/resolve.mjs" "$@"; }

test_a_program_that_asks_the_dns_itself_and_connects_to_the_address_is_known_by_the_name() {
	need node
	own_resolver node_resolver
}
