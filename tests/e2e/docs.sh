# What the documents say is so.

test_the_demo_shows_a_verified_certificate_and_what_is_refused() { # quick
	need nginx
	need_library
	status bash "$ROOT/examples/first-light/run.sh"
	expect_status 0
	expect out "came over TLSv1"
	expect out "peer=O=egret tests,CN=right"
	expect out "(exit status 7)"
	expect err "expected a certificate for good.example, got one for other.example"
	expect err "denied tcp evil.example:80"
	expect err "denied tcp 203.0.113.9:80"
}

# The INI block of the README, as a policy.
readme_policy() {
	policy < <(sed -n '/^```ini$/,/^```$/p' "$ROOT/README.md" | grep -v '^```')
}

test_the_policy_of_the_readme_loads_without_a_warning_and_allows_what_it_says() { # quick
	readme_policy
	status "$EGRET" check
	expect_status 0
	equal "$(cat err)" ""
	"$EGRET" explain http://www.googleapis.com/books/v1/volumes >explained
	expect explained "originate"
	expect explained "www.googleapis.com:443"
	status "$EGRET" explain http://evil.example/
	expect_status 1
	status "$EGRET" explain http://www.googleapis.com/calendar/v3
	expect_status 1
}

test_the_denial_of_the_readme_reads_as_it_says() { # quick
	need_library
	readme_policy
	status "$EGRET" run -- curl -sS http://evil.example/
	expect err "egret: denied tcp evil.example:80: no entry covers it; to allow it: egret allow evil.example:80"
}

test_every_target_that_the_readme_and_contributing_name_exists() { # quick
	local target
	make -s -C "$ROOT" help >targets
	for target in $(grep -ohE '\bmake [a-z]+' "$ROOT/README.md" "$ROOT/CONTRIBUTING.md" | cut -d' ' -f2 | sort -u); do
		grep -qE "^  $target " targets || fail "make $target is named, but make help does not list it"
	done
}
