# What the gates share. A gate is a script whose name is its promise; it fails by printing what breaks it.
set -u
BUILD=${EGRET_BUILD:-build}

# hooked_symbols: what the table says libegret.so exports, sorted.
hooked_symbols() {
	sed -nE 's/^(HOOK|HAND)\(//p' preload/hooks.def | sed -E 's/^[^,]*, *([A-Za-z0-9_]+) *,.*/\1/' | sort -u
}

# objects FOLDER...: what was compiled from the sources that are there; a renamed one leaves its object behind.
objects() {
	local folder object
	for folder; do
		for object in "$BUILD/obj/$folder"/*.o; do
			[ ! -e "$folder/$(basename "$object" .o).c" ] || echo "$object"
		done
	done
}

# none TEXT: ends well when standard input is empty, else tells TEXT and what came.
none() {
	local found
	found=$(cat)
	[ -z "$found" ] && return 0
	printf '%s:\n%s\n' "$1" "$found"
	exit 1
}
