# What people pipe and script with: netcats, socat, telnet, a shell's own sockets; and programs that ask for names their own way.
# sanitized
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# echo_of_megabytes CLIENT: what it sends to a server that sends it back arrives whole, both ways at once.
echo_of_megabytes() {
	start_tls right --echo
	originating www.googleapis.com "$PORT"
	head -c 20M /dev/urandom >"$T/big"
	UNDER=("$EGRET" run --sandbox=off --)
	"$1" www.googleapis.com 80 <"$T/big" >"$T/got" 2>"$T/err"
	cmp "$T/got" "$T/big"
}

request() { printf 'GET /secret HTTP/1.0\r\nHost: %s\r\n\r\n' "$1"; }

# typed_over_tls CLIENT: as http_over_tls, of a client that takes host and port.
typed_over_tls() {
	originated_web
	covered_client "$1" www.googleapis.com 80
	expect_status 0
	expect "$T/out" "hello over tls"
	wire_is_tls
}

by_nc_openbsd() { request "$1" | "${UNDER[@]}" nc.openbsd -v -N -w 20 "$1" "$2"; }

test_plaintext_of_netcat_openbsd_is_tls_on_the_wire() {
	need nc.openbsd
	typed_over_tls by_nc_openbsd
}

test_netcat_openbsd_is_told_of_a_refusal() { # limit=180
	need nc.openbsd
	TARGET='%s %s' refused_in_its_own_words 1 "failed: Permission denied" "Name or service not known" by_nc_openbsd
}

nc_openbsd_echo() { "${UNDER[@]}" nc.openbsd -N "$1" "$2"; }

test_netcat_openbsd_holds_under_load() { # limit=120
	need nc.openbsd
	echo_of_megabytes nc_openbsd_echo
}

by_nc_traditional() { request "$1" | "${UNDER[@]}" nc.traditional -q 30 -w 30 "$1" "$2"; }

test_plaintext_of_netcat_traditional_is_tls_on_the_wire() {
	need nc.traditional
	typed_over_tls by_nc_traditional
}

test_netcat_traditional_is_told_of_a_refusal() { # limit=180
	need nc.traditional
	TARGET='%s %s' refused_in_its_own_words 1 "Permission denied" "forward host lookup failed" by_nc_traditional
}

nc_traditional_echo() { "${UNDER[@]}" nc.traditional -q 60 "$1" "$2"; }

test_netcat_traditional_holds_under_load() { # limit=120
	need nc.traditional
	echo_of_megabytes nc_traditional_echo
}

by_socat() { request "$1" | "${UNDER[@]}" socat -t 20 - "TCP:$1:$2"; }

test_plaintext_of_socat_is_tls_on_the_wire() {
	need socat
	typed_over_tls by_socat
}

test_socat_is_told_of_a_refusal() { # limit=180
	need socat
	TARGET='%s %s' refused_in_its_own_words 1 "Permission denied" "Name or service not known" by_socat
}

socat_echo() { "${UNDER[@]}" socat -t 60 - "TCP:$1:$2"; }

test_socat_holds_under_load() { # limit=120
	need socat
	echo_of_megabytes socat_echo
}

# telnet ends with its input, so the input waits for the answer or the refusal. It ends lines its own way.
by_telnet() {
	{
		request "$1" | tr -d '\r'
		for _ in $(seq 1 100); do
			grep -qE "hello|denied" "${SEEN:-$T/out}" "$T/err" && break
			sleep 0.2
		done
	} | "${UNDER[@]}" telnet "$1" "$2" || grep -q "Connection closed by foreign host" "$T/err"
}

test_plaintext_of_telnet_is_tls_on_the_wire() {
	need telnet
	typed_over_tls by_telnet
}

test_telnet_is_told_of_a_refusal() { # limit=180
	need telnet
	TARGET='%s %s' refused_in_its_own_words ! "Permission denied" "Name or service not known" by_telnet
}

twenty_telnets() {
	local i all=
	for i in $(seq 1 20); do
		SEEN=$T/telnet.$i by_telnet "$@" >"$T/telnet.$i" &
		all="$all $!"
	done
	# shellcheck disable=SC2086
	wait $all
	cat "$T"/telnet.*
}

test_telnet_holds_under_load() { # limit=120
	need telnet
	served_web
	covered_client twenty_telnets www.googleapis.com 80
	equal "$(grep -c "hello over tls" "$T/out")" 20
}

by_bash() {
	"${UNDER[@]}" bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET /secret HTTP/1.0\r\nHost: $0\r\n\r\n" >&3 && cat <&3' "$1" "$2"
}

test_plaintext_of_bash_is_tls_on_the_wire() {
	typed_over_tls by_bash
}

test_bash_is_told_of_a_refusal() { # limit=180
	TARGET='%s %s' refused_in_its_own_words 1 "Permission denied" "Name or service not known" by_bash
}

# 40 connections of 8 shells at a time; each connection becomes the standard output of printf and the input of cat.
forty_bashes() {
	# shellcheck disable=SC2016
	seq 1 40 | "${UNDER[@]}" xargs -P 8 -I{} bash -c \
		'exec 3<>/dev/tcp/www.googleapis.com/80 && printf "GET /{} HTTP/1.0\r\nHost: www.googleapis.com\r\n\r\n" >&3 && cat <&3'
}

test_bash_holds_under_load() { # limit=120
	served_web
	covered_client forty_bashes
	expect_status 0
	equal "$(grep -c "hello over tls" "$T/out")" 40
}

by_rust() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "rust's start calls the library before the sanitizer's runtime has begun"
	[ -x "$T/fetch" ] || rustc -O -o "$T/fetch" "$ROOT/tests/e2e/programs/fetch.rs"
	"${UNDER[@]}" "$T/fetch" "$1" "$2" "${3:-1}"
}

test_plaintext_of_rust_is_tls_on_the_wire() { # limit=120
	need rustc
	typed_over_tls by_rust
}

test_rust_is_told_of_a_refusal() { # limit=180
	need rustc
	TARGET='%s %s' refused_in_its_own_words 3 "refused: PermissionDenied" "failed to lookup address information" by_rust
}

test_rust_holds_under_load() {
	need rustc
	PROTOCOL=http served_web
	covered_client by_rust www.googleapis.com 80 60
	expect_status 0
	equal "$(grep -c "hello over tls" "$T/out")" 60
}

by_epoll() { "${UNDER[@]}" "$PROGRAMS/client_epoll" "$1" "$2" 1 1; }

test_plaintext_of_an_epoll_program_is_tls_on_the_wire() {
	typed_over_tls by_epoll
}

test_an_epoll_program_is_told_of_a_refusal() { # limit=180
	TARGET='%s %s' refused_in_its_own_words 3 "refused: Permission denied" "Name or service not known" by_epoll
}

test_an_epoll_program_holds_under_load() {
	PROTOCOL=http served_web
	covered_client epoll_hundred
	expect_status 0
	equal "$(grep -c "hello over tls" "$T/out")" 5000
}

epoll_hundred() { "${UNDER[@]}" "$PROGRAMS/client_epoll" www.googleapis.com 80 100 50; }
