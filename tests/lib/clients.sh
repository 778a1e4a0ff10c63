# Which clients the tests know, by the tests' names. Sourced by tests/clients.sh and by the gate that keeps docs/clients.md whole.

clients_of_tests() {
	sed -nE 's/^test_(plaintext_of_)?([a-z0-9_]+)_(is_tls_on_the_wire|(is|are)_told_of_a_refusal|holds?_under_load)\(\).*/\2/p' \
		tests/e2e/clients_*.sh | awk '!seen[$0]++'
}
