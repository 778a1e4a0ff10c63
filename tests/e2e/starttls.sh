# STARTTLS: programs speak plaintext, as to a server that offers no TLS; servers that insist on it are content. Real ones of both.
# sanitized
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# ---- smtp ----

# start_postfix: takes mail over TLS only and throws it away; its log is $T/postfix.log.
start_postfix() {
	need postfix
	[ "$(id -u)" = 0 ] || skip "postfix starts as root only"
	own_key root
	free_port
	mkdir -p "$T/postfix/etc" "$T/postfix/spool" "$T/postfix/data"
	chown postfix "$T/postfix/data"
	cat >"$T/postfix/etc/main.cf" <<-CONF
		compatibility_level = 3.6
		queue_directory = $T/postfix/spool
		data_directory = $T/postfix/data
		command_directory = /usr/sbin
		daemon_directory = /usr/lib/postfix/sbin
		mail_owner = postfix
		setgid_group = postdrop
		myhostname = good.example
		mydestination =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		default_transport = discard:
		relay_transport = discard:
		mynetworks = 127.0.0.0/8
		smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
		smtpd_recipient_restrictions =
		smtpd_tls_security_level = encrypt
		smtpd_tls_cert_file = $T/tls/cert.pem
		smtpd_tls_key_file = $T/tls/key.pem
		maillog_file = /dev/stdout
	CONF
	cat >"$T/postfix/etc/master.cf" <<-CONF
		127.0.0.1:$PORT inet n - n - - smtpd
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		discard unix - - n - - discard
		anvil unix - - n - 1 anvil
		proxymap unix - - n - - proxymap
		postlog unix-dgram n - n - 1 postlogd
	CONF
	postfix -c "$T/postfix/etc" start-fg >"$T/postfix.log" 2>&1 &
	wait_for 30 listening "$PORT"
}

test_swaks_sends_mail_in_plaintext_to_a_server_that_insists_on_tls() { # limit=120
	need swaks
	start_postfix
	upgrading smtp "$PORT"
	covered swaks --server good.example --from a@good.example --to b@good.example --timeout 30 >"$T/out" 2>&1 || { show_output; fail swaks; }
	expect "$T/out" "220 good.example ESMTP"
	expect "$T/out" "250 2.0.0 Ok: queued"
	expect_not "$T/out" "STARTTLS"
	wait_for 20 grep -q "status=sent" "$T/postfix.log"
}

test_msmtp_sends_mail_in_plaintext_to_a_server_that_insists_on_tls() { # limit=120
	need msmtp
	need_start msmtp
	start_postfix
	upgrading smtp "$PORT"
	printf 'Subject: hi\n\nsecret\n' | covered msmtp --host=good.example --port=25 --tls=off --timeout=30 --from=a@good.example b@good.example
	wait_for 20 grep -q "status=sent" "$T/postfix.log"
}

# ---- imap, pop3 ----

# start_dovecot SERVICE: imap or pop3 with TLS required, any password for "user", one mail.
start_dovecot() {
	need dovecot
	[ "$(id -u)" = 0 ] || skip "dovecot starts as root only"
	own_key root
	free_port
	mkdir -p "$T/mail/cur" "$T/mail/new" "$T/mail/tmp"
	printf 'From: a@good.example\nSubject: hello over tls\n\nsecret\n' >"$T/mail/new/1.mail"
	chown -R nobody "$T/mail"
	cat >"$T/dovecot.conf" <<-CONF
		base_dir = $T/dovecot
		state_dir = $T/dovecot
		log_path = $T/dovecot.log
		protocols = $1
		listen = 127.0.0.1
		ssl = required
		ssl_cert = <$T/tls/cert.pem
		ssl_key = <$T/tls/key.pem
		disable_plaintext_auth = yes
		mail_location = maildir:$T/mail
		first_valid_uid = 1
		passdb {
		  driver = static
		  args = nopassword=y
		}
		userdb {
		  driver = static
		  args = uid=nobody gid=nogroup home=$T/mail
		}
		service $1-login {
		  chroot =
		  inet_listener $1 {
		    port = $PORT
		  }
		  inet_listener ${1}s {
		    port = 0
		  }
		}
		service anvil {
		  chroot =
		}
	CONF
	dovecot -F -c "$T/dovecot.conf" >"$T/dovecot.out" 2>&1 &
	wait_for 30 listening "$PORT"
}

test_imaplib_reads_mail_in_plaintext_from_a_server_that_insists_on_tls() { # limit=120
	start_dovecot imap
	upgrading imap "$PORT"
	covered python3 - >"$T/out" <<-'PY'
		import imaplib
		m = imaplib.IMAP4("good.example", timeout=30)
		print(m.welcome, m.capabilities)
		m.login("user", "secret")
		m.select()
		print(m.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])"))
	PY
	expect "$T/out" "Subject: hello over tls"
	expect_not "$T/out" "STARTTLS"
	expect_not "$T/out" "LOGINDISABLED"
}

test_curl_reads_mail_in_plaintext_from_an_imap_server_that_insists_on_tls() { # limit=120
	need_start curl
	start_dovecot imap
	upgrading imap "$PORT"
	covered curl -sS --max-time 30 -u user:secret "imap://good.example/INBOX;UID=1" >"$T/out"
	expect "$T/out" "Subject: hello over tls"
}

test_curl_reads_mail_in_plaintext_from_a_pop3_server_that_insists_on_tls() { # limit=120
	need_start curl
	start_dovecot pop3
	upgrading pop3 "$PORT"
	covered curl -sS --max-time 30 -u user:secret "pop3://good.example/1" >"$T/out"
	expect "$T/out" "Subject: hello over tls"
}

# ---- ldap ----

test_ldapsearch_asks_in_plaintext_a_server_that_insists_on_tls() { # limit=120
	need slapd ldapsearch
	own_key root
	free_port
	mkdir -p "$T/ldap"
	cat >"$T/slapd.conf" <<-CONF
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_ldif
		pidfile $T/slapd.pid
		TLSCertificateFile $T/tls/cert.pem
		TLSCertificateKeyFile $T/tls/key.pem
		security tls=1
		database ldif
		suffix "dc=example"
		rootdn "cn=root,dc=example"
		rootpw secret
		directory $T/ldap
	CONF
	slapd -d 0 -f "$T/slapd.conf" -h "ldap://127.0.0.1:$PORT" >"$T/slapd.out" 2>&1 &
	wait_for 30 listening "$PORT"
	upgrading ldap "$PORT"
	status ldapsearch -x -H "ldap://127.0.0.1:$PORT" -b '' -s base
	[ "$STATUS" != 0 ] || fail "the server is content without TLS"
	covered ldapsearch -x -o nettimeout=30 -H ldap://good.example -D cn=root,dc=example -w secret -b '' -s base namingContexts >"$T/out"
	expect "$T/out" "namingContexts: dc=example"
}

# ---- postgres ----

# start_postgres: over TLS only.
start_postgres() {
	local bin
	bin=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort | tail -n 1)
	[ -n "$bin" ] || skip "postgresql is not installed"
	[ "$(id -u)" = 0 ] || skip "the server's user is made by root"
	bin=$(dirname "$bin")
	own_key nobody
	free_port
	install -d -o nobody "$T/pg" "$T/pgrun"
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$bin/initdb" -D "$T/pg/data" -A trust -U postgres -E UTF8 --no-sync >"$T/initdb.out" 2>&1
	echo "hostssl all all 127.0.0.1/32 trust" >"$T/pg/data/pg_hba.conf"
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$bin/postgres" -D "$T/pg/data" -p "$PORT" -h 127.0.0.1 -k "$T/pgrun" -F \
		-c ssl=on -c ssl_cert_file="$T/tls/cert.pem" -c ssl_key_file="$T/tls/key.pem" >"$T/postgres.log" 2>&1 &
	wait_for 60 grep -q "ready to accept connections" "$T/postgres.log"
}

test_psql_asks_in_plaintext_a_server_that_insists_on_tls() { # limit=180
	need psql
	need_start psql
	start_postgres
	upgrading postgres "$PORT"
	for mode in prefer disable allow; do
		covered psql "host=good.example user=postgres dbname=postgres sslmode=$mode connect_timeout=30" -Atc \
			"select 'answer', ssl from pg_stat_ssl where pid = pg_backend_pid()" >"$T/out" 2>"$T/err" || { show_output; fail "$mode"; }
		expect "$T/out" "answer|t"
	done
	status covered psql "host=good.example user=postgres dbname=postgres sslmode=require connect_timeout=30" -Atc "select 1"
	expect "$T/err" "server does not support SSL, but SSL was required"
}

# ---- what a program can wait for ----

test_the_greeting_makes_the_socket_readable_for_poll_epoll_and_select() {
	start_dialogue "${SMTP_TO_TLS[@]}" echo
	upgrading smtp "$PORT"
	for waiter in poll epoll edge select blocking; do
		covered python3 - $waiter >"$T/out" 2>"$T/err" <<-'PY' || { show_output; fail $waiter; }
			import errno, select, socket, sys
			how = sys.argv[1]
			address = socket.getaddrinfo("good.example", 25, type=socket.SOCK_STREAM)[0][4]
			s = socket.socket()
			if how == "blocking":
			    s.connect(address)
			else:
			    s.setblocking(False)
			    assert s.connect_ex(address) == errno.EINPROGRESS
			e = select.epoll()
			if how in ("epoll", "edge"):
			    e.register(s, select.EPOLLOUT | (select.EPOLLIN | select.EPOLLET if how == "edge" else 0))
			def wait(mask):
			    if how == "poll":
			        p = select.poll(); p.register(s, mask); return p.poll(20000)[0][1] & mask
			    if how == "select":
			        r, w, _ = select.select([s] if mask & 1 else [], [s] if mask & 4 else [], [], 20); return r or w
			    if how == "epoll":
			        e.modify(s, mask); return e.poll(20)[0][1] & mask
			    if how == "edge":
			        return e.poll(20)[0][1] & mask
			    return True
			assert wait(4)
			assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
			if how != "edge":
			    assert wait(1)
			assert s.recv(4, socket.MSG_PEEK) == b"220 "
			assert s.recv(4) == b"220 "
			if how in ("poll", "epoll", "select"):
			    assert wait(1)
			assert s.recv(100) == b"good.example\r\n"
			s.setblocking(False)
			try:
			    s.recv(1); assert False
			except BlockingIOError: pass
			p = select.poll(); p.register(s, 1)
			assert p.poll(50) == []
			s.send(b"EHLO me\r\n")
			assert p.poll(20000)
			assert s.recv(100) == b"EHLO me\r\n"
		PY
	done
	equal "$(head -c 17 "$T/wire")" "EHLO [127.0.0.1]"$'\r'
	expect_not "$T/wire" "EHLO me"
	expect "$T/wire.plain" "EHLO me"
}

test_a_server_that_offers_no_tls_hears_nothing_of_the_program() {
	start_dialogue "> 220 hi\r\n" "< " "> 250 good.example\r\n"
	upgrading smtp "$PORT"
	nothing_in_the_clear "tls_starttls = smtp: the server does not offer STARTTLS"
	equal "$(cat "$T/wire")" "EHLO [127.0.0.1]"$'\r'
}

test_a_server_that_refuses_tls_hears_nothing_of_the_program() {
	start_dialogue "> 220 hi\r\n" "< " "> 250 STARTTLS\r\n" "< " "> 454 TLS not available\r\n"
	upgrading smtp "$PORT"
	nothing_in_the_clear 'it answered "454 TLS not available"'
}

test_a_server_that_lies_about_tls_hears_nothing_of_the_program() {
	start_dialogue "> 220 hi\r\n" "< " "> 250 STARTTLS\r\n" "< " "> 220 go\r\n" "<5" "> 250 what is this\r\n"
	upgrading smtp "$PORT"
	nothing_in_the_clear "speaks plaintext"
}

test_bytes_injected_before_the_handshake_end_the_connection() {
	start_dialogue "> 220 hi\r\n" "< " "> 250 STARTTLS\r\n" "< " "> 220 go\r\n250 injected\r\n" "tls" echo
	upgrading smtp "$PORT"
	nothing_in_the_clear "somebody on the way may have injected it"
}

test_a_certificate_is_verified_after_starttls_too() {
	start_dialogue "${SMTP_TO_TLS[@]}" echo
	upgrading smtp "$PORT"
	sed -i "s,/ca.pem,/other-ca.pem," "$T/egret.ini"
	nothing_in_the_clear "unknown CA"
}

test_a_dialogue_that_stalls_ends_with_the_handshakes_time() {
	start_dialogue "> 220 hi\r\n" "< "
	upgrading smtp "$PORT"
	sed -i 's/^tls_starttls/tls_handshake_timeout = 300ms\n&/' "$T/egret.ini"
	nothing_in_the_clear "within 300 ms; to wait longer, set tls_handshake_timeout"
}
