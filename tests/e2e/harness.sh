# The servers and networks of the tests are what the other tests take them for.

test_a_recording_tls_server_shows_ciphertext_on_the_wire_and_plaintext_behind() { # quick
	start_recording_tls right
	curl -sS --cacert "$CERTS/ca.pem" --connect-to "api.example.com:443:127.0.0.1:$PORT" https://api.example.com/secret >body
	equal "$(cat body)" "hello over tls"
	wire_is_tls
	expect plain "GET /secret"
	expect plain.handshakes "TLSv1.3 api.example.com"
}

test_plaintext_on_the_wire_is_noticed() { # quick
	start_plain_http
	curl -sS "http://127.0.0.1:$PORT/" >body
	equal "$(cat body)" "hello in the clear"
	(wire_is_tls) 2>/dev/null && fail "plaintext was taken for TLS"
	(wire_is_silent) 2>/dev/null && fail "bytes were taken for silence"
	expect wire "GET / HTTP/1.1"
}

test_nginx_of_the_tests_serves_the_certificate_it_is_given() { # quick
	start_nginx_tls right
	equal "$(curl -sS --cacert "$CERTS/ca.pem" --connect-to "www.googleapis.com:443:127.0.0.1:$PORT" https://www.googleapis.com/)" "hello over tls"
	status curl -sS --cacert "$CERTS/ca.pem" --connect-to "evil.example:443:127.0.0.1:$PORT" https://evil.example/
	expect_status 60
}

inside_private_network() {
	curl -sS --max-time 2 http://198.51.100.200/ && fail "there is a way out"
	python3 -m http.server --bind 203.0.113.9 8080 >/dev/null 2>&1 &
	wait_for 10 curl -sSf -o "$T/listing" http://named.example:8080/
	expect "$T/listing" "Directory listing"
}

test_a_private_network_has_its_own_addresses_and_names_and_no_way_out() { # quick
	in_network_with_names "203.0.113.9 named.example" inside_private_network
	getent hosts named.example && fail "the name leaked out of the namespace"
	true
}

test_the_bench_leaves_nothing_running_when_it_is_told_to_end() { # quick
	cat >"$T/bench.py" <<-'PYTHON'
		import signal, sys
		sys.path.insert(0, sys.argv[1] + "/tests/bench")
		from harness import world
		here = world.World(sys.argv[2])
		service = world.Service(here, "peer", ["sleep", "300"])
		print(service.process.pid, here.dir, flush=True)
		signal.pause()
	PYTHON
	local peer dir bench number
	certificates
	for number in TERM HUP; do
		rm -f said
		python3 "$T/bench.py" "$ROOT" "$EGRET_BUILD" >said &
		bench=$!
		wait_for 20 test -s said
		read -r peer dir <said
		kill -0 "$peer"
		kill -"$number" "$bench"
		wait "$bench" || true
		! kill -0 "$peer" 2>/dev/null || fail "the peer still runs after SIG$number"
		[ ! -e "$dir" ] || fail "$dir is left"
	done
}
