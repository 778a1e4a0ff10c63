. tests/lib/gates.sh
. tests/lib/clients.sh
diff <(sed -nE 's/^\| ([^|]*) \| (yes|no|not|–).*/\1/p' docs/clients.md | sort) <(clients_of_tests | tr _ ' ' | sort) |
	grep '^[<>]' | none "docs/clients.md (<) and the tests (>) differ; write it anew with tests/clients.sh"
