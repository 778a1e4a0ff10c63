# Neither a fortified build, which renames functions, nor another compiler may drop or add an export.
. tests/lib/gates.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hooked_symbols >"$work/table"

# differs NAME LIBRARY: one line for each difference between what LIBRARY exports and the table.
differs() {
	nm -D --defined-only "$2" | awk '{ print $NF }' | sort >"$work/exports"
	comm -3 --output-delimiter='|' "$work/exports" "$work/table" | sed -E "s,^\\|(.*),$1: \\1 is missing,; t; s,^(.*),$1: \\1 is not in hooks.def,"
}

# built NAME COMPILER FLAGS...: the library anew with an exports.o made so; all else as it was built.
built() {
	local name=$1 cc=$2 rest
	shift 2
	command -v "$cc" >/dev/null || return 0
	make -s BUILD="$work/$name" CC="$cc" CFLAGS="$*" "$work/$name/obj/preload/exports.o" 2>&1 || return 0
	mapfile -t rest < <(objects preload | grep -v '/exports\.o$')
	cc -shared -nostartfiles -Wl,--version-script=preload/libegret.map -Wl,--gc-sections -o "$work/$name.so" "$work/$name/obj/preload/exports.o" \
		"${rest[@]}" "$BUILD/libegret-policy.a" -Wl,--unresolved-symbols=ignore-all \
		-Wl,--exclude-libs,ALL 2>&1 || return 0
	differs "$name" "$work/$name.so"
}

{
	differs build "$BUILD/lib/egret/libegret.so"
	built fortified gcc -O2 -D_FORTIFY_SOURCE=2
	built clang clang -O2 -D_FORTIFY_SOURCE=2
} | none "exports and preload/hooks.def differ"
