# What tests/run is made of: finding the tests, and counting what they said. Sourced.

# True when NAME fits the pattern that the user gave.
wanted() {
	[[ $1 =~ $EGRET_TEST_PATTERN ]]
}

# A binary is run when its file name or one of its source's names fits; one.sh then tells only the fitting results.
list_units() {
	local source name
	for source in tests/unit/*.c; do
		[ -e "$source" ] || continue
		name=$(basename "$source" .c)
		if wanted "$name" || grep -qE -- "$EGRET_TEST_PATTERN" "$source"; then
			echo "unit $source $name 120"
		fi
	done
}

list_gates() {
	local file name
	for file in tests/gates/*.sh; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .sh)
		wanted "$name" && echo "gate $file $name 120"
	done
	return 0
}

# list_shell_tests QUICK together|alone
list_shell_tests() {
	local file line name limit
	for file in tests/e2e/*.sh tests/escapes/*.sh tests/conformance/*.sh; do
		grep -qs -- "$EGRET_TEST_MARKED" "$file" || continue
		grep -E '^test_[a-z0-9_]+\(\)' "$file" | while read -r line; do
			name=${line%%(*}
			name=${name#test_}
			wanted "$name" || continue
			case "$1 $line" in "1 "*"# "*quick*) ;; "1 "*) continue ;; esac
			case "$2 $line" in
			"alone "*"# "*alone*) ;;
			"alone "*) continue ;;
			"together "*"# "*alone*) continue ;;
			esac
			limit=60
			[[ $line =~ limit=([0-9]+) ]] && limit=${BASH_REMATCH[1]}
			limit=${EGRET_TEST_LIMIT:-$limit}
			echo "shell $file $name $limit"
		done
	done
}

# RESULTS holds one word a test: pass, fail, skip.
tally() {
	local pass fail skip
	pass=$(grep -c '^pass' "$1")
	fail=$(grep -c '^fail' "$1")
	skip=$(grep -c '^skip' "$1")
	if [ "$fail" != 0 ]; then
		echo "failed:"
		sed -n 's/^fail /  /p' "$1"
	fi
	if [ "$skip" = 0 ]; then echo "$pass passed, $fail failed"; else echo "$pass passed, $fail failed, $skip skipped"; fi
	[ "$fail" = 0 ]
}
