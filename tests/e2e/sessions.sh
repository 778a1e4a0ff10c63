# Sessions shared by the processes of a run: resumed for exactly what was verified, once; a file that somebody touched is a full handshake.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# resuming [KEYS]: a run's directory, a server that gives tickets, an entry for good.example and foo.wild.example.
resuming() {
	need jq
	install -d -m 700 "$T/run"
	export EGRET_RUN=$T/run
	start_s_server right
	cp "$CERTS/ca.pem" "$T/ca.pem"
	entry "$@"
}

entry() {
	originating "good.example, foo.wild.example" "$PORT" "${1:-}"
	sed -i "s,^tls_ca_file = .*,tls_ca_file = $T/ca.pem," "$T/egret.ini"
}

# visit HOST true|false: a process of its own fetches a page; was its session resumed? It is told nothing in either case.
visit() {
	: >"$T/log"
	status covered curl -sS --max-time 20 "http://$1/secret"
	expect_status 0
	[ ! -s "$T/err" ] || { show_output; fail "it was told something"; }
	equal "$(jq -r 'select(.event == "tls").resumed' "$T/log")" "$2"
}

warm() {
	rm -f "$T"/run/ticket-*
	visit good.example false
	ls "$T"/run/ticket-* >"$T/tickets"
}

test_a_session_is_resumed_by_the_next_process_of_the_run() {
	resuming
	warm
	visit good.example true
	visit good.example true
}

test_a_session_does_not_cross_hosts() {
	resuming
	warm
	visit foo.wild.example false
	visit good.example true
}

test_a_session_does_not_cross_entries() {
	resuming
	{ sed -n '/^\[server\]/,$p' "$T/egret.ini" | sed 's/^\[server\]/[second]/; s/^ports = 80/ports = 81/'; } >"$T/second"
	cat "$T/second" >>"$T/egret.ini"
	warm
	visit good.example:81 false
	visit good.example true
}

test_a_session_does_not_cross_verification_settings_and_pins() {
	local pin keys
	resuming
	pin=$(openssl x509 -in "$CERTS/right.pem" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
	for keys in "tls_verify = chain" "tls_pin_sha256 = $pin" "tls_crl_file = $CERTS/ca.crl" "tls_min_version = 1.3" "tls_alpn = http/1.1" \
		"tls_ciphersuites = TLS_AES_256_GCM_SHA384" "tls_client_cert = $CERTS/client.pem
tls_client_key = $CERTS/client.key"; do
		entry
		warm
		entry "$keys"
		visit good.example false
	done
	# A pin that does not fit is refused, session or not.
	entry
	warm
	entry "tls_pin_sha256 = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	status covered curl -sS --max-time 20 http://good.example/secret
	expect_refused "is none of tls_pin_sha256"
}

test_a_session_does_not_outlive_the_content_of_its_ca() {
	resuming
	warm
	cp -p "$T/ca.pem" "$T/same-times"
	cat "$CERTS/other-ca.pem" >>"$T/ca.pem"
	touch -r "$T/same-times" "$T/ca.pem"
	visit good.example false
	cat "$CERTS/other-ca.pem" >"$T/ca.pem"
	touch -r "$T/same-times" "$T/ca.pem"
	status covered curl -sS --max-time 20 http://good.example/secret
	expect_refused "unknown CA"
}

test_a_session_does_not_cross_users() {
	[ "$(id -u)" = 0 ] || skip "two users need root"
	resuming
	open_to_nobody
	warm
	chown -R nobody "$T/run"
	: >"$T/log"
	chmod 666 "$T/log"
	chmod 644 "$T/egret.ini" "$T/ca.pem"
	status as_nobody env LD_PRELOAD="${EGRET_SANITIZER:-} $EGRET_LIB" curl -sS --max-time 20 http://good.example/secret
	expect_status 0
	equal "$(jq -r 'select(.event == "tls").resumed' "$T/log")" false
}

# tampered NAME COMMAND...: the command is run on each ticket; then a process shakes hands in full, and is told nothing.
tampered() {
	local what=$1 ticket
	shift
	warm
	while read -r ticket; do "$@" "$ticket"; done <"$T/tickets"
	visit good.example false || fail "$what"
}

cut_short() { truncate -s 100 "$1"; }
emptied() { : >"$1"; }
flipped() { python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(-9, 2); b = f.read(1); f.seek(-9, 2); f.write(bytes((b[0] ^ 1,)))' "$1"; }
lengthened() { printf 'x' >>"$1"; }
garbage() { head -c 2000 /dev/urandom >"$1"; }
symlinked() { mv "$1" "$T/elsewhere"; ln -s "$T/elsewhere" "$1"; }
writable() { chmod 602 "$1"; }
readable() { chmod 604 "$1"; }
fifo() { rm "$1"; mkfifo -m 600 "$1"; }
folder() { rm "$1"; mkdir -m 700 "$1"; }

test_a_ticket_that_somebody_touched_is_a_full_handshake() {
	local how
	resuming
	for how in cut_short emptied flipped lengthened garbage symlinked writable readable fifo; do tampered $how $how; done
	tampered folder folder
	rm -rf "$T"/run/t*
	warm
	visit good.example true
}

# The ticket of one host under the name of another's.
test_a_planted_ticket_is_a_full_handshake() {
	local own foreign
	resuming
	warm
	own=$(head -n 1 "$T/tickets")
	rm -f "$T"/run/ticket-*
	visit foo.wild.example false
	foreign=$(find "$T/run" -name 'ticket-*' | head -n 1)
	cp "$foreign" "$T/planted"
	rm -f "$T"/run/ticket-*
	install -m 600 "$T/planted" "$own"
	visit good.example false
}

# A server that has another key meanwhile does not know the ticket.
test_a_stale_ticket_is_a_full_handshake() {
	local old
	resuming
	warm
	old=$PORT
	start_s_server right
	[ "$PORT" != "$old" ] || fail "the same server"
	sed -i "s/:$old\$/:$PORT/" "$T/egret.ini"
	visit good.example false
}

test_a_runs_directory_that_others_may_enter_gives_no_tickets() {
	resuming
	warm
	chmod 755 "$T/run"
	visit good.example false
	chmod 700 "$T/run"
	mv "$T/run" "$T/moved"
	ln -s "$T/moved" "$T/run"
	visit good.example false
}
