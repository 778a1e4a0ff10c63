# egret report: what the tables say is what the log says.

sample_log() {
	cat >log <<-'LOG'
	{"time":"t","event":"connect","pid":1,"exe":"/bin/a","verdict":"allow","entry":"web","reason":"entry","protocol":"tcp","host":"a.example","port":443,"address":"192.0.2.1:443"}
	{"time":"t","event":"connect","pid":1,"exe":"/bin/a","verdict":"allow","entry":"web","reason":"entry","protocol":"tcp","host":"a.example","port":443,"address":"192.0.2.1:443"}
	{"time":"t","event":"connect","pid":1,"exe":"/bin/b","verdict":"deny","reason":"no_entry","protocol":"tcp","host":"evil|\"x.example","port":80}
	{"time":"t","event":"tls","pid":1,"host":"a.example","port":443,"version":"TLSv1.3","cipher":"X","resumed":false,"not_after":"2001-01-01T00:00:00Z"}
	{"time":"t","event":"http","pid":1,"verdict":"allow","host":"a.example","method":"GET","path":"/v1/books/7?q=1","status":200,"bytes_received":1,"bytes_sent":10}
	{"time":"t","event":"http","pid":1,"verdict":"allow","host":"a.example","method":"GET","path":"/v1/books/8","status":200,"bytes_received":2,"bytes_sent":20}
	{"time":"t","event":"exec","pid":1,"verdict":"deny","reason":"uncovered","path":"/opt/go/bin/x","error":"is statically linked"}
	not json
	LOG
}

test_report_puts_denials_first_and_adds_up() { # quick
	sample_log
	status "$EGRET" report --format=json log
	expect_status 0
	local filter
	for filter in '.destinations[0].verdict == "deny"' '.destinations[0].destination == "evil|\"x.example:80"' '.destinations[1].count == 2' \
		'.requests == [{"verdict":"allow","method":"GET","host":"a.example","path":"/v1/books","status":"200","rule":"-","count":2,"denied":0,"received":3,"sent":30}]' \
		'.tls[0].version == "TLSv1.3"' '.certificates[0].near == "within 30 days"' \
		'.uncovered[0].program == "/opt/go/bin/x" and .uncovered[0].reason == "is statically linked"' '.unread == 1'; do
		jq -e "$filter" out >/dev/null || fail "not so: $filter, in: $(cat out)"
	done
}

test_report_in_markdown_escapes_what_would_break_a_table() { # quick
	sample_log
	status "$EGRET" report --format=md log
	expect_status 0
	grep -qF '| deny | tcp | evil\|' out || fail "no escaped row: $(cat out)"
}

test_report_of_a_missing_log_fails() { # quick
	status "$EGRET" report nowhere.log
	expect_status 1
}

test_report_reads_any_number_of_logs_and_standard_input() { # quick
	sample_log
	"$EGRET" report --format=json log log - <log 2>err >out
	jq -e '.destinations[0].count == 3 and .lines == 24 and .unread == 3' out >/dev/null || fail "$(cat out)"
}

test_report_shows_what_audit_let_pass_behind_the_denials() { # quick
	sample_log
	echo '{"time":"t","event":"connect","verdict":"allow","audited":true,"entry":"web","reason":"no_entry","protocol":"tcp","host":"c.example","port":1}' >>log
	status "$EGRET" report --format=json log
	jq -e '[.destinations[].verdict] == ["deny", "audit", "allow"]' out >/dev/null || fail "$(cat out)"
}

# flood ROWS: as many destinations that were allowed, and one that was not, at the end.
flood() {
	seq "$1" | sed 's/.*/{"event":"connect","verdict":"allow","protocol":"tcp","host":"h&.example","port":1}/' >log
	echo '{"event":"connect","verdict":"deny","reason":"no_entry","protocol":"tcp","host":"evil.example","port":1}' >>log
}

test_a_flood_of_destinations_hides_no_denial_and_fits_a_job_summary() { # quick
	flood 20000
	status "$EGRET" report --format=json log
	jq -e '.destinations[0].destination == "evil.example:1" and ([.destinations[].count] | add) == 20001 and (.destinations | length) == 4098' out >/dev/null ||
		fail "$(head -c 600 out)"
	status "$EGRET" report --format=md log
	expect out "more rows"
	[ "$(wc -c <out)" -lt 1048576 ] || fail "$(wc -c <out) bytes"
}

test_lines_that_are_cut_or_hostile_are_counted_and_steer_no_terminal() { # quick
	printf '%s\n' '{"event":"connect","verdict":"deny","protocol":"tcp","host":"a' '{' '' '{"event":"connect"' '{"event":' >log
	printf '{"event":"connect","verdict":"deny","protocol":"tcp","host":"a\033[2Jb\tc","port":1}\n' >>log
	head -c 3000000 /dev/zero | tr '\0' x >>log
	printf '\n{"event":"connect","verdict":"allow","protocol":"tcp","host":"last.example","port":1}' >>log
	status "$EGRET" report --format=text log
	expect_status 0
	expect_not out $'\033'
	expect out "last.example:1"
	"$EGRET" report --format=json log 2>err | jq -e '.destinations | length == 2' >/dev/null || fail "not JSON"
}

test_escapes_that_are_none_or_cut_leave_the_report_json() { # quick
	local one back='\\'
	for one in '\q' '\u12' '\u12g4' "$(printf "$back$back%.0s" {1..200})" "x$(printf "$back$back%.0s" {1..200})" "$(printf '\\"\\\\%.0s' {1..200})" "xx$(printf '\\u0041%.0s' {1..90})" \
		"xxx$(printf '\\u0041%.0s' {1..90})"; do
		printf '%s\n' '{"event":"http","verdict":"allow","host":"a.example","method":"GET","path":"'"$one"'","status":200}' >>log
	done
	"$EGRET" report --format=json log >out
	equal "$(jq '[.requests[].count] | add' out)" 8
	jq -r '.requests[].path' out >paths
	expect_not paths '\u'
}

# crowd LINES: so many events of every kind; hosts, paths, programs, certificates and reasons without end.
crowd() {
	seq "$1" | awk '{
		at = "{\"time\":\"2026-01-01T00:00:00Z\",\"pid\":1,\"exe\":\"/bin/p" $1 "\","
		if ($1 % 4 == 0) print at "\"event\":\"http\",\"verdict\":\"allow\",\"host\":\"h" $1 ".example\",\"method\":\"GET\",\"path\":\"/a" $1 "/b\",\"status\":200}"
		else if ($1 % 4 == 1) print at "\"event\":\"tls\",\"host\":\"h" $1 ".example\",\"port\":443,\"version\":\"TLSv1.3\",\"cipher\":\"c" $1 "\",\"not_after\":\"2001-01-01T00:00:00Z\"}"
		else print at "\"event\":\"connect\",\"verdict\":\"deny\",\"reason\":\"r" $1 "\",\"protocol\":\"tcp\",\"host\":\"h" $1 ".example\",\"port\":80}" }'
}

test_a_report_of_a_crowd_needs_no_more_memory_than_one_of_a_few() { # limit=120
	crowd 300000 >log
	(ulimit -v 60000 && exec "$EGRET" report --format=json log) >out 2>err || fail "$(cat err)"
	jq -e '.lines == 300000 and .unread == 0 and ([.programs[].count] | add) == 225000 and ([.destinations[].count] | add) == 150000' out >/dev/null ||
		fail "$(head -c 400 out)"
}

test_a_terminal_is_shown_how_far_a_large_report_is() { # limit=120
	need script
	yes '{"event":"connect","verdict":"allow","protocol":"tcp","host":"a.example","port":1}' | head -n 1000000 >log || true
	script -qec "'$EGRET' report log >out" typescript >/dev/null </dev/null
	tr '\r' '\n' <typescript >shown
	expect shown "500000 lines"
	expect shown "1000000 lines"
	expect out "1000000"
	"$EGRET" report log 2>err >out
	[ ! -s err ] || fail "no terminal, and yet: $(cat err)"
}

test_report_counts_programs_tls_versions_and_certificates_by_how_near_they_end() { # quick
	local soon late
	soon=$(date -u -d '+20 days' +%FT%TZ) late=$(date -u -d '+40 days' +%FT%TZ)
	cat >log <<-LOG
	{"event":"connect","exe":"/bin/a","verdict":"allow","protocol":"tcp","host":"a.example","port":443}
	{"event":"connect","exe":"/bin/b","verdict":"allow","protocol":"tcp","host":"a.example","port":443}
	{"event":"connect","exe":"/bin/b","verdict":"deny","protocol":"tcp","host":"b.example","port":443}
	{"event":"tls","host":"a.example","port":443,"version":"TLSv1.2","cipher":"X","resumed":false,"not_after":"$soon"}
	{"event":"tls","host":"b.example","port":443,"version":"TLSv1.3","cipher":"Y","resumed":true,"not_after":"$late"}
	{"event":"tls","host":"b.example","port":443,"version":"TLSv1.3","cipher":"Y","resumed":true,"not_after":"$late"}
	{"event":"http","verdict":"allow","host":"b.example","method":"GET","path":"/x","status":200,"version":"TLSv1.3","cipher":"Y"}
	LOG
	"$EGRET" report --format=json log >out
	local filter
	for filter in '[.programs[] | {(.program): .count}] | add == {"/bin/b": 2, "/bin/a": 1}' \
		'[.tls[] | [.version, .cipher, .resumed, .count]] | sort == [["TLSv1.2", "X", "false", 1], ["TLSv1.3", "Y", "true", 2]]' \
		'[.certificates[] | select(.near == "within 30 days") | .host] | length == 1'; do
		jq -e "$filter" out >/dev/null || fail "not so: $filter, in: $(cat out)"
	done
}

test_a_packed_log_is_told_from_a_broken_one() { # quick
	sample_log
	gzip -c log >log.1.gz
	status "$EGRET" report log.1.gz log
	expect_status 1
	expect err "log.1.gz: it is compressed by gzip; to read it: zcat log.1.gz | egret report -"
	expect_not err "log: it is"
	zcat log.1.gz | "$EGRET" report --format=json - log 2>err >out
	jq -e '.lines == 16' out >/dev/null || fail "$(cat out)"
}

test_one_event_is_told_in_the_singular() { # quick
	echo '{"time":"t","event":"connect","verdict":"allow","protocol":"tcp","host":"a.example","port":1}' >log
	"$EGRET" report log >out
	grep -qx '1 event, t to t' out || fail "$(cat out)"
	"$EGRET" report log log >out
	grep -qx '2 events, t to t' out || fail "$(cat out)"
}

test_an_event_behind_one_that_was_cut_is_counted() { # quick
	local cut whole='{"time":"2026-01-01T00:00:00.000000Z","event":"connect","pid":2,"verdict":"deny","protocol":"tcp","host":"evil.example","port":1}'
	for cut in '{"time":"2026-01-01T00:00:00.000000Z","event":"ht' '{"time":"2026-01-01T00:00:00.000000Z","event":"http","pid":1' '{"time":"2026-01-01T00:00:00.000000Z","event":"connect","verdict":"allow","port":' \
		'{"time":"2026-01-01T00:00:00.000000Z","event":"http","path":"/a\' '{'; do
		printf '%s%s\n' "$cut" "$whole" >>log
	done
	printf '%s' '{"time":"2026-01-01T00:00:00.000000Z","event":"connect","verdict":"deny","host":"{\"time\":\"x\",\"event\":\"connect\",\"verdict\":\"allow\"' >>log
	"$EGRET" report --format=json log 2>err >out
	jq -e '.destinations == [{"verdict":"deny","protocol":"tcp","destination":"evil.example:1","entry":"-","reason":"-","count":5,"denied":5,"received":0,"sent":0}] and
		.requests == [] and .lines == 11 and .unread == 6' out >/dev/null || fail "$(cat out)"
	"$EGRET" report log 2>err >out
	expect out "5 events, 6 lines that are none, 2026"
	expect err "6 lines are no events in JSON, or cut; log_format = json is what is counted"
}

test_a_log_that_another_program_wrote_anew_is_read_as_it_was() { # quick
	sample_log
	sed '$d' log >all
	jq '. + {"new": {"verdict": ["{", "]\"}", {"event": "http"}]}, "entry": (.entry // null), "flag": true, "n": -1.5e+3}' -c all >nested
	python3 -c 'import json, sys
for line in sys.stdin: print(" ", json.dumps(json.loads(line)), "\r", sep="")' <nested >spaced
	"$EGRET" report --format=json all >as_it_was
	"$EGRET" report --format=json nested >out
	diff as_it_was out || fail "not the same"
	"$EGRET" report --format=json spaced >out
	diff as_it_was out || fail "not the same"
}

test_sums_that_no_number_holds_stay_at_the_largest() { # quick
	local bytes
	for bytes in 18446744073709551615 1 99999999999999999999999999; do
		echo '{"event":"close","host":"a.example","port":1,"bytes_received":'"$bytes"',"bytes_sent":1}'
	done >log
	"$EGRET" report --format=json log >out
	expect out '"received":18446744073709551615,"sent":3'
}

test_nothing_in_a_report_in_markdown_becomes_a_link_or_a_formula() { # quick
	local text
	for text in www.evil.example https://evil.example 'a$x$b'; do
		echo '{"event":"http","verdict":"deny","host":"a.example","method":"GET","path":"'"$text"'","status":403}'
	done >log
	"$EGRET" report --format=md log >out
	expect out '| www\.evil.example |'
	expect out '| https\://evil.example |'
	expect out '| a\$x\$b |'
}

test_columns_line_up_behind_text_of_any_language() { # quick
	printf '%s\n' '{"event":"connect","verdict":"allow","protocol":"tcp","host":"éééé.example","port":1}' '{"event":"connect","verdict":"allow","protocol":"tcp","host":"eeee.example","port":1}' >log
	"$EGRET" report log >out
	equal "$(grep -c 'example:1  -  ' out)" 2
}
