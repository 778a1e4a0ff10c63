# A read() inside the library would meet its own hook. Everything but exports.o calls real.read or the kernel.
. tests/lib/gates.sh
hooked=$(mktemp)
trap 'rm -f "$hooked"' EXIT
# dlopen may be met: its export is a jump to the libc's with one flag less.
hooked_symbols | grep -vx dlopen >"$hooked"
objects preload preload/engine policy | while IFS= read -r object; do
	[ -e "$object" ] || continue
	[ "$(basename "$object")" != exports.o ] || continue
	nm -u "$object" | awk '{print $2}' | grep -xFf "$hooked" | sed "s|^|${object#"$BUILD"/obj/}: |"
done | none "hooked functions called inside the library"
