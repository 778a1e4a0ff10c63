# Policies of a test. Sourced by harness.sh.

# policy: writes standard input to $T/egret.ini and makes it the one in force. Loopback is `internal` by default: a policy that shall govern
# test servers says `internal = none`.
policy() {
	cat >"$T/egret.ini"
	chmod 600 "$T/egret.ini"
	export EGRET_CONFIG=$T/egret.ini
}

# originating NAME PORT [KEYS]: the usual policy: what the program says in the clear to NAME:80 (or $ASKED) becomes TLS to 127.0.0.1:PORT,
# nothing else passes. $PROTOCOL: tcp where it is not set.
originating() {
	certificates
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[server]
		hosts = $1
		ports = ${ASKED:-80}
		protocol = ${PROTOCOL:-tcp}
		tls = originate
		addresses = 127.0.0.1:$2
		tls_ca_file = $CERTS/ca.pem
		${3:-}
	INI
}

# governing tls|plain [KEYS]: an http entry for www.googleapis.com:80, over TLS or not, to the server on 127.0.0.1:$PORT. The usual rules let
# everything below /ok pass but /ok/secret.
governing() {
	local tls="tls = originate"
	certificates
	[ "$1" = plain ] && tls="tls = off"
	policy <<-INI
		[egret]
		internal = none
		log = $T/log
		[api]
		hosts = www.googleapis.com
		ports = 80
		protocol = http
		$tls
		addresses = 127.0.0.1:$PORT
		tls_ca_file = $CERTS/ca.pem
		${2-http_allow = * /ok/**
		http_deny = * /ok/secret/**}
	INI
}

# covered COMMAND...: under the preload layer alone, without `egret run`. AddressSanitizer's runtime must come first. ThreadSanitizer's comes
# behind: a hook that its own poll or epoll_wait calls would be one whose locks it does not see.
covered() {
	local list="${EGRET_SANITIZER:-} $EGRET_LIB"
	[[ $list != *libtsan* ]] || list="$EGRET_LIB $EGRET_SANITIZER"
	LD_PRELOAD=$list "$@"
}

# need_start PROGRAM: one that hangs behind a sanitizer's runtime, with or without the library.
need_start() {
	[ -z "${EGRET_SANITIZER:-}" ] || skip "$1 does not start behind a sanitizer's runtime, with or without the library"
}

# sample_policy: one entry of each kind, five in all.
sample_policy() {
	policy <<-INI
		[egret]
		log = none
		[googleapis]
		hosts = www.googleapis.com
		ports = 80
		protocol = http
		tls = originate
		connect_port = 443
		http_allow = GET /books/**
		[wild]
		hosts = *.example.com, 198.51.100.0/24
		ports = 443, 8000-8100
		protocol = tls
		[fixed]
		hosts = fixed.example
		ports = 80
		tls = originate
		addresses = 192.0.2.7, 192.0.2.8:8443
		[names]
		hosts = 192.0.2.53
		ports = 53
		protocol = udp
		[never]
		hosts = bad.example.com
		action = deny
	INI
}

# expect_refused EXPLANATION...: the last command failed, egret said why on stderr.
expect_refused() {
	[ "$STATUS" != 0 ] || fail "it succeeded"
	local text
	for text; do expect err "$text"; done
}

# refuses_without CALL TEXT: with an empty policy and that system call withheld, `require` runs nothing and says TEXT.
refuses_without() {
	policy <<<"[egret]"
	status "$PROGRAMS/without_call" "$1" "$EGRET" run --sandbox=require -- touch "$T/ran"
	expect_status 125
	expect "$T/err" "$2"
	[ ! -e "$T/ran" ] || fail "the command ran"
}
