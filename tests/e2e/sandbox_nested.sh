# Programs that bring a sandbox of their own: they work inside egret's, and theirs is no way out.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

inside_bubblewrap() {
	start_recorder
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example
		ports = $PORT
	INI
	sandboxed bwrap --bind / / --dev /dev --unshare-user --unshare-pid --uid 1000 bash -c 'exec 3<>/dev/tcp/203.0.113.9/'"$PORT"
	[ "$STATUS" != 0 ] || fail "it got out"
	sandboxed bwrap --bind / / --dev /dev --unshare-net true
	wire_is_silent
	sandboxed bwrap --bind / / --dev /dev --unshare-user --unshare-pid bash -c 'exec 3<>/dev/tcp/good.example/'"$PORT"' && echo allowed >&3'
	expect_status 0
	wait_for 5 grep -q allowed "$T/wire"
}

test_bubblewrap_works_in_the_sandbox_and_is_no_way_out() { # limit=180
	need bwrap
	in_network_with_names "127.0.0.1 good.example" inside_bubblewrap
}

# browse URL [COMMAND...]: chromium with its own sandbox, which root may not have, started by COMMAND; prints the page.
browse() {
	local url=$1
	shift
	status env HOME="$T/home" "$@" timeout 60 chromium --headless --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --user-data-dir="$T/home/profile" --dump-dom "$url"
}

inside_chromium() {
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	open_to_nobody
	install -d -o nobody "$T/home"
	browse about:blank "${nobody[@]}"
	[[ $(cat "$T/out") == *"<html>"* ]] || skip "chromium does not start with its own sandbox here"
	mkdir "$T/www"
	echo "<p>served here" >"$T/www/index.html"
	python3 -m http.server --directory "$T/www" --bind 0.0.0.0 8099 >"$T/served" 2>&1 &
	wait_for 10 curl -sS -o "$T/first" http://good.example:8099/
	browse http://good.example:8099/ "$EGRET" run --sandbox=require -- "${nobody[@]}"
	expect_status 0
	expect "$T/out" "<p>served here"
	browse http://203.0.113.9:8099/ "$EGRET" run --sandbox=require -- "${nobody[@]}"
	expect "$T/err" "denied tcp 203.0.113.9:8099"
	expect_not "$T/out" "served here"
	equal "$(grep -c '"GET / ' "$T/served")" 2
}

test_chromium_with_its_own_sandbox_loads_what_is_allowed_and_nothing_else() { # limit=180
	need chromium
	[ "$(id -u)" = 0 ] || skip "not root"
	policy <<-INI
		[egret]
		internal = none
		[good]
		hosts = good.example
		ports = 8099
	INI
	export -f browse
	in_network_with_names "127.0.0.1 good.example" inside_chromium
}
