#!/usr/bin/env bash
# Installs what building and testing need (Debian 12). Quick when all is there. One line per purpose.
# `deps.sh bench` adds the peers that `make bench` measures against.
set -euo pipefail

packages="
	build-essential pkg-config gcc-multilib
	clang clang-format clang-tidy cppcheck shellcheck libclang-rt-14-dev
	libssl-dev libinih-dev node-llhttp uthash-dev libyaml-dev libseccomp-dev libidn2-dev libcmocka-dev liburing-dev
	openssl nginx-light redis-server redis-tools curl wget socat netcat-openbsd telnet stunnel4 haproxy bind9-dnsutils libjemalloc2
	python3 python3-yaml perl php-cli ruby nodejs git bubblewrap musl-tools libcap2-bin
	python3-pycares python3-aiohttp python3-grpcio python3-cryptography python3-requests default-jdk-headless erlang-inets rustc golang-go chromium
	aria2 lftp netcat-traditional apache2-utils wrk mosquitto mosquitto-clients ldap-utils slapd fcgiwrap dnsmasq-base apache2-bin lighttpd lighttpd-mod-openssl
	postfix dovecot-imapd dovecot-pop3d msmtp swaks postgresql
	mariadb-server mariadb-client python3-pymysql php-mysql node-mysql libio-socket-ssl-perl
	iproute2 strace procps util-linux man-db zsh bash-completion jq xxd file dpkg-dev fakeroot
"
[ "${1:-}" != bench ] || packages="$packages libnginx-mod-stream proxychains4 torsocks gnuplot-nox valgrind"
missing=
for package in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq || echo "deps: the package lists could not be refreshed; trying with those at hand" >&2
# No service is to start just because a test needs its program.
# shellcheck disable=SC2086
$sudo env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing </dev/null
