# Dialogues before TLS, and what a test says of them. Sourced by harness.sh.

# upgrading PROTOCOL PORT: good.example of the protocol's own port is 127.0.0.1:PORT.
upgrading() {
	local port
	case $1 in
	smtp) port=25 ;; imap) port=143 ;; pop3) port=110 ;; ldap) port=389 ;; postgres) port=5432 ;; mysql) port=3306 ;;
	esac
	originating good.example "$2" "tls_starttls = $1"
	sed -i "s/^ports = 80/ports = $port/" "$T/egret.ini"
	UPGRADED_PORT=$port
}

# start_dialogue LINE...: the server of tests/lib/dialogue.py.
start_dialogue() {
	certificates
	rm -f "$T/dialogue.port"
	python3 "$ROOT/tests/lib/dialogue.py" "$T/dialogue.port" "$T/wire" "$CERTS/right.pem" "$CERTS/right.key" "$@" 2>"$T/dialogue.err" &
	announced "$T/dialogue.port"
}

# own_key USER: copies of the server's certificate and key that USER may read, in $T/tls.
own_key() {
	certificates
	install -d -m 755 "$T/tls"
	install -m 644 "$CERTS/right.pem" "$T/tls/cert.pem"
	install -m 600 -o "$1" "$CERTS/right.key" "$T/tls/key.pem"
	chmod 755 "$T" "$(dirname "$T")"
}

SMTP_TO_TLS=("> 220 good.example\r\n" "< " "> 250-good.example\r\n250 STARTTLS\r\n" "< " "> 220 go\r\n" "tls")

# nothing_in_the_clear TEXT...: the program fails, told why; of its words none was sent.
nothing_in_the_clear() {
	status covered python3 -c 'import socket, sys
s = socket.create_connection(("good.example", int(sys.argv[1])), 20)
s.sendall(b"secret\r\n"); print(s.recv(100))' "$UPGRADED_PORT"
	expect_refused "egret: entry [server] ($T/egret.ini:" "$@"
	expect_not "$T/wire" secret
	[ ! -s "$T/wire.plain" ] || fail "the server was told: $(cat "$T/wire.plain")"
}
