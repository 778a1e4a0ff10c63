# Programs that bring a sanitizer's runtime, with its own interceptors and its own malloc: they reach their host by TLS and no other.

HOST=www.googleapis.com

echoing() {
	certificates
	rm -f "$T/echo.port"
	"$EGRET_BUILD/bench/server" "$T/echo.port" "$CERTS/right.pem" "$CERTS/right.key" &
	wait_for 10 test -s "$T/echo.port"
	record_wire_before "$(cut -d' ' -f2 "$T/echo.port")"
	originating $HOST "$PORT"
}

# sanitized COMPILER SANITIZER: reads and writes by several threads, every byte compared; then a port that nothing covers.
sanitized() {
	need_library
	need "$1"
	[ -z "${EGRET_SANITIZER:-}" ] || skip "the library brings a sanitizer of its own"
	local preload=$EGRET_LIB program
	for program in threads odd; do
		"$1" -D_GNU_SOURCE -O1 -g -pthread -fsanitize="$2" -o "$program" "$ROOT/tests/programs/$program.c" 2>err || skip "$1 has no -fsanitize=$2 here"
	done
	./odd plain 127.0.0.1 1 >out 2>err || skip "a program with -fsanitize=$2 does not start here: $(tail -n 1 err)"
	# GCC's runtime for addresses is a library that must come first.
	[ "$1 $2" != "gcc address" ] || preload=$(ldd odd | awk '/libasan/ { print $3 }'):$EGRET_LIB
	echoing
	LD_PRELOAD=$preload status ./threads duplex $HOST 2
	expect_status 0
	expect out right
	expect_not err ERROR
	expect_not err WARNING
	wire_is_tls
	equal "$(LD_PRELOAD=$preload ./odd plain 203.0.113.9 81 2>err)" EACCES
	expect err "egret: denied tcp 203.0.113.9:81"
}

test_a_program_with_gccs_address_sanitizer_reaches_its_host_by_tls_and_no_other() { sanitized gcc address; }
test_a_program_with_clangs_address_sanitizer_reaches_its_host_by_tls_and_no_other() { sanitized clang address; }
test_a_program_with_gccs_thread_sanitizer_reaches_its_host_by_tls_and_no_other() { sanitized gcc thread; }
test_a_program_with_clangs_thread_sanitizer_reaches_its_host_by_tls_and_no_other() { sanitized clang thread; }
