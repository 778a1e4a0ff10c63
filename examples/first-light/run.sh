#!/usr/bin/env bash
# First light: a real nginx with TLS, and a plain curl that reaches it only over verified TLS. Run by `make demo` and the tests.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${EGRET_BUILD:-$root/build}
egret=$build/bin/egret
dir=$(mktemp -d)
nginx=
trap '[ -z "$nginx" ] || kill "$nginx" 2>/dev/null; rm -rf "$dir"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

bash "$root/tests/certs/make.sh" "$build/tests/certs"
certs=$build/tests/certs
port=$(free_port)

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
	server {
		listen 127.0.0.1:$port ssl;
		ssl_certificate $certs/right.pem;
		ssl_certificate_key $certs/right.key;
		location / { default_type text/plain; return 200 "nginx: \$scheme, \$ssl_protocol, asked for \$ssl_server_name\n"; }
	}
}
CONF
nginx -e "$dir/nginx.error" -c "$dir/nginx.conf" &
nginx=$!
for _ in $(seq 100); do
	if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
	sleep 0.05
done

cat >"$dir/egret.ini" <<INI
[egret]
internal = none
log = $dir/log

; The name and the address stand here, so that the demo needs no network.
[googleapis]
hosts = www.googleapis.com
ports = 80
tls = originate
addresses = 127.0.0.1:$port
tls_ca_file = $certs/ca.pem
INI
chmod 600 "$dir/egret.ini"
export EGRET_CONFIG=$dir/egret.ini

say 'The policy'
cat "$dir/egret.ini"
say '$ egret explain http://www.googleapis.com/'
"$egret" explain http://www.googleapis.com/
say '$ egret run --sandbox=off -- curl http://www.googleapis.com/        (plain HTTP; nginx sees TLS)'
"$egret" run --sandbox=off -- curl -sS --max-time 20 http://www.googleapis.com/
say 'What the log says of it'
cat "$dir/log"
say '$ egret run --sandbox=off -- curl http://evil.example/              (no entry covers it)'
if "$egret" run --sandbox=off -- curl -sS --max-time 20 http://evil.example/; then
	echo "evil.example was reached" >&2
	exit 1
fi
