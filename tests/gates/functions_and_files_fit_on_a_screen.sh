. tests/lib/gates.sh
find policy preload tools tests examples docs -name '*.c' -o -name '*.h' -o -name '*.sh' | sort | while read -r file; do
	awk -v f="$file" '
		/^[A-Za-z_].*\)[ \t]*$/ { name = $0 }
		/^\{/ { start = NR; signature = name }
		/^\}/ && start { if (NR - start > 60) printf "%s:%d: %d lines: %.70s\n", f, start, NR - start, signature; start = 0 }
		END { if (NR > 500) printf "%s: %d lines\n", f, NR }' "$file"
done | none "a function has at most 60 lines, a file 500"
