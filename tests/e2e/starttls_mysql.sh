# STARTTLS of mysql: TLS begins with the program's own first packet. A real server and real clients, and servers that lie.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# start_mariadb: takes connections over TLS only; user "u" by mysql_native_password, "e" by ed25519, both "secret".
start_mariadb() {
	need mariadbd mariadb-install-db
	[ "$(id -u)" = 0 ] || skip "the server's user is made by root"
	own_key nobody
	free_port
	install -d -o nobody "$T/my"
	cat >"$T/init.sql" <<-'SQL'
		install soname 'auth_ed25519';
		create user u@'%' identified by 'secret';
		create user e@'%' identified via ed25519 using password('secret');
	SQL
	setpriv --reuid=nobody --regid=nogroup --clear-groups mariadb-install-db --no-defaults --datadir="$T/my/data" --skip-test-db \
		--innodb-log-file-size=4M --innodb-fast-shutdown=0 >"$T/install.out" 2>&1 || skip "mariadb-install-db: $(tail -n 3 "$T/install.out")"
	setpriv --reuid=nobody --regid=nogroup --clear-groups mariadbd --no-defaults --datadir="$T/my/data" --socket="$T/my/s" --pid-file="$T/my/pid" \
		--bind-address=127.0.0.1 --port="$PORT" --innodb-buffer-pool-size=8M --innodb-flush-log-at-trx-commit=0 --skip-name-resolve \
		--ssl-cert="$T/tls/cert.pem" --ssl-key="$T/tls/key.pem" --require-secure-transport=ON --init-file="$T/init.sql" >"$T/mariadb.log" 2>&1 &
	wait_for 60 grep -q "ready for connections" "$T/mariadb.log"
	upgrading mysql "$PORT"
}

QUERY="show status like 'Ssl_version'"

test_mariadb_asks_in_plaintext_a_server_that_insists_on_tls() { # limit=180
	need mariadb
	start_mariadb
	# Without the library the server turns them away: it is not content without TLS.
	status mariadb --no-defaults --skip-ssl -h 127.0.0.1 -P "$PORT" -u u -psecret -e "select 1"
	[ "$STATUS" != 0 ] || fail "the server is content without TLS"
	for user in u e; do
		covered mariadb --no-defaults -h good.example -u $user -psecret -Ne "$QUERY; select repeat('x', 100000)" >"$T/out" 2>"$T/err" || { show_output; fail $user; }
		expect "$T/out" "TLSv1.3"
		[ "$(wc -c <"$T/out")" -gt 100000 ] || fail "a long answer was cut"
		status covered mariadb --no-defaults -h good.example -u $user -pwrong -e "select 1"
		expect "$T/err" "Access denied for user '$user'"
	done
	status covered mariadb --no-defaults --ssl-verify-server-cert -h good.example -u u -psecret -e "select 1"
	expect "$T/err" "the server does not support it"
	expect_not "$T/log" '"error"'
	mysql_clients
	mysql_without_the_library
}

# Programs that wait in every way: blocking (php), with a time-out (python), libuv (node), a JVM.
mysql_clients() {
	covered /usr/bin/python3 - >"$T/out" <<-PY
		import pymysql
		c = pymysql.connect(host="good.example", user="u", password="secret", connect_timeout=20)
		q = c.cursor(); q.execute("$QUERY"); print(q.fetchall()); q.execute("select repeat('x', 3000000)"); print(len(q.fetchone()[0]))
		q.execute("set @a = %s", ("y" * 300000,)); q.execute("select length(@a)"); print(q.fetchone()); c.close()
	PY
	expect "$T/out" "TLSv1.3"
	expect "$T/out" "3000000"
	expect "$T/out" "(300000,)"
	covered php -r 'foreach (["u"] as $u) { $c = mysqli_connect("good.example", $u, "secret"); echo $c->query("'"$QUERY"'")->fetch_row()[1]; }
		$p = new PDO("mysql:host=good.example", "u", "secret"); echo $p->query("select 41 + 1")->fetch()[0];' >"$T/out"
	equal "$(cat "$T/out")" "TLSv1.342"
	NODE_PATH=/usr/share/nodejs covered node -e 'const c = require("mysql").createConnection({host: "good.example", user: "u", password: "secret"});
		c.query("'"$QUERY"'", (e, r) => { console.log(e || r[0].Value); c.end() })' >"$T/out"
	equal "$(cat "$T/out")" "TLSv1.3"
}

# No library in the program: the sandbox's relay speaks it.
mysql_without_the_library() {
	status "$EGRET" run --sandbox=require -- true
	[ "$STATUS" = 0 ] || return 0
	sed -i "s,^log = .*,log = $T/relay.log," "$T/egret.ini"
	"$EGRET" run --sandbox=require -- env -u LD_PRELOAD mariadb --no-defaults -h good.example -u u -psecret -Ne "$QUERY" >"$T/out" 2>"$T/err" ||
		{ show_output; fail "under the sandbox"; }
	expect "$T/out" "TLSv1.3"
	expect "$T/relay.log" '"layer":"relay"'
}

# ---- servers that are not to be trusted ----

# A greeting of protocol 10; the server's flags are ff ff, or f7 in the second byte: without CLIENT_SSL.
greeting() {
	printf '> \\x4c\\x00\\x00\\x00\\x0a5.5.5-10\\x00\\x01\\x00\\x00\\x00saltsalt\\x00\\xff\\x%s\\x2d\\x02\\x00\\xff\\x81\\x15%s' "$1" \
		'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00saltsaltsalt\x00mysql_native_password\x00'
}

# A program of mysql: reads the greeting, sees no TLS offered, answers with what is secret, says what it reads.
mysql_program() {
	covered /usr/bin/python3 -c 'import socket, sys
s = socket.create_connection(("good.example", 3306), 20)
hi = s.recv(4096)
assert len(hi) == 80 and hi[28] & 8 == 0, hi
print("greeted", flush=True)
s.sendall(b"\x2a\0\0\x01\x05\xa6\x0f\0\0\0\0\x01\x2d" + bytes(23) + b"secret\0\0\0\0")
print(s.recv(100))'
}

# hears_nothing BYTES TEXT...: the program fails, told why; the server heard BYTES in the clear, and they are no secret.
hears_nothing() {
	local heard=$1
	shift
	upgrading mysql "$PORT"
	status mysql_program
	expect_refused "egret: entry [server] ($T/egret.ini:" "$@"
	expect_not "$T/wire" secret
	equal "$(wc -c <"$T/wire")" "$heard"
	[ ! -s "$T/wire.plain" ] || fail "the server was told: $(cat "$T/wire.plain")"
}

test_a_mysql_server_that_offers_no_tls_hears_nothing() { # quick
	start_dialogue "$(greeting f7)"
	hears_nothing 0 "tls_starttls = mysql: the server does not offer TLS (CLIENT_SSL)"
	expect_not "$T/out" greeted
}

test_a_mysql_server_that_turns_away_hears_nothing() { # quick
	start_dialogue '> \x17\x00\x00\x00\xff\x10\x04Too many connections'
	hears_nothing 0 'expected "a greeting of protocol 10" of the server' "Too many connections"
}

test_bytes_behind_a_mysql_greeting_end_the_connection() { # quick
	start_dialogue "$(greeting ff)\\x07\\x00\\x00\\x02\\x00\\x00\\x00\\x02\\x00\\x00\\x00"
	hears_nothing 0 "somebody on the way may have injected it"
	expect_not "$T/out" greeted
}

test_a_mysql_server_that_speaks_before_tls_hears_nothing() { # quick
	start_dialogue "$(greeting ff)" "wait" '> \x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00'
	upgrading mysql "$PORT"
	status covered /usr/bin/python3 -c 'import socket
s = socket.create_connection(("good.example", 3306), 20)
assert len(s.recv(4096)) == 80
try: print(s.recv(1))
except OSError as e: print(e)
s.sendall(b"secret" * 20)'
	expect_refused "somebody on the way may have injected it"
	wire_is_silent
}

test_a_mysql_server_that_lies_about_tls_hears_nothing() { # quick
	start_dialogue "$(greeting ff)" "<36" '> \x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00'
	upgrading mysql "$PORT"
	status mysql_program
	expect_refused "speaks plaintext"
	expect_not "$T/wire" secret
}

test_a_mysql_server_with_another_certificate_hears_nothing() { # quick
	start_dialogue "$(greeting ff)" "<36" tls echo
	upgrading mysql "$PORT"
	sed -i "s,/ca.pem,/other-ca.pem," "$T/egret.ini"
	status mysql_program
	expect_refused "unknown CA"
	expect "$T/out" greeted
	[ ! -s "$T/wire.plain" ] || fail "the server was told: $(cat "$T/wire.plain")"
}

test_a_mysql_server_that_stalls_ends_with_the_handshakes_time() { # quick
	start_dialogue "$(greeting ff)" "<36"
	upgrading mysql "$PORT"
	sed -i 's/^tls_starttls/tls_handshake_timeout = 300ms\n&/' "$T/egret.ini"
	status mysql_program
	expect_refused "within 300 ms; to wait longer, set tls_handshake_timeout"
	expect_not "$T/wire" secret
}

test_a_mysql_program_that_asks_for_tls_itself_is_told_why_not() { # quick
	start_dialogue "$(greeting ff)" "<36" tls echo
	upgrading mysql "$PORT"
	status covered /usr/bin/python3 -c 'import socket
s = socket.create_connection(("good.example", 3306), 20)
s.sendall(b"\x20\0\0\x01\x05\xae\x0f\0" + bytes(28))'
	expect_refused "the program asks for TLS by itself" "--skip-ssl"
	wire_is_silent
}

# ---- what a program can wait for, and how its words are cut ----

test_mysql_packets_are_numbered_as_both_sides_expect_however_they_are_cut_and_waited_for() {
	start_dialogue "$(greeting ff)" "<36" tls echo
	upgrading mysql "$PORT"
	for way in blocking poll epoll edge select bytes halves relay; do
		covered /usr/bin/python3 "$ROOT/tests/lib/mysql_client.py" $way >"$T/out" 2>"$T/err" || { show_output; fail $way; }
		[ ! -s "$T/err" ] || { show_output; fail "$way: it was told something"; }
	done
	expect_not "$T/wire" secret
	equal "$(head -c 36 "$T/wire" | xxd -p -c 36)" "2000000105ae0f0000000001$(printf '2d%046d' 0)"
}
