# CAs, certificates and keys change under running programs: their next connections use what is there now.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# start_program: a covered program that connects again and again; its newest outcome is $T/outcome: "hello" or the errno's name.
start_program() {
	rm -f "$T/outcome"
	covered python3 - "$T/outcome" 2>>"$T/err" <<-'PY' &
		import errno, os, socket, sys, time
		while True:
		    try:
		        s = socket.create_connection(("good.example", 80), 20)
		        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
		        got = b""
		        while data := s.recv(1000): got += data
		        outcome = got.decode()
		    except OSError as e:
		        outcome = errno.errorcode.get(e.errno, str(e))
		    with open(sys.argv[1] + ".new", "w") as f: f.write(outcome)
		    os.rename(sys.argv[1] + ".new", sys.argv[1])
		    time.sleep(0.1)
	PY
}

# outcome_becomes TEXT
outcome_becomes() {
	wait_for 20 grep -q "$1" "$T/outcome"
}

test_a_swapped_symlink_of_a_ca_is_seen_by_a_running_program() { # limit=120
	start_tls right --http
	originating good.example "$PORT"
	mkdir -p "$T/mount/..1" "$T/mount/..2"
	cp "$CERTS/other-ca.pem" "$T/mount/..1/ca.pem"
	cp "$CERTS/ca.pem" "$T/mount/..2/ca.pem"
	ln -s ..1 "$T/mount/..data"
	ln -s ..data/ca.pem "$T/mount/ca.pem"
	sed -i "s,^tls_ca_file = .*,tls_ca_file = $T/mount/ca.pem," "$T/egret.ini"
	start_program
	outcome_becomes EACCES
	ln -s ..2 "$T/mount/..data_tmp"
	mv -T "$T/mount/..data_tmp" "$T/mount/..data"
	outcome_becomes "hello over tls"
	ln -s ..1 "$T/mount/..data_tmp"
	mv -T "$T/mount/..data_tmp" "$T/mount/..data"
	outcome_becomes EACCES
}

test_a_ca_that_is_taken_out_of_a_directory_is_not_trusted_any_more() { # limit=120
	local hash
	start_tls right --http
	originating good.example "$PORT"
	cp -r "$CERTS/hash" "$T/hash"
	hash=$(ls "$T/hash")
	sed -i "s,^tls_ca_file = .*,tls_ca_path = $T/hash," "$T/egret.ini"
	start_program
	outcome_becomes "hello over tls"
	cat "$CERTS/other-ca.pem" >"$T/hash/$hash"
	outcome_becomes EACCES
	cat "$CERTS/ca.pem" >"$T/hash/$hash"
	outcome_becomes "hello over tls"
}

# client NAME: certificate and key of NAME become those that the running program shows, each file replaced whole.
client() {
	cp "$CERTS/$1.key" "$T/new.key"
	cp "$CERTS/$1.pem" "$T/new.pem"
	chmod 600 "$T/new.key"
	mv "$T/new.key" "$T/client.key"
	mv "$T/new.pem" "$T/client.pem"
}

test_a_renewed_client_certificate_and_key_are_shown_by_a_running_program() { # limit=120
	certificates
	start_tls right --http --client-ca "$CERTS/ca.pem"
	client unknown
	originating good.example "$PORT" "tls_client_cert = $T/client.pem
tls_client_key = $T/client.key"
	start_program
	wait_for 20 test -s "$T/outcome"
	outcome_becomes '^E'
	client client
	outcome_becomes "hello over tls"
	client unknown
	outcome_becomes '^E'
}

# signed NAME: a client's certificate for the subject CN=NAME and its key, in $T/NAME.pem and .key.
signed() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$T/$1.key" 2>/dev/null
	openssl req -new -key "$T/$1.key" -subj "/CN=$1" 2>/dev/null |
		openssl x509 -req -CA "$CERTS/ca.pem" -CAkey "$CERTS/ca.key" -set_serial 77 -days 30 -out "$T/$1.pem" 2>/dev/null
}

test_a_new_client_certificate_is_shown_when_its_key_is_there_and_the_old_one_until_then() { # limit=120
	certificates
	signed first
	signed second
	cp "$T/first.pem" "$T/client.pem"
	install -m 600 "$T/first.key" "$T/client.key"
	start_nginx_tls right "ssl_client_certificate $CERTS/ca.pem; ssl_verify_client on; ssl_session_cache off; ssl_session_tickets off;
		location = / { default_type text/plain; return 200 \"hello \$ssl_client_s_dn\"; }"
	originating good.example "$PORT" "tls_client_cert = $T/client.pem
tls_client_key = $T/client.key"
	start_program
	outcome_becomes "hello CN=first"
	cp "$T/second.pem" "$T/new.pem"
	mv "$T/new.pem" "$T/client.pem"
	wait_for 20 grep -q "what was read before stays in force" "$T/err"
	outcome_becomes "hello CN=first"
	install -m 600 "$T/second.key" "$T/new.key"
	mv "$T/new.key" "$T/client.key"
	outcome_becomes "hello CN=second"
}
