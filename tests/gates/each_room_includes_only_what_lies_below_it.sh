# preload -> policy <- tools; the sandbox's relay also uses the engine, the wire and the observer.
. tests/lib/gates.sh

# includes FOLDER: "file: header" of every include of ours, by its path from the top.
includes() {
	local file header
	grep -rnoE '^#include "[^"]+"' "$1" --include='*.[ch]' | sed -E 's/:[0-9]+:#include "(.*)"/ \1/' | while read -r file header; do
		if [ -e "$header" ]; then echo "$file: $header"; else echo "$file: $(dirname "$file")/$header"; fi
	done
}

shared='preload/(wire|engine|engine_load|memory|http|observed|sni|dns|buf|elf|hook_types|starttls|wire_[a-z]+|http_[a-z]+)\.h'
{
	includes policy | grep -vE ': (policy/|banned\.h)'
	includes preload | grep -vE ': (preload/|policy/|banned\.h)'
	includes tools | grep -vE ": (tools/|policy/|banned\.h|$shared)"
	grep -rnE '#include <openssl/' policy preload tools --include='*.[ch]' | grep -v '^preload/engine/'
} | none "includes that point upwards"
