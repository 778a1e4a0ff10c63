# Whatever call carries a request, and whoever ends up with the connection: the rules hold.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

# ways tls|plain WAY=OUTCOME...: what comes of the allowed request is 200 but for these; the denied one is never asked of the server.
ways() {
	local line how=$1
	shift
	served "$how"
	covered python3 "$ROOT/tests/lib/past_the_rules.py" >"$T/out" 2>"$T/err" || fail "$(cat "$T/out" "$T/err")"
	if grep -v '^[A-Z]* /ok/[a-z0-9_]* [0-9]*$' "$T/asked"; then fail "past the rules"; fi
	for line in "$@"; do sed -i "s/^${line%=*}: ${line#*=}$/${line%=*}: 200/" "$T/out"; done
	equal "$(grep -v '^threads: ' "$T/out" | grep -v ': 200$' || true)" ""
	equal "$(wc -l <"$T/out")" 19
}

# Of a connection that two processes hold the first one to use it after the fork keeps it.
test_no_call_carries_a_request_past_the_rules() { # limit=120
	ways tls splice=EINVAL child=nothing
}

test_no_call_carries_a_request_in_the_clear_past_the_rules() { # limit=120
	ways plain splice=EINVAL child=nothing dup2=EPERM scm_rights=EPERM exec=EBADF
}
