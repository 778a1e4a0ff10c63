. tests/lib/gates.sh
{
	grep -hoE '^test_[a-z0-9_]+\(\)' tests/e2e/*.sh tests/escapes/*.sh tests/conformance/*.sh 2>/dev/null
} | sort | uniq -d | none "two tests of one name"
