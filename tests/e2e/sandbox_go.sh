# A real Go program, static and without libc, under the sandbox. Skipped where no Go is installed.

build_speaker() {
	CGO_ENABLED=0 GO111MODULE=off GOFLAGS='' GOCACHE=$T/cache go build -o "$T/speaker" "$ROOT/tests/programs/speaker.go"
	file "$T/speaker" | grep 'statically linked' >"$T/kind"
}

inside_go() {
	start_tls right --http
	PROTOCOL=http originating api.example.com "$PORT" "http_allow = GET /books/**"
	cat >>"$T/egret.ini" <<-INI
		[passthrough]
		hosts = good.example
		ports = $PORT
		protocol = tls
		addresses = 127.0.0.1
	INI
	SSL_CERT_FILE=$CERTS/ca.pem sandboxed "$T/speaker" http://api.example.com/books/1 http://api.example.com/admin/secret \
		"https://good.example:$PORT/own" http://evil.example/ http://203.0.113.9/
	expect_status 0
	cat "$T/out"
	expect "$T/out" "200 hello over tls"
	expect "$T/out" "403 "
	equal "$(grep -c '^200 hello over tls' "$T/out")" 2
	equal "$(grep -c '^error:' "$T/out")" 2
	expect "$T/plain" "GET /books/1"
	expect "$T/plain" "GET /own"
	expect_not "$T/plain" secret
	expect "$T/log" '"path":"/books/1"'
	expect "$T/err" "to api.example.com:80: no rule of http_allow covers it (entry ["
	expect "$T/err" "denied dns evil.example"
	expect "$T/err" "denied tcp 203.0.113.9:80"
}

test_a_static_go_program_is_given_tls_and_held_to_the_policy() { # limit=300
	need go file
	[ -e "$EGRET_BUILD/lib/egret/libegret-tls.so" ] || skip "the engine is not built"
	build_speaker
	in_network_with_names "" inside_go
}
