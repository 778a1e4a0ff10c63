# egret explain: what it says is what would happen.

explains() {
	status "$EGRET" explain --json "$2"
	expect_status "$1"
	shift 2
	local filter
	for filter; do jq -e "$filter" out >/dev/null || fail "not so: $filter, in: $(cat out)"; done
}

test_explain_in_json_has_exactly_the_promised_keys() { # quick
	sample_policy
	local keys='["dial","entry","file","host","line","port","protocol","reason","server_name","settings","tls","verdict","verify"]'
	explains 0 http://www.googleapis.com/books/v1 "keys == $keys" '.verdict == "allow"' '.entry == "googleapis"' '.line == 3' \
		'.tls == "originate"' '.server_name == "www.googleapis.com"' '.verify == "full"' '.port == 80' \
		'.dial == ["www.googleapis.com:443"]' '.protocol == "http"'
	explains 1 evil.example:443 "keys == $keys" '.verdict == "deny"' '.entry == null' '.reason == "no_entry"' '.dial == []'
}

test_explain_judges_a_url_as_a_get_of_its_path() { # quick
	sample_policy
	explains 0 http://www.googleapis.com/books/x '.verdict == "allow"'
	explains 1 http://www.googleapis.com/admin '.verdict == "deny"' '.entry == "googleapis"'
	explains 0 www.googleapis.com:80 '.verdict == "allow"'
}

test_explain_refuses_https_where_egret_opens_the_tls() { # quick
	sample_policy
	explains 1 https://fixed.example:80/ '.verdict == "deny"' '.reason == "client_hello"'
}

test_explain_names_the_endpoints_that_would_be_dialled() { # quick
	sample_policy
	explains 0 fixed.example:80 '.dial == ["192.0.2.7:80", "192.0.2.8:8443"]'
	explains 0 a.b.example.com:8050 '.tls == "passthrough"' '.server_name == null'
	explains 0 198.51.100.77:443 '.entry == "wild"' '.dial == ["198.51.100.77:443"]'
}

test_explain_takes_udp_ipv6_and_the_address_forms_of_the_libc() { # quick
	sample_policy
	explains 0 udp://192.0.2.53:53 '.protocol == "udp"' '.entry == "names"'
	explains 1 192.0.2.53:53 '.verdict == "deny"'
	explains 0 2130706433:9 '.reason == "internal"'
	explains 0 '[::1]:9' '.reason == "internal"'
	explains 1 '[2001:db8::1]:443' '.verdict == "deny"'
}

test_explain_of_nonsense_or_a_broken_policy_exits_2() { # quick
	sample_policy
	local word
	for word in example.com example.com: example.com:0 example.com:70000 :80 '[::1' 'http://' example.com:80/path ::1:80; do
		status "$EGRET" explain "$word"
		expect_status 2
	done
	echo 'nonsense' | policy
	status "$EGRET" explain example.com:80
	expect_status 2
}

test_a_deny_entry_wins_in_explain() { # quick
	sample_policy
	explains 1 bad.example.com:443 '.entry == "never"'
	explains 0 good.example.com:443 '.entry == "wild"'
}


test_explain_tells_every_tls_setting_and_where_it_comes_from() { # quick
	certificates
	policy <<-INI
		[egret]
		tls_min_version = 1.3
		tls_verify = chain
		[server]
		hosts = a.example
		ports = 80
		tls = originate
		tls_ca_file = $CERTS/ca.pem
		tls_verify = full
		tls_pin_sha256 = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,
		  BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=
		[plain]
		hosts = b.example
		ports = 443
		protocol = tls
	INI
	status "$EGRET" explain a.example:80
	expect_status 0
	expect out "tls_min_version       = 1.3  ($T/egret.ini:2)"
	expect out "tls_verify            = full  ($T/egret.ini:9)"
	expect out "tls_ca_file           = $CERTS/ca.pem  ($T/egret.ini:8)"
	expect out "tls_server_name       = a.example  (default)"
	expect out "tls_handshake_timeout = 10s  (default)"
	expect_not out "tls_client_cert"
	setting() { jq -r ".settings[] | select(.key == \"$1\") | \"\\(.value) \\(.file) \\(.line)\"" out; }
	status "$EGRET" explain --json a.example:80
	equal "$(setting tls_min_version)" "1.3 $T/egret.ini 2"
	equal "$(setting tls_truncation)" "error null null"
	equal "$(setting tls_pin_sha256)" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA= $T/egret.ini 10"
	status "$EGRET" explain --json b.example:443
	equal "$(jq -c .settings out)" "[]"
}

test_explain_leaves_no_tls_key_out_that_is_set() { # quick
	local key line=5
	certificates
	policy <<-INI
		[egret]
		[server]
		hosts = a.example
		ports = 80
		tls = originate
		tls_server_name = b.example
		tls_verify = full
		tls_ca_file = $CERTS/ca.pem
		tls_client_cert = $CERTS/client.pem
		tls_client_key = $CERTS/client.key
		tls_min_version = 1.2
		tls_max_version = 1.3
		tls_ciphers = ECDHE-ECDSA-AES256-GCM-SHA384
		tls_ciphersuites = TLS_AES_256_GCM_SHA384
		tls_groups = X25519
		tls_alpn = http/1.1
		tls_crl_file = $CERTS/ca.crl
		tls_pin_sha256 = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
		tls_starttls = mysql
		tls_handshake_timeout = 3s
		tls_truncation = eof
		tls_session_cache = off
	INI
	status "$EGRET" explain a.example:80
	expect_status 0
	for key in $(sed -n 's/^EGRET_KEY(\(tls_[a-z0-9_]*\), BOTH.*/\1/p' "$ROOT/policy/keys.def" | grep -v '^tls_ca_path$'); do
		line=$((line + 1))
		equal "$(grep -c "^  $key *= .*  ($T/egret.ini:$line)\$" "$T/out")" 1
	done
	equal "$line" 22
	sed -i "s,^tls_ca_file = .*,tls_ca_path = $CERTS/hash," "$T/egret.ini"
	status "$EGRET" explain a.example:80
	expect "$T/out" "tls_ca_path           = $CERTS/hash  ($T/egret.ini:8)"
	expect_not "$T/out" "tls_ca_file"
}

test_explain_lets_pass_what_audit_lets_pass_and_says_so() { # quick
	policy <<-INI
		[books]
		hosts = books.example
		ports = 80
		protocol = http
		mode = audit
		http_allow = GET /books/**
	INI
	status "$EGRET" explain http://books.example/other
	expect_status 0
	expect out "no rule of http_allow covers it; mode = audit lets it pass all the same"
	explains 0 http://books.example/other '.verdict == "allow"' '.reason == "http_no_rule"' '.dial == ["books.example:80"]'
	explains 1 evil.example:80 '.reason == "no_entry"'
	EGRET_MODE=audit explains 0 evil.example:80 '.verdict == "allow"' '.reason == "no_entry"'
	EGRET_MODE=enforce explains 1 http://books.example/other '.verdict == "deny"'
	EGRET_MODE=off status "$EGRET" explain evil.example:80
	expect out "allow evil.example:80: the mode is off"
}

test_explain_names_a_host_as_the_policy_reads_it() { # quick
	sample_policy
	explains 0 HTTP://WWW.GoogleAPIs.com./books/1 '.host == "www.googleapis.com"' '.server_name == "www.googleapis.com"' '.dial == ["www.googleapis.com:443"]'
}
