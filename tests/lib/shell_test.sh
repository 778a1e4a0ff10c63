# shell_test.sh FILE FUNCTION: the process in which one shell test runs. Called by one.sh, in a session of its own.
set -euE -o pipefail
trap 'echo "failed: $BASH_COMMAND (${BASH_SOURCE[0]}:$LINENO)" >&2' ERR
. tests/lib/harness.sh
[ -z "${EGRET_SANITIZER:-}" ] || . tests/lib/sanitized.sh
. "$1"
cd "$EGRET_TEST_DIR"
"$2"
