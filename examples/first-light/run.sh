#!/usr/bin/env bash
# First light: a plain curl reaches a real nginx, only over verified TLS, and nothing else. Run by `make demo` and the tests.
# Everything happens on loopback; a step that does not end as it says ends the demo.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${EGRET_BUILD:-$root/build}
export PATH=$build/bin:$PATH
dir=$(mktemp -d)
nginx=
trap '[ -z "$nginx" ] || kill "$nginx" 2>/dev/null; rm -rf "$dir"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# try TEXT COMMAND...: shows the command, runs it. refused: the same, and it must fail.
try() {
	say "# $1"
	echo "\$ ${*:2}"
	"${@:2}"
}
refused() {
	local status=0
	say "# $1"
	echo "\$ ${*:2}"
	"${@:2}" || status=$?
	[ $status != 0 ] || { echo "demo: it was reached" >&2; exit 1; }
	echo "(exit status $status)"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

bash "$root/tests/certs/make.sh" "$build/tests/certs"
certs=$build/tests/certs
right=$(free_port) wrong=$(free_port)

# server PORT CERTIFICATE
server() {
	cat <<-CONF
		server {
			listen 127.0.0.1:$1 ssl;
			ssl_protocols TLSv1.2 TLSv1.3;
			ssl_certificate $certs/$2.pem;
			ssl_certificate_key $certs/$2.key;
			location / {
				default_type text/plain;
				return 200 "nginx: GET \$request_uri came over \$ssl_protocol for the server name \$ssl_server_name\n";
			}
		}
	CONF
}
cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.error;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/fastcgi;
	uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;
	$(server "$right" right)
	$(server "$wrong" wrong)
}
CONF
nginx -e "$dir/nginx.error" -c "$dir/nginx.conf" &
nginx=$!
for _ in $(seq 200); do
	if listening "$right" && listening "$wrong"; then break; fi
	sleep 0.05
done

# The addresses stand in the policy so that the demo needs no network; an entry without `addresses` dials what the resolver answers.
cat >"$dir/egret.ini" <<INI
[egret]
internal    = none
log         = $dir/log
log_format  = text
tls_ca_file = $certs/ca.pem

[googleapis]
hosts     = www.googleapis.com
ports     = 80
tls       = originate
addresses = 127.0.0.1:$right

[impostor]
hosts     = good.example       ; its server shows the certificate of another name
ports     = 80
tls       = originate
addresses = 127.0.0.1:$wrong
INI
chmod 600 "$dir/egret.ini"
export EGRET_CONFIG=$dir/egret.ini

say '# The policy'
cat "$dir/egret.ini"
try 'What would happen, by the code that decides it' egret explain http://www.googleapis.com/
try 'The program speaks plain HTTP, the wire carries TLS' \
	egret run --sandbox=off -- curl -sS --max-time 20 'http://www.googleapis.com/books/v1/volumes?q=isbn:0486424618'
refused 'A certificate for another name: not one byte of the request is sent' egret run --sandbox=off -- curl -sS --max-time 20 http://good.example/
refused 'A host that no entry names' egret run --sandbox=off -- curl -sS --max-time 20 http://evil.example/
refused 'Nor by its address: refused before a packet leaves' egret run --sandbox=off -- curl -sS --max-time 20 http://203.0.113.9/
try 'Every connection, its verdict, and the certificate that was verified' cat "$dir/log"
say '# That is all. The policy was the only thing that changed; curl and nginx are as they came.'
