# Clients of data services as they are: redis, MQTT, LDAP and git, each in plaintext to its real server behind TLS.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# start_redis tls|plain
start_redis() {
	need redis-server redis-cli
	certificates
	free_port
	local where="--port $PORT"
	if [ "$1" = tls ]; then
		where="--port 0 --tls-port $PORT --tls-auth-clients no --tls-cert-file $CERTS/right.pem --tls-key-file $CERTS/right.key
			--tls-ca-cert-file $CERTS/ca.pem"
	fi
	# shellcheck disable=SC2086
	redis-server $where --bind 127.0.0.1 --save '' --appendonly no --dir "$T" >"$T/redis.out" 2>&1 &
	wait_for 10 listening "$PORT"
}

# recorded_plain SERVER: the same server without TLS, behind a recorder.
recorded_redis() { start_redis plain && record_wire_before "$PORT"; }

# jemalloc opens a file by syscall(2) under its own lock, before our constructor has run.
test_a_malloc_that_opens_files_as_it_starts_does_not_deadlock() { # quick
	need redis-cli
	covered timeout 20 redis-cli --version >"$T/out"
	expect "$T/out" redis-cli
}

by_redis_cli() { "${UNDER[@]}" redis-cli -h "$1" -p "$2" set key secret; }

test_plaintext_of_redis_cli_is_tls_on_the_wire() { # limit=120
	start_redis tls
	originated 6379
	covered_client by_redis_cli good.example 6379
	expect_status 0
	expect "$T/out" OK
	wire_is_tls "SET"
}

test_redis_cli_is_told_of_a_refusal() { # limit=180
	need redis-server
	PLAIN=recorded_redis TARGET='%s %s' refused_in_its_own_words ! "Permission denied" "Name or service not known" by_redis_cli
}

by_redis_benchmark() { "${UNDER[@]}" redis-benchmark -h "$1" -p "$2" -c 1 -n 100 -q -t set -d 20; }

test_plaintext_of_redis_benchmark_is_tls_on_the_wire() { # limit=120
	start_redis tls
	originated 6379
	covered_client by_redis_benchmark good.example 6379
	expect_status 0
	expect "$T/out" "requests per second"
	wire_is_tls "SET" "xxxx"
}

test_redis_benchmark_is_told_of_a_refusal() { # limit=180
	need redis-server
	PLAIN=recorded_redis TARGET='%s %s' refused_in_its_own_words ! "Permission denied" "Name or service not known" by_redis_benchmark
}

test_redis_benchmark_holds_under_load() { # limit=120
	local port
	start_redis tls
	port=$PORT
	ASKED=6379 originating good.example "$port"
	covered_client bench_redis
	expect_status 0
	equal "$(grep -c 'requests per second' "$T/out")" 4
	expect_not "$T/err" "rror"
	equal "$(redis-cli -p "$port" --tls --cacert "$CERTS/ca.pem" --sni good.example llen mylist)" 20000
}

# 50 connections, 16 commands in flight on each; values of 20 bytes and of 20 000.
bench_redis() {
	"${UNDER[@]}" redis-benchmark -h good.example -p 6379 -c 50 -n 20000 -P 16 -q -t set,get,lpush
	"${UNDER[@]}" redis-benchmark -h good.example -p 6379 -c 50 -n 1000 -P 16 -q -t set -d 20000
}

# start_mosquitto tls|plain
start_mosquitto() {
	need mosquitto mosquitto_pub mosquitto_sub
	certificates
	free_port
	{
		echo "user $(id -un)"
		echo "listener $PORT 127.0.0.1"
		printf '%s\n' "allow_anonymous true" "max_queued_messages 0"
		printf 'log_type %s\n' error subscribe
		[ "$1" = plain ] || printf 'certfile %s\nkeyfile %s\n' "$CERTS/right.pem" "$CERTS/right.key"
	} >"$T/mosquitto.conf"
	mosquitto -c "$T/mosquitto.conf" >"$T/mosquitto.out" 2>&1 &
	wait_for 10 listening "$PORT"
}

recorded_mosquitto() { start_mosquitto plain && record_wire_before "$PORT"; }

# A retained message, so that a subscriber that comes later has it.
by_mosquitto_pub() { "${UNDER[@]}" mosquitto_pub -h "$1" -p "$2" -q 1 -r -t news -m "a secret"; }

by_mosquitto_sub() { "${UNDER[@]}" mosquitto_sub -h "$1" -p "$2" -q 1 -t news -C 1 -W 20; }

test_plaintext_of_mosquitto_pub_and_sub_is_tls_on_the_wire() { # limit=120
	start_mosquitto tls
	originated 1883
	covered_client by_mosquitto_pub good.example 1883
	expect_status 0
	covered_client by_mosquitto_sub good.example 1883
	expect_status 0
	expect "$T/out" "a secret"
	wire_is_tls news MQTT
}

test_mosquitto_pub_and_sub_is_told_of_a_refusal() { # limit=180
	need mosquitto
	PLAIN=recorded_mosquitto TARGET='%s %s' refused_in_its_own_words ! "Permission denied" "Unable to connect" by_mosquitto_pub
}

test_mosquitto_pub_and_sub_holds_under_load() { # limit=120
	local i
	start_mosquitto tls
	ASKED=1883 originating good.example "$PORT"
	UNDER=("$EGRET" run --sandbox=off --)
	for i in 1 2 3 4 5; do
		"${UNDER[@]}" mosquitto_sub -h good.example -p 1883 -q 2 -t "load/#" -C 2000 -W 60 >"$T/sub.$i" 2>"$T/sub.$i.err" &
		echo $! >>"$T/subs"
	done
	wait_for 20 five_subscribers
	seq 1 1000 | "${UNDER[@]}" mosquitto_pub -h good.example -p 1883 -q 2 -t load/a -l &
	seq 1001 2000 | "${UNDER[@]}" mosquitto_pub -h good.example -p 1883 -q 2 -t load/b -l
	wait $!
	# shellcheck disable=SC2046
	wait $(cat "$T/subs")
	for i in 1 2 3 4 5; do equal "$(sort -n "$T/sub.$i" | uniq | wc -l)" 2000; done
}

five_subscribers() { [ "$(grep -c "load/#" "$T/mosquitto.out")" -ge 5 ]; }

# start_slapd ldaps|ldap: one person, cn=secret.
start_slapd() {
	need slapd slapadd ldapsearch
	certificates
	free_port
	mkdir -p "$T/ldap"
	cat >"$T/slapd.conf" <<-CONF
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		TLSCACertificateFile $CERTS/ca.pem
		TLSCertificateFile $CERTS/right.pem
		TLSCertificateKeyFile $CERTS/right.key
		database mdb
		maxsize 10485760
		directory $T/ldap
		suffix "dc=example"
	CONF
	printf '%s\n' "dn: dc=example" "objectClass: dcObject" "objectClass: organization" "o: example" "dc: example" "" \
		"dn: cn=secret,dc=example" "objectClass: person" "cn: secret" "sn: hello over ldap" | slapadd -f "$T/slapd.conf" 2>"$T/slapadd.err"
	slapd -d 0 -f "$T/slapd.conf" -h "$1://127.0.0.1:$PORT" >"$T/slapd.out" 2>&1 &
	wait_for 10 listening "$PORT"
}

recorded_slapd() { start_slapd ldap && record_wire_before "$PORT"; }

by_ldapsearch() { "${UNDER[@]}" ldapsearch -x -LLL -o nettimeout=20 -H "ldap://$1:$2" -b dc=example '(cn=secret)' sn; }

test_plaintext_of_ldapsearch_is_tls_on_the_wire() {
	start_slapd ldaps
	originated 389
	covered_client by_ldapsearch good.example 389
	expect_status 0
	expect "$T/out" "hello over ldap"
	wire_is_tls "dc=example"
}

test_ldapsearch_is_told_of_a_refusal() { # limit=180
	need slapd
	PLAIN=recorded_slapd TARGET='%s %s' refused_in_its_own_words 255 "Can't contact LDAP server" "Can't contact LDAP server" by_ldapsearch
}

test_ldapsearch_holds_under_load() {
	start_slapd ldaps
	ASKED=389 originating good.example "$PORT"
	covered_client forty_searches
	expect_status 0
	equal "$(grep -c "hello over ldap" "$T/out")" 400
}

# 40 processes, 10 searches over each one's connection.
forty_searches() {
	seq 1 10 >"$T/ten"
	# shellcheck disable=SC2016
	seq 1 40 | "${UNDER[@]}" xargs -P 8 -I{} ldapsearch -x -LLL -H ldap://good.example:389 -b dc=example -f "$T/ten" '(|(cn=secret)(sn=%s))' sn
}

# start_git tls|plain [FILES]: a repository behind nginx and git's own http backend, that takes pushes.
start_git() {
	need git nginx fcgiwrap
	certificates
	git config --global user.name tester
	git config --global user.email tester@example.com
	git config --global init.defaultBranch main
	git init -q "$T/origin"
	head -c "${2:-100000}" /dev/urandom >"$T/origin/file"
	git -C "$T/origin" add file
	git -C "$T/origin" commit -qm first
	git clone -q --bare "$T/origin" "$T/repos/it.git"
	git -C "$T/repos/it.git" config http.receivepack true
	fcgiwrap -s "unix:$T/fcgi.sock" >"$T/fcgi.out" 2>&1 &
	wait_for 10 test -S "$T/fcgi.sock"
	NGINX_TLS=$1 start_nginx_tls right "client_max_body_size 0; location /it.git { fastcgi_pass unix:$T/fcgi.sock;
		fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend; fastcgi_param GIT_PROJECT_ROOT $T/repos;
		fastcgi_param GIT_HTTP_EXPORT_ALL 1; fastcgi_param PATH_INFO \$uri; fastcgi_param QUERY_STRING \$query_string;
		fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param CONTENT_TYPE \$content_type;
		fastcgi_param CONTENT_LENGTH \$content_length; fastcgi_param HOME $T; }"
}

recorded_git() { start_git plain && record_wire_before "$PORT"; }

by_git() {
	rm -rf "$T/clone"
	"${UNDER[@]}" git clone -q "http://$1:$2/it.git" "$T/clone"
}

by_git_push() {
	by_git "$@"
	echo more >>"$T/clone/file"
	git -C "$T/clone" commit -qam second
	"${UNDER[@]}" git -C "$T/clone" push -q
}

test_plaintext_of_git_is_tls_on_the_wire() { # limit=120
	start_git tls
	PROTOCOL=http originated 80
	covered_client by_git_push good.example 80
	expect_status 0
	equal "$(git -C "$T/repos/it.git" rev-parse main)" "$(git -C "$T/clone" rev-parse HEAD)"
	cmp "$T/clone/file" <(git -C "$T/repos/it.git" show main:file)
	wire_is_tls "git-upload-pack"
}

test_git_is_told_of_a_refusal() { # limit=180
	need git nginx fcgiwrap
	PLAIN=recorded_git TARGET='%s %s' refused_in_its_own_words 128 "fatal: unable to access" "Could not resolve host" by_git
}

test_git_holds_under_load() { # limit=240
	start_git tls 8000000
	PROTOCOL=http ASKED=80 originating good.example "$PORT"
	covered_client by_git_push good.example 80
	expect_status 0
	git -C "$T/repos/it.git" fsck --strict
	cmp "$T/clone/file" <(git -C "$T/repos/it.git" show main:file)
}
