# The algorithms of certificates, keys and key exchanges: all that OpenSSL's own client can do works.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# identity NAME ALGORITHM [OPTION]: a certificate for good.example that vouches for itself, and its key.
identity() {
	openssl req -x509 -newkey "$2" ${3:+-pkeyopt "$3"} -noenc -keyout "$T/$1.key" -out "$T/$1.pem" -days 30 -subj "/CN=$1" \
		-addext "subjectAltName = DNS:good.example" 2>"$T/openssl"
}

# serve NAME [ARGS of openssl-s_server(1)]: a server with that identity.
serve() {
	local name=$1
	shift
	free_port
	openssl s_server -accept "127.0.0.1:$PORT" -cert "$T/$name.pem" -key "$T/$name.key" -www "$@" >"$T/s_server" 2>&1 &
	wait_for 10 listening "$PORT"
}

# fetched NAME [KEYS]: its page by plain curl, with its certificate as what is trusted.
fetched() {
	originating good.example "$PORT" "${2:-}"
	sed -i "s,^tls_ca_file = .*,tls_ca_file = $T/$1.pem," "$T/egret.ini"
	status covered curl -sS --max-time 20 http://good.example/
	expect_status 0
	expect "$T/out" "Cipher"
}

# every_certificate RUN: RUN NAME for each kind of certificate.
every_certificate() {
	local kind
	for kind in "rsa rsa:2048" "pss rsa-pss rsa_keygen_bits:2048" "p256 ec ec_paramgen_curve:P-256" "p384 ec ec_paramgen_curve:P-384" \
		"p521 ec ec_paramgen_curve:P-521" "ed25519 ed25519" "ed448 ed448"; do
		identity $kind
		"$1" "${kind%% *}"
	done
}

# shown NAME: the server has seen that certificate and its key's signature.
shown() {
	expect "$T/out" "$(sed -n 5p "$T/$1.pem")"
}

served_in_both_versions() {
	serve "$1"
	fetched "$1"
	fetched "$1" "tls_max_version = 1.2"
}

test_every_kind_of_certificate_is_verified() { every_certificate served_in_both_versions; }

test_every_kind_of_client_key_signs() {
	identity server rsa:2048
	serve server -Verify 1
	signs() {
		fetched server "tls_client_cert = $T/$1.pem
tls_client_key = $T/$1.key"
		shown "$1"
	}
	every_certificate signs
}

test_client_keys_of_every_form_are_read() {
	identity server rsa:2048
	identity rsa rsa:2048
	identity ec ec ec_paramgen_curve:P-256
	openssl rsa -traditional -in "$T/rsa.key" -out "$T/rsa.form" 2>"$T/openssl"
	openssl ec -in "$T/ec.key" -out "$T/ec.form" 2>"$T/openssl"
	expect "$T/rsa.form" "BEGIN RSA PRIVATE KEY"
	expect "$T/ec.form" "BEGIN EC PRIVATE KEY"
	chmod 600 "$T"/*.form
	serve server -Verify 1
	for form in rsa ec; do
		fetched server "tls_client_cert = $T/$form.pem
tls_client_key = $T/$form.form"
		shown "$form"
	done
}

test_every_key_exchange_works() {
	local group cipher
	identity server rsa:2048
	for group in X25519 X448 P-256 P-384 P-521 ffdhe2048 ffdhe3072; do
		serve server -groups "$group" -tls1_3
		fetched server "tls_groups = $group"
	done
	for cipher in DHE-RSA-AES128-GCM-SHA256 DHE-RSA-CHACHA20-POLY1305 ECDHE-RSA-AES256-SHA384 AES128-GCM-SHA256 ECDHE-RSA-AES128-CCM \
		ECDHE-RSA-CAMELLIA128-SHA256 ECDHE-ARIA128-GCM-SHA256; do
		openssl ciphers "$cipher" >"$T/openssl" 2>&1 || continue
		serve server -tls1_2 -cipher "$cipher"
		fetched server "tls_ciphers = $cipher"
		expect "$T/out" "$cipher"
	done
}
