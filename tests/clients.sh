#!/usr/bin/env bash
# Writes docs/clients.md from what the tests of clients say: `tests/clients.sh >docs/clients.md` (or with the saved output of tests/run as $1).
#
# A client's tests are named plaintext_of_CLIENT_is_tls_on_the_wire, CLIENT_is_told_of_a_refusal (are_told) and CLIENT_holds_under_load.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/clients.sh

results=$(mktemp)
trap 'rm -f "$results"' EXIT
if [ $# = 1 ]; then cp "$1" "$results"; else tests/run "plaintext_of|told_of_a_refusal|under_load" >"$results" || true; fi

# said SENTENCE: yes, no, or why not.
said() {
	local line
	line=$(grep -E "^(not )?ok $1( #|$)" "$results" | head -n 1)
	case $line in
	'') echo – ;;
	'not ok'*) echo no ;;
	*'# skip: '*) echo "not tried: ${line#*# skip: }" ;;
	*) echo yes ;;
	esac
}

cat <<'TEXT'
# Clients, tried

Written by `tests/clients.sh >docs/clients.md` from the results of the tests, on Debian 12. Each program is the distribution's own and runs
unchanged under `egret run`, the preload layer alone, against its real server.

- *TLS on the wire*: it speaks plaintext, a recorder before the server sees a TLS handshake first and nothing of what was said.
- *refused*: an address and a name that no entry covers are refused before a byte leaves, and the program says so by its own error and exit status.
- *under load*: many connections or large bodies; every answer is counted, every byte compared. – : no such test.

| client | TLS on the wire | refused | under load |
|---|---|---|---|
TEXT
clients_of_tests | while read -r client; do
	name=${client//_/ }
	echo "| $name | $(said "plaintext of $name is tls on the wire") | $(said "$name (is|are) told of a refusal") | $(said "$name holds? under load") |"
done
