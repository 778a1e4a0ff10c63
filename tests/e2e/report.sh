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
		'.requests == [{"verdict":"allow","method":"GET","host":"a.example","path":"/v1/books","status":"200","count":2,"denied":0,"received":3,"sent":30}]' \
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
