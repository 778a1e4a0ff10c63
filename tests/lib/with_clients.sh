# What every client of the matrix goes through. Sourced by harness.sh; docs/clients.md is written from the names of these tests.
#
# A client is a function of the test's file that runs its program behind "${UNDER[@]}" and ends as the program does. Its last argument is a
# URL, or what its protocol has instead. $EGRET_CLIENTS_SANDBOX: off (where it is not set), auto, require.
UNDER=()

# covered_client FUNCTION [ARGS]: as a user would start its program.
covered_client() {
	UNDER=("$EGRET" run --sandbox="${EGRET_CLIENTS_SANDBOX:-off}" --)
	status "$@"
	UNDER=()
}

# originated_web [EXTRA lines for nginx' server block]: nginx with TLS as www.googleapis.com, recorded: what the wire carried is in $T/wire.
originated_web() {
	start_nginx_tls right "${1:-}"
	record_wire_before "$PORT"
	PROTOCOL=http originating www.googleapis.com "$PORT"
}

# served_web [EXTRA]: the same, not recorded, for loads: nginx itself takes nothing but TLS on that port.
served_web() {
	start_nginx_tls right "${1:-}"
	PROTOCOL=http originating www.googleapis.com "$PORT"
}

# originated ASKED: the server on $PORT becomes good.example:ASKED and is recorded.
originated() {
	record_wire_before "$PORT"
	ASKED=$1 originating good.example "$PORT"
}

# http_over_tls CLIENT...: its plain request is answered by a server that speaks TLS only, and the wire saw nothing else.
http_over_tls() {
	originated_web
	covered_client "$@" http://www.googleapis.com/secret
	expect_status 0
	expect "$T/out" "hello over tls"
	wait_for 10 grep -q "GET /secret" "$T/nginx.access"
	wire_is_tls
}

# refused_in_its_own_words STATUS ADDRESS-TEXT NAME-TEXT CLIENT...: what it gets in plaintext without egret, it does not get under egret where
# no entry covers the host: neither by address nor by name. It ends with STATUS (! for any but 0) and its own texts say why.
# $PLAIN: the function that starts the recorded server in plaintext; $TARGET: how host and port become the client's arguments (printf).
refused_in_its_own_words() {
	export PLAIN TARGET
	with_names "127.0.0.1 unnamed.example" in_file "$(basename "${BASH_SOURCE[1]}")" try_refusals "$@"
}

# in_file NAME COMMAND...: with the functions of that file of tests/e2e, which a new shell lacks.
in_file() {
	. "$ROOT/tests/e2e/$1"
	shift
	"$@"
}

try_refusals() {
	local expected=$1 address_text=$2 name_text=$3
	local target=${TARGET:-http://%s:%s/secret} shown
	shift 3
	"${PLAIN:-start_plain_http}"
	originating www.googleapis.com "$PORT"
	# shellcheck disable=SC2059,SC2046
	status "$@" $(printf "$target" unnamed.example "$PORT")
	expect_status 0
	[ -s "$T/wire" ] || fail "without egret it sends nothing"
	wait_for 20 all_is_recorded
	: >"$T/wire"
	shown=127.0.0.1:$PORT
	# By itself the supervisor leaves the hosts file to the program, and calls an address by the name that stands there.
	if [ "${EGRET_CLIENTS_SANDBOX:-off}" = require ]; then
		shown="unnamed.example:$PORT (127.0.0.1:$PORT)"
		name_text=$address_text
	fi
	# shellcheck disable=SC2059,SC2046
	refused_once "$expected" "$address_text" "egret: denied tcp $shown" "$@" $(printf "$target" 127.0.0.1 "$PORT")
	# shellcheck disable=SC2059,SC2046
	refused_once "$expected" "$name_text" "egret: denied" "$@" $(printf "$target" unnamed.example "$PORT")
}

# all_is_recorded: the server on $PORT has read every connection to its end.
all_is_recorded() {
	[ -z "$(ss -Htn state big exclude listening "sport = :$PORT")" ]
}

# refused_once STATUS TEXT LINE CLIENT...: LINE is egret's on stderr.
refused_once() {
	local expected=$1 text=$2 line=$3
	shift 3
	covered_client "$@"
	if [ "$expected" = ! ]; then [ "$STATUS" != 0 ] || fail "it succeeded"; else expect_status "$expected"; fi
	expect "$T/err" "$line"
	cat "$T/err" >>"$T/out"
	expect "$T/out" "$text"
	wire_is_silent
}
