# What is installed and packed.

copy_tree() {
	mkdir -p "$1"
	(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T -) | tar -x -C "$1"
}

test_install_and_uninstall_leave_nothing_behind_also_below_a_folder_with_spaces() { # limit=200
	need_library
	make -s -C "$ROOT" BUILD="$EGRET_BUILD" install DESTDIR="$T/root of it" PREFIX=/usr >log 2>&1 || { cat log; exit 1; }
	local file
	for file in bin/egret lib/egret/libegret.so lib/egret/libegret-tls.so share/man/man1/egret.1 share/man/man5/egret.ini.5 \
		share/man/man8/libegret.8 share/bash-completion/completions/egret share/zsh/site-functions/_egret; do
		[ -s "root of it/usr/$file" ] || fail "not installed: $file"
	done
	"root of it/usr/bin/egret" help >/dev/null
	make -s -C "$ROOT" BUILD="$EGRET_BUILD" uninstall DESTDIR="$T/root of it" PREFIX=/usr
	equal "$(find "root of it" -type f)" ""
}

test_an_installed_tree_still_originates_after_it_was_moved() { # limit=200
	need_library
	need curl
	make -s -C "$ROOT" BUILD="$EGRET_BUILD" install DESTDIR="$T/root" PREFIX=/opt/egret >log 2>&1 || { cat log; exit 1; }
	mkdir elsewhere
	mv root/opt/egret elsewhere/here
	start_tls right --http
	originating www.googleapis.com "$PORT"
	status elsewhere/here/bin/egret run --sandbox=off -- curl -sS --max-time 20 http://www.googleapis.com/
	expect_status 0
	expect plain "GET / HTTP/1.1"
}

test_the_package_is_the_same_from_two_directories_also_with_spaces_in_a_name() { # limit=300
	need_library
	need dpkg-deb
	local place
	for place in one "two/deeper with spaces"; do
		copy_tree "$place"
		SOURCE_DATE_EPOCH=1700000000 make -s -j2 -C "$place" deb >log 2>&1 || { tail -n 20 log; exit 1; }
	done
	cmp one/build/egret_*.deb "two/deeper with spaces"/build/egret_*.deb
	dpkg-deb -c one/build/egret_*.deb >content
	expect content "./usr/bin/egret"
}

test_manual_pages_tell_every_key_command_and_hook() { # quick
	local name pages=$EGRET_BUILD/docs/man
	for name in $(sed -nE 's/^EGRET_KEY\(([a-z0-9_]+),.*/\1/p' "$ROOT/policy/keys.def"); do
		grep -qxF ".B $name" "$pages/egret.ini.5" || fail "egret.ini(5) lacks $name"
	done
	for name in $("$EGRET" help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do expect "$pages/egret.1" ".B egret $name"; done
	expect "$pages/libegret.8" "getaddrinfo"
}

test_manual_pages_are_well_formed() { # quick
	need man
	local page
	for page in "$EGRET_BUILD"/docs/man/*; do equal "$(man --warnings -l "$page" 2>&1 >/dev/null)" ""; done
}

test_completions_are_sound_and_offer_the_commands() { # quick
	. "$EGRET_BUILD/docs/completions/egret.bash"
	COMP_WORDS=(egret ex) COMP_CWORD=1
	_egret
	equal "${COMPREPLY[*]}" explain
	need zsh
	zsh -n "$EGRET_BUILD/docs/completions/_egret"
}

test_a_changed_header_rebuilds_what_includes_it_however_the_build_folder_is_written() { # quick
	local spelling
	for spelling in "$EGRET_BUILD" "$EGRET_BUILD/../${EGRET_BUILD##*/}"; do
		make -n -C "$ROOT" BUILD="$spelling" -W tools/sandbox/link.h -W tests/programs/escapes.h all unit >planned
		expect planned " tools/sandbox/relay.c"
		expect planned " tests/programs/escape_kernel.c"
	done
}
