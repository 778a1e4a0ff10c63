# What the loader does for libegret.so is done in every exec of every covered process: few segments, few relocated pages, and no look-up
# but of what must be another library's where one stands in front of the libc, or is needed before the first hook (preload/libc.def).
. tests/lib/gates.sh
library=$BUILD/lib/egret/libegret.so
early='_IO_list_all __environ environ __errno_location calloc dl_iterate_phdr free malloc malloc_usable_size realloc'
{
	nm -D --undefined-only "$library" | awk '{ sub("@.*", "", $2); print $2 }' | grep -vxF "$(tr ' ' '\n' <<<"$early")" |
		sed 's/$/: it is looked up in every exec; it needs a row in preload\/libc.def/'
	readelf -lW "$library" | awk '$1 == "LOAD" { n++ } END { if (n > 2) print n " segments are mapped" }'
	read -r start size < <(readelf -lW "$library" | awk '$1 == "GNU_RELRO" { print $3, $6 }')
	pages=$(((start + size + 4095) / 4096 - start / 4096))
	[ "$pages" -le 2 ] || echo "$pages pages hold what is relocated"
	read -r size < <(readelf -SW "$library" | sed 's/^ *\[ *[0-9]*\]//' | awk '$1 == ".data" { print "0x" $5 }')
	[ $((size)) -le 4096 ] || echo "what every process writes fills more than a page: .data has $((size)) bytes"
} | none "exec has become dearer"
