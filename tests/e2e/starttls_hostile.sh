# Servers of each protocol that refuse TLS, lie about it, or say more than they were asked: the program's words stay with the program.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

LDAP_YES='\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00'

# before PROTOCOL: what its server says and hears before it answers the request for TLS, into DIALOGUE.
before() {
	case $1 in
	imap) DIALOGUE=('> * OK hi\r\n' "< ") ;;
	pop3) DIALOGUE=('> +OK hi\r\n' "< ") ;;
	ldap) DIALOGUE=("<31") ;;
	postgres) DIALOGUE=("<8") ;;
	esac
}

# hostile PROTOCOL ANSWER TEXT [LINE...]
hostile() {
	before "$1"
	start_dialogue "${DIALOGUE[@]}" "> $2" "${@:4}"
	upgrading "$1" "$PORT"
	nothing_in_the_clear "$3"
}

test_servers_of_imap_pop3_ldap_and_postgres_that_refuse_tls_hear_nothing_of_the_program() {
	hostile imap 'egret NO never\r\n' 'it answered "egret NO never"'
	hostile pop3 '-ERR never\r\n' 'it answered "-ERR never"'
	hostile ldap '\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00' 'expected "ExtendedResponse success"'
	hostile postgres 'N' 'it answered "N"'
}

test_servers_of_imap_pop3_ldap_and_postgres_that_lie_about_tls_hear_nothing_of_the_program() {
	local lie='> what is this\r\n'
	hostile imap 'egret OK go\r\n' "speaks plaintext" "<5" "$lie"
	hostile pop3 '+OK go\r\n' "speaks plaintext" "<5" "$lie"
	hostile ldap "$LDAP_YES" "speaks plaintext" "<5" "$lie"
	hostile postgres 'S' "speaks plaintext" "<5" "$lie"
}

test_bytes_injected_before_the_handshake_of_imap_pop3_ldap_and_postgres_end_the_connection() {
	local why="somebody on the way may have injected it"
	hostile imap 'egret OK go\r\n* OK injected\r\n' "$why" tls echo
	hostile pop3 '+OK go\r\n+OK injected\r\n' "$why" tls echo
	hostile ldap "$LDAP_YES"'\x30' "$why" tls echo
	hostile postgres 'SR' "$why" tls echo
}

inside_relay() {
	start_dialogue "${SMTP_TO_TLS[@]}" echo
	upgrading smtp "$PORT"
	sandboxed env -u LD_PRELOAD python3 -c 'import socket
s = socket.create_connection(("good.example", 25), 20)
f = s.makefile("rb"); print(f.readline()); s.sendall(b"secret\r\n"); print(f.readline())'
	expect_status 0
	expect "$T/out" "220 good.example"
	expect "$T/out" "secret"
	expect_not "$T/wire" secret
	expect "$T/wire.plain" secret
	start_dialogue "> 220 hi\r\n" "< " "> 250 STARTTLS\r\n" "< " "> 454 not now\r\n"
	upgrading smtp "$PORT"
	sandboxed env -u LD_PRELOAD python3 -c 'import socket
s = socket.create_connection(("good.example", 25), 20)
s.sendall(b"secret\r\n"); print(s.recv(100))'
	[ "$STATUS" != 0 ] || fail "it succeeded"
	expect "$T/err" 'it answered "454 not now"'
	expect_not "$T/wire" secret
}

test_starttls_holds_under_the_sandbox_for_a_program_without_the_library() {
	in_network_with_names "127.0.0.1 good.example" inside_relay
}
