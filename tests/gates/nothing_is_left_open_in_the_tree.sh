. tests/lib/gates.sh
rooms='policy preload tools tests examples docs Makefile'
words='TO''DO|FIX''ME|XX''X|HA''CK|not impl''emented|unimpl''emented'
# mktemp's XXXXXX is a pattern, not a word.
# shellcheck disable=SC2086
grep -rnwE "$words" $rooms --include='*.c' --include='*.h' --include='*.def' --include='*.sh' --include='*.py' --include=Makefile |
	none "left open"
