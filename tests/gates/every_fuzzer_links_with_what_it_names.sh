# `make fuzz` is no part of `make check`: an object that a fuzzer does not name would be missed when somebody needs it.
. tests/lib/gates.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libdir=/usr/lib/$(gcc -print-multiarch)
cat >"$work/main.c" <<-C
	#include <stddef.h>
	#include <stdint.h>
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
	int main(void) { return LLVMFuzzerTestOneInput((const uint8_t *)"", 0); }
C
for source in tests/fuzz/fuzz_*.c; do
	linked=()
	for part in $(sed -n 's,^// objects: ,,p' "$source"); do linked+=("$BUILD/obj/${part%.c}.o"); done
	for part in $(sed -n 's,^// libs: ,,p' "$source"); do linked+=("$libdir/$part"); done
	gcc -std=gnu11 -D_GNU_SOURCE -I. -isystem /usr/share/include -DLLHTTP_STRICT_MODE=1 -include banned.h -o "$work/fuzz" "$work/main.c" "$source" "${linked[@]}" \
		"$BUILD/libegret-policy.a" "$libdir/libinih.a" "$BUILD/libllhttp.a" -pthread -ldl >"$work/said" 2>&1 || sed "s,^,$source: ," "$work/said"
done | none "fuzzers that do not link"
