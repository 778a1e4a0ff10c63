# Every tls_* key, against real servers: what it asks for is what happens, and what it refuses names the key.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# fetched [NAME]: the page of NAME by plain curl.
fetched() {
	status covered curl -sS --max-time 20 "http://${1:-good.example}/secret"
	expect_status 0
}

# refused TEXT... (of good.example)
refused() {
	status covered curl -sS --max-time 20 "http://good.example/secret"
	expect_refused "egret: entry [server] ($T/egret.ini:" "$@"
}

# page_says WORDS: a line of s_server's page, white space squeezed.
page_says() {
	tr -s ' ' <"$T/out" >"$T/squeezed"
	grep -qF -- "$1" "$T/squeezed" || { show_output; fail "the page does not say: $1"; }
}

test_tls_min_version_is_the_oldest_that_is_spoken() {
	start_s_server right -tls1_2
	originating good.example "$PORT"
	fetched
	page_says "Protocol : TLSv1.2"
	originating good.example "$PORT" "tls_min_version = 1.3"
	refused "tls_min_version"
}

test_tls_max_version_is_the_newest_that_is_spoken() {
	start_s_server right
	originating good.example "$PORT" "tls_max_version = 1.2"
	fetched
	page_says "Protocol : TLSv1.2"
}

test_tls_ciphers_are_those_of_tls_1_2() {
	start_s_server right -tls1_2
	originating good.example "$PORT" "tls_ciphers = ECDHE-ECDSA-CHACHA20-POLY1305"
	fetched
	page_says "Cipher : ECDHE-ECDSA-CHACHA20-POLY1305"
	originating good.example "$PORT" "tls_ciphers = ECDHE-RSA-AES128-GCM-SHA256"
	refused "tls_ciphers"
}

test_tls_ciphersuites_are_those_of_tls_1_3() {
	start_s_server right
	originating good.example "$PORT" "tls_ciphersuites = TLS_CHACHA20_POLY1305_SHA256"
	fetched
	page_says "Cipher : TLS_CHACHA20_POLY1305_SHA256"
}

test_tls_groups_are_those_of_the_key_exchange() {
	start_s_server right -groups P-384
	originating good.example "$PORT" "tls_groups = P-384"
	fetched
	originating good.example "$PORT" "tls_groups = X25519"
	refused "tls_groups"
}

test_tls_alpn_is_what_is_offered() {
	start_tls right --http --alpn spdy,http/1.1
	originating good.example "$PORT" "tls_alpn = x, http/1.1"
	fetched
	expect "$T/log" '"alpn":"http/1.1"'
}

test_tls_ca_file_is_what_is_trusted() {
	start_tls right --http
	originating good.example "$PORT"
	fetched
	sed -i "s,ca.pem,other-ca.pem," "$T/egret.ini"
	refused "unknown CA" "set tls_ca_file"
}

test_tls_ca_path_is_a_hashed_directory() {
	start_tls right --http
	originating good.example "$PORT"
	sed -i "s,^tls_ca_file = .*,tls_ca_path = $CERTS/hash," "$T/egret.ini"
	fetched
	mkdir "$T/plain-dir"
	cp "$CERTS/ca.pem" "$T/plain-dir"
	sed -i "s,^tls_ca_path = .*,tls_ca_path = $T/plain-dir," "$T/egret.ini"
	refused "holds no certificate by its hash; run openssl rehash on it"
}

test_tls_crl_file_revokes() {
	start_tls revoked --http
	originating good.example "$PORT"
	fetched
	originating good.example "$PORT" "tls_crl_file = $CERTS/ca.crl"
	refused "was revoked, says tls_crl_file"
}

test_tls_pin_sha256_adds_to_the_check_of_the_chain() {
	local pin
	start_tls right --http
	pin=$(openssl x509 -in "$CERTS/right.pem" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
	originating good.example "$PORT" "tls_pin_sha256 = $pin"
	fetched
	sed -i "s,/ca.pem,/other-ca.pem," "$T/egret.ini"
	refused "unknown CA"
	originating good.example "$PORT" "tls_pin_sha256 = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	refused "is none of tls_pin_sha256, its SHA-256 is $pin"
}

test_tls_client_cert_and_key_are_shown_to_a_server_that_asks() {
	start_nginx_tls right "ssl_client_certificate $CERTS/ca.pem; ssl_verify_client on;"
	originating good.example "$PORT" "tls_client_cert = $CERTS/client.pem
tls_client_key = $CERTS/client.key"
	fetched
	expect "$T/out" "hello over tls"
	originating good.example "$PORT"
	fetched
	expect "$T/out" "No required SSL certificate was sent"
}

test_a_server_that_insists_on_a_client_certificate_names_the_key_that_gives_one() {
	start_s_server right -Verify 1 -verify_return_error -tls1_2
	originating good.example "$PORT"
	refused "tls_client_cert"
}

test_a_client_key_that_is_encrypted_is_refused() {
	certificates
	openssl ec -in "$CERTS/client.key" -aes128 -passout pass:secret -out "$T/client.key" 2>/dev/null
	start_tls right --http
	originating good.example "$PORT" "tls_client_cert = $CERTS/client.pem
tls_client_key = $T/client.key"
	refused "tls_client_key $T/client.key is encrypted and there is nobody to ask for its password"
}

test_a_client_key_of_another_certificate_is_refused() {
	start_tls right --http
	originating good.example "$PORT" "tls_client_cert = $CERTS/client.pem
tls_client_key = $CERTS/right.key"
	refused "does not belong to tls_client_cert"
}

test_a_client_key_that_everybody_may_write_does_not_load() {
	start_tls right --http
	cp "$CERTS/client.key" "$T/client.key"
	chmod 666 "$T/client.key"
	originating good.example "$PORT" "tls_client_cert = $CERTS/client.pem
tls_client_key = $T/client.key"
	status "$EGRET" check
	expect_status 1
	expect "$T/err" "everybody may write $T/client.key; chmod o-w it"
	chmod 644 "$T/client.key"
	status "$EGRET" check
	expect_status 0
	expect "$T/err" "everybody may read $T/client.key; chmod 600 it"
}

test_tls_server_name_is_sent_and_verified_instead_of_the_host() {
	start_tls wrong --http
	originating good.example "$PORT"
	refused "expected a certificate for good.example" "other.example" "set tls_server_name"
	originating good.example "$PORT" "tls_server_name = other.example"
	fetched
	expect "$T/plain.handshakes" " other.example"
}

test_tls_verify_chain_lets_any_name_pass_and_no_other_ca() {
	start_tls wrong --http
	originating good.example "$PORT" "tls_verify = chain"
	fetched
	start_tls unknown --http
	originating good.example "$PORT" "tls_verify = chain"
	refused "unknown CA"
}

test_tls_verify_none_lets_all_pass_and_warns_at_every_use() {
	start_tls unknown --http
	originating other.example "$PORT" "tls_verify = none"
	for _ in 1 2; do
		fetched other.example
		expect "$T/err" "the certificate of other.example was not verified: tls_verify = none"
	done
	status covered curl -sS --max-time 20 http://other.example/1 http://other.example/2
	equal "$(grep -c 'was not verified' "$T/err")" 2
}

test_an_address_is_verified_by_the_addresses_of_the_certificate() {
	start_tls ip --http
	certificates
	policy <<-INI
		[egret]
		internal = none
		[server]
		hosts = 127.0.0.1
		ports = 80
		tls = originate
		connect_port = $PORT
		tls_ca_file = $CERTS/ca.pem
	INI
	fetched 127.0.0.1
	expect "$T/plain.handshakes" " None"
	start_tls right --http
	sed -i "s/^connect_port = .*/connect_port = $PORT/" "$T/egret.ini"
	status covered curl -sS --max-time 20 http://127.0.0.1/secret
	expect_refused "127.0.0.1"
}

test_a_name_in_the_subject_alone_is_no_name() {
	start_tls good.example --http
	originating good.example "$PORT"
	refused "set tls_server_name"
}

test_a_wildcard_is_a_whole_label() {
	start_tls right --http
	originating foo.wild.example "$PORT"
	fetched foo.wild.example
	start_tls partial --http
	originating foo.wild.example "$PORT"
	status covered curl -sS --max-time 20 http://foo.wild.example/secret
	expect_refused "set tls_server_name"
}

test_tls_handshake_timeout_ends_a_handshake_that_stalls() {
	certificates
	start_recorder
	originating good.example "$PORT" "tls_handshake_timeout = 300ms"
	refused "the handshake did not end within 300 ms; to wait longer, set tls_handshake_timeout"
}

# truncated: python's view of the end of a body without a length.
truncated() {
	start_tls right --http --truncate
	originating good.example "$PORT" "$1"
	covered python3 - >"$T/out" 2>"$T/err" <<-'PY'
		import errno, socket
		s = socket.create_connection(("good.example", 80), 20)
		s.sendall(b"GET /secret HTTP/1.0\r\n\r\n")
		try:
		    while data := s.recv(1000): print(data)
		    print("end")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	PY
}

test_an_end_without_close_notify_is_an_error_that_names_tls_truncation() {
	truncated ""
	expect "$T/out" "ECONNRESET"
	expect "$T/err" "egret: entry [server] ($T/egret.ini:"
	expect "$T/err" "set tls_truncation = eof"
	expect "$T/log" "set tls_truncation = eof"
}

test_tls_truncation_eof_makes_it_an_end() {
	truncated "tls_truncation = eof"
	expect "$T/out" "end"
}

test_tls_session_cache_resumes_and_can_be_switched_off() {
	start_s_server right
	originating good.example "$PORT"
	status covered curl -sS --max-time 20 --no-keepalive http://good.example/1 http://good.example/2
	expect "$T/log" '"resumed":true'
	rm "$T/log"
	originating good.example "$PORT" "tls_session_cache = off"
	status covered curl -sS --max-time 20 --no-keepalive http://good.example/1 http://good.example/2
	equal "$(grep -c '"resumed":false' "$T/log")" 2
}

test_a_default_of_the_egret_section_holds_for_every_entry() {
	start_s_server right
	originating good.example "$PORT"
	sed -i 's/^\[egret\]/[egret]\ntls_max_version = 1.2/' "$T/egret.ini"
	fetched
	page_says "Protocol : TLSv1.2"
}

# system_ca PATH-of-the-store hashed|bundle: a machine whose only CA store is there.
system_ca() {
	mkdir -p "$T/etc"
	mount -t tmpfs none "$T/etc"
	cp -a /etc/passwd /etc/group /etc/ld.so.* /etc/hosts /etc/nsswitch.conf /etc/resolv.conf "$T/etc/" 2>/dev/null || true
	mount --bind "$T/etc" /etc
	if [ "$2" = hashed ]; then
		mkdir -p "$1"
		cp "$CERTS"/hash/* "$1"
	else
		mkdir -p "$(dirname "$1")"
		cp "$CERTS/ca.pem" "$1"
	fi
	start_tls right --http
	originating good.example "$PORT"
	sed -i '/^tls_ca_file/d' "$T/egret.ini"
	fetched
	expect "$T/out" "hello over tls"
	rm -rf "${1:?}"
	refused "no CA store was found on this machine; install ca-certificates or set tls_ca_file"
}

export -f fetched refused

test_the_store_of_debian_is_found() { with_names "127.0.0.1 none.example" system_ca /etc/ssl/certs hashed; }
test_the_store_of_fedora_is_found() { with_names "127.0.0.1 none.example" system_ca /etc/pki/tls/certs/ca-bundle.crt bundle; }
test_the_store_of_alpine_is_found() { with_names "127.0.0.1 none.example" system_ca /etc/ssl/cert.pem bundle; }
test_the_store_of_suse_is_found() { with_names "127.0.0.1 none.example" system_ca /etc/ssl/ca-bundle.pem bundle; }

# offers FILE: cipher suites, groups and signature algorithms of the ClientHello that FILE begins with.
offers() {
	python3 - "$1" <<-'PY'
		import struct, sys
		hello = open(sys.argv[1], "rb").read()[5 + 4 + 34:]
		hello = hello[1 + hello[0]:]
		size = struct.unpack(">H", hello[:2])[0]
		print("ciphers", hello[2:2 + size].hex())
		hello = hello[2 + size:]
		hello = hello[1 + hello[0] + 2:]
		while len(hello) >= 4:
		    kind, size = struct.unpack(">HH", hello[:4])
		    if kind in (10, 13):
		        print(kind, hello[4:4 + size].hex())
		    hello = hello[4 + size:]
	PY
}

test_the_client_hello_offers_all_that_openssl_itself_would() {
	local ciphers
	for ciphers in DEFAULT ALL:COMPLEMENTOFALL@SECLEVEL=0; do
		start_recorder
		OPENSSL_CONF=/dev/null timeout 10 openssl s_client -connect "127.0.0.1:$PORT" -cipher "$ciphers" -min_protocol TLSv1.2 </dev/null >/dev/null 2>&1 || true
		offers "$T/wire" >"$T/openssl"
		start_recorder
		originating good.example "$PORT" "tls_ciphers = $ciphers"
		covered curl -s --max-time 10 http://good.example/ || true
		offers "$T/wire" >"$T/egret"
		[ -s "$T/openssl" ] && diff "$T/openssl" "$T/egret" || fail "with $ciphers"
	done
}
