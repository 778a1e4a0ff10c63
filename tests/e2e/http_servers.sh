# Web servers of the world behind http entries with rules: what a program gets through egret is what the server gives over TLS.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

URL=http://www.googleapis.com

# ask PATH [CONFIG-LINE...]: one more request of the series, in the words of curl's configuration files.
ask() {
	local path=$1
	shift
	COUNT=$((COUNT + 1))
	{
		[ $COUNT = 1 ] || echo next
		printf '%s\n' silent show-error "max-time = 30" "url = $BASE/ok/$path" "output = $DIR/$COUNT.body" "dump-header = $DIR/$COUNT.head" \
			"cacert = $CERTS/ca.pem" "connect-to = www.googleapis.com:443:127.0.0.1:$PORT" http1.1 \
			'write-out = "%{http_code} %{size_download} %{num_connects}\n"' "$@"
	} >>"$DIR/config"
}

# series BASE NAME: over one connection, what real servers do with requests of all kinds; into $T/NAME, summed up in $T/NAME.sum.
series() {
	local BASE=$1 DIR=$T/$2 COUNT=0 one
	mkdir -p "$DIR"
	head -c 200000 /dev/zero | tr '\0' u >"$T/upload"
	ask small
	ask big
	ask big head
	ask big 'range = 10-20'
	ask text.txt 'range = 0-1,5-6'
	ask text.txt compressed
	ask missing
	ask folder
	ask small 'header = "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT"'
	ask small 'request = OPTIONS'
	ask small 'request = DELETE'
	ask up/one "data-binary = @$T/upload"
	ask up/two "data-binary = @$T/upload" 'header = "Transfer-Encoding: chunked"'
	ask up/three "data-binary = @$T/upload" 'header = "Expect: 100-continue"'
	[ "$WEB" = lighttpd ] || ask up/chunked # 1.4.69 makes of a trailer a field that ends in CR CR LF, which RFC 9112 2.2 calls invalid
	ask up/none
	ask up/flood
	ask up/four head
	ask up/unmodified
	ask up/old
	ask "small?a=b"
	ask up/five "data-binary = @$T/www/ok/big"
	ask small http1.0
	"${@:3}" curl --config "$DIR/config" >"$DIR.sum" 2>"$DIR.err" || fail "$(cat "$DIR.err")"
	for one in $(seq "$COUNT"); do
		tr -d '\r' <"$DIR/$one.head" | sed -E '/^(date|server|etag|keep-alive|last-modified):/Id; s/boundary=.*//; s/; */;/; /^$/d' | uniq
		[ "$one" = 5 ] || [ ! -e "$DIR/$one.body" ] || grep -aq '^HTTP/' "$DIR/$one.body" || md5sum <"$DIR/$one.body" # of HEAD it is the head
	done >>"$DIR.sum"
}

# same_as_direct SERVER: and each is logged, with curl's count of its bytes.
same_as_direct() {
	need_library
	WEB=$1
	start_web "$WEB"
	governing tls
	series https://www.googleapis.com direct
	: >"$T/log"
	series $URL covered covered
	diff "$T/direct.sum" "$T/covered.sum" >"$T/diff" || fail "$(cat "$T/diff")"
	expect "$T/covered.sum" "200 3000000 0"
	equal "$(jq -r 'select(.event == "http") | "\(.status) \(.bytes_sent)"' "$T/log")" "$(grep -aE '^[0-9]{3} [0-9]+ [0-9]+$' "$T/covered.sum" | cut -d' ' -f1,2)"
	equal "$(jq -rs 'map(select(.event == "http" and (.flags != null or .error != null or .verdict != "allow"))) | length' "$T/log")" 0
}

test_nginx_behind_rules_answers_as_it_does_directly() {
	same_as_direct nginx
}

test_apache_behind_rules_answers_as_it_does_directly() {
	same_as_direct apache
}

test_lighttpd_behind_rules_answers_as_it_does_directly() {
	same_as_direct lighttpd
}

# loaded SERVER COMMAND...: each of its requests, counted by the server's statuses in the log, passed.
loaded() {
	local count
	need_library
	start_web "$1"
	governing tls
	shift
	covered "$@" >"$T/out" 2>"$T/err" || fail "$(cat "$T/err")"
	count=$(jq -rs 'map(select(.event == "http" and .status == 200 and .bytes_sent == 5)) | length' "$T/log")
	equal "$(jq -rs 'map(select(.event == "http" and .flags != "DC")) | length' "$T/log")" "$count"
	LOGGED=$count
}

test_ab_holds_with_apache_behind_rules() {
	need ab
	loaded apache ab -q -k -c 4 -n 400 $URL/ok/small
	expect "$T/out" "Complete requests:      400"
	expect "$T/out" "Failed requests:        0"
	[ "$LOGGED" -ge 400 ] || fail "$LOGGED lines"
}

test_wrk_holds_with_lighttpd_behind_rules() {
	need wrk
	loaded lighttpd wrk -t 2 -c 4 -d 1 $URL/ok/small
	expect_not "$T/out" "Non-2xx"
	expect_not "$T/out" "Socket errors"
	[ "$LOGGED" -ge 10 ] || fail "$LOGGED lines"
}

test_the_usual_clients_read_apaches_compressed_answers() {
	local programs=$ROOT/tests/e2e/programs client
	need python3
	need node
	need ruby
	need perl
	need wget
	need_library
	start_web apache
	governing tls
	for client in "python3 $programs/fetch.py requests" "python3 $programs/fetch.py http_client" "node $programs/fetch.mjs agent 1" "node $programs/fetch.mjs fetch 1" \
		"perl $programs/fetch.pl" "ruby $programs/fetch.rb" "wget -q --compression=auto -O-"; do
		# shellcheck disable=SC2086
		covered $client $URL/ok/text.txt >"$T/out" 2>"$T/err" || fail "$client: $(cat "$T/err")"
		cmp "$T/out" "$T/www/ok/text.txt" || fail "$client"
	done
	equal "$(jq -rs 'map(select(.event == "http" and .status == 200 and .flags == null)) | length' "$T/log")" 7
}
