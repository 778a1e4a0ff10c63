/* The observer: what of the program passes, what is answered here, and in which order. */
#include "http_test.h"

static void an_allowed_request_passes_unchanged_however_it_is_cut(void **state)
{
	static const char text[] = "POST /ok/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello" GET("/ok/y")
		"POST /ok/z HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n" GET("/ok/w");
	(void)state;
	for (size_t step = 1; step < sizeof(text); step += 1 + step / 8)
		for (size_t takes = 1; takes < 100; takes *= 7) {
			struct egret_http *http = open_entry(0, false);

			assert_true(put(http, text, sizeof(text) - 1, step, takes));
			assert_int_equal(out_len, sizeof(text) - 1);
			assert_memory_equal(out, text, out_len);
			assert_true(hear(http, OK_RESPONSE("aa") OK_RESPONSE("bb") OK_RESPONSE("cc") OK_RESPONSE("dd"), step));
			assert_string_equal(logged, "POST /ok/x 200 - 5/2\nGET /ok/y 200 - 0/2\nPOST /ok/z 200 - 5/2\nGET /ok/w 200 - 0/2\n");
			egret_http_free(http);
		}
}

static void a_denied_request_never_sees_the_wire_byte_by_byte(void **state)
{
	static const char text[] = "POST /no HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_true(put(http, text, sizeof(text) - 1, 1, 1));
	assert_int_equal(out_len, 0);
	assert_true(egret_http_due(http));
	assert_true(say(http, GET("/ok/1")));
	take_local(http);
	assert_non_null(strstr(in, "HTTP/1.1 403 Forbidden\r\n"));
	assert_non_null(strstr(in, "Connection: close\r\n"));
	assert_non_null(strstr(in, "entry ruled (t.ini:1)"));
	assert_false(say(http, GET("/ok/1")));
	assert_int_equal(out_len, 0);
	egret_http_free(http);
	assert_string_equal(strchr(logged, '\n'), "\n");
	assert_non_null(strstr(logged, "POST /no 403 -"));
}

static void behind_a_denied_request_the_next_ones_are_judged(void **state)
{
	static const char text[] = GET("/ok/1") "POST /no HTTP/1.1\r\nHost: a.example\r\nContent-Length: 25\r\n\r\nGET /no HTTP/1.1\r\n\r\n12345"
		"PUT /no HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n" GET("/ok/2") GET("/no") GET("/ok/3");
	(void)state;
	tells = true;
	for (size_t step = 1; step < sizeof(text); step += 1 + step / 4) {
		struct egret_http *http = open_entry(0, false);

		assert_true(put(http, text, sizeof(text) - 1, step, 50));
		out[out_len] = '\0';
		assert_string_equal(out, GET("/ok/1") GET("/ok/2") GET("/ok/3"));
		assert_true(hear(http, OK_RESPONSE("aa") OK_RESPONSE("bb") OK_RESPONSE("cc"), 1));
		assert_null(strstr(in, "Connection"));
		assert_false(egret_http_due(http));
		assert_true(say(http, GET("/ok/4")));
		egret_http_free(http);
		assert_non_null(strstr(logged, "GET /ok/1 200 - 0/2\nPOST /no 403 - 0/"));
	}
	tells = false;
}

static void a_denied_request_that_is_the_connections_last_ends_it(void **state)
{
	static const char *const texts[] = { "GET /no HTTP/1.0\r\n\r\n", "GET /no HTTP/1.1\r\nHost: a.example\r\nConnection: x, close\r\n\r\n",
		"PUT /no HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "GET /no\r\n\r\n",
		"PUT /no HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nX" };
	(void)state;
	tells = true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct egret_http *http = open_entry(0, false);

		assert_true(say(http, texts[i]) && say(http, GET("/ok/1")));
		take_local(http);
		assert_non_null(strstr(in, "Connection: close"));
		assert_false(say(http, GET("/ok/1")));
		assert_int_equal(out_len, 0);
		egret_http_free(http);
	}
	tells = false;
}

static void a_denied_request_among_pipelined_ones_is_answered_in_its_turn(void **state)
{
	(void)state;
	for (size_t step = 1; step < 100; step += 13) {
		struct egret_http *http = open_entry(0, false);

		assert_true(say(http, GET("/ok/1") GET("/ok/2") GET("/no") GET("/ok/3")));
		assert_int_equal(out_len, strlen(GET("/ok/1") GET("/ok/2")));
		assert_false(egret_http_due(http));
		assert_true(hear(http, OK_RESPONSE("aa") OK_RESPONSE("bb"), step));
		assert_true(strstr(in, "aa") < strstr(in, "bb") && strstr(in, "bb") < strstr(in, "403"));
		assert_true(egret_http_due(http));
		egret_http_free(http);
	}
}

static void what_was_judged_is_what_is_sent_also_after_eagain(void **state)
{
	static const char good[] = GET("/ok/1"), other[] = " HTTP/1.1\r\nHost: a.example\r\n\r\nGET /no";
	(void)state;
	for (size_t held = 0; held < 2; held++)
		for (size_t taken = 0; taken < 8; taken++) {
			struct egret_http *http = open_entry(0, false);
			size_t count, told;

			assert_true(put(http, good, held * 4, 4, 0));
			assert_int_equal(egret_http_request(http, good + held * 4, sizeof(good) - 1 - held * 4, &count), EGRET_HTTP_PASS);
			told = send_out(http, good + held * 4, count, taken);
			assert_int_equal(told, taken > held * 4 ? taken - held * 4 : 0);
			assert_int_equal(out_len, taken);
			put(http, other, sizeof(other) - 1, 99, 99);
			assert_int_equal(out_len, taken);
			egret_http_free(http);
		}
}

static void half_a_head_is_dropped_and_logged_when_the_program_ends(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_true(say(http, GET("/ok/1") "GET /ok/2 HTTP/1.1\r\nHost: a."));
	egret_http_finish_requests(http);
	assert_int_equal(out_len, strlen(GET("/ok/1")));
	assert_string_equal(logged, "GET /ok/2 0 DC 0/0\n");
	assert_true(hear(http, OK_RESPONSE("aa"), 99));
	egret_http_free(http);
	assert_string_equal(logged, "GET /ok/2 0 DC 0/0\nGET /ok/1 200 - 0/2\n");
}

static void requests_that_servers_read_in_two_ways_do_not_pass(void **state)
{
	static const char *const texts[] = {
		"GET /ok/1 HTTP/1.1\nHost: a.example\n\n",
		"GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nX: y\nZ: z\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nX: y\r\n folded\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nX : y\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nX: a\rb\r\n\r\n",
		"GET  /ok/1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"GET /ok/1 HTTP/1.2\r\nHost: a.example\r\n\r\n",
		"GET /ok/1\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\n\r\n",
		"FROB /ok/1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: +5\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5, 5\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding*: x\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer_Encoding: chunked\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent.Length: 5\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
		"POST /ok/1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"\r\nGET /ok/1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
	};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
		struct egret_http *http = open_entry(0, false);

		put(http, texts[i / 2], strlen(texts[i / 2]), i % 2 ? 1 : 4096, 4096);
		if (out_len)
			print_error("passed: %s\n", texts[i / 2]);
		assert_int_equal(out_len, 0);
		take_local(http);
		assert_non_null(strstr(in, "HTTP/1.1 400 "));
		assert_false(say(http, GET("/ok/1")));
		assert_non_null(strstr(logged, "400 DPE"));
		egret_http_free(http);
	}
}

static void a_nul_in_a_head_does_not_pass(void **state)
{
	static const char text[] = "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n";
	struct egret_http *http = open_entry(0, false);

	(void)state;
	put(http, text, sizeof(text) - 1, 4096, 4096);
	assert_int_equal(out_len, 0);
	assert_true(egret_http_due(http));
	egret_http_free(http);
}

static void a_huge_head_does_not_pass(void **state)
{
	static char text[1 << 20];
	struct egret_http *http = open_entry(0, false);

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /ok/1 HTTP/1.1\r\nX: ", 23);
	put(http, text, sizeof(text), 1000, 4096);
	assert_int_equal(out_len, 0);
	assert_true(egret_http_due(http));
	egret_http_free(http);
}

static void chunks_that_lie_break_the_connection(void **state)
{
	static const char *const bodies[] = { "5\nhello", "5\r\nhelloX", "-1\r\n", "0x5\r\nhello", "5 \r\nhello", "1000000000000000\r\n", "0\r\n\n", "0\r\nno field\r\n\r\n",
		"0\r\n: x\r\n\r\n", "0\r\nA: b\r\n folded\r\n\r\n",
		/* extensions and trailers that servers read in different ways */
		"5;a=\"b\rc\"\r\nhello", "5;a=\"b;c\"\r\nhello", "5;\r\nhello", "5;a\x80\r\nhello", "5; a\r\nhello", "5;a\nhello",
		"0\r\nContent-Length: 5\r\n\r\n", "0\r\nTransfer_Encoding: chunked\r\n\r\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct egret_http *http = open_entry(0, false);
		size_t before;

		assert_true(say(http, "POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"));
		before = out_len;
		say(http, bodies[i]);
		assert_int_equal(out_len, before);
		say(http, GET("/ok/1"));
		assert_int_equal(out_len, before);
		egret_http_free(http);
	}
}

static void of_a_request_whose_body_is_malformed_the_log_tells_what_left_and_what_did_not(void **state)
{
	static const char head[] = "POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct egret_http *http = open_entry(0, false);
	size_t count;

	(void)state;
	say(http, GET("/ok/0"));
	say(http, head); /* the head left, and three bytes; the server has not answered */
	say(http, "3\r\nabc\r\n");
	say(http, "x\r\n");
	assert_true(hear(http, OK_RESPONSE("aa"), 99));
	take_local(http);
	assert_non_null(strstr(in, "HTTP/1.1 400 "));
	egret_http_free(http);
	assert_string_equal(verdicts, "aad");
	assert_non_null(strstr(logged, "POST /ok/1 0 DPE 3/0\nGET /ok/0 200 - 0/2\n- - 400 DPE 0/"));
	http = open_entry(0, false); /* the server is answering */
	say(http, head);
	hear(http, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 99);
	assert_false(say(http, "x\r\n"));
	egret_http_free(http);
	assert_string_equal(verdicts, "da");
	assert_string_equal(logged, "- - 0 DPE 0/0\nPOST /ok/1 200 DPE 0/2\n");
	http = open_entry(0, false); /* it has answered */
	say(http, head);
	assert_true(hear(http, OK_RESPONSE("aa"), 99));
	assert_false(say(http, "x\r\n"));
	egret_http_free(http);
	assert_string_equal(verdicts, "ad");
	assert_string_equal(logged, "POST /ok/1 200 - 0/2\n- - 0 DPE 0/0\n");
	http = open_entry(0, false); /* it changes its mind before a byte left: nothing did */
	assert_int_equal(egret_http_request(http, head, sizeof(head) - 1, &count), EGRET_HTTP_PASS);
	send_out(http, head, count, 0);
	say(http, "GET /no/1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
	take_local(http);
	assert_int_equal(out_len, 0);
	assert_string_equal(verdicts, "d");
	assert_non_null(strstr(logged, "POST /ok/1 400 DPE 0/"));
	egret_http_free(http);
}

static void a_body_that_reads_like_a_request_passes_only_where_bodies_are_read(void **state)
{
	static const char *const poses[] = { "GET /no/1 HTTP/1.1\r\n\r\n", "\r\n\r\nGET /no/1\r\n", " \t x \v /no", "FROB\xa0/", "a\x85*", "get http://a.example/no/1", "a HTTP://" };
	static const char *const others[] = { "{\"query\": \"GET /no/1 HTTP/1.1\"}", "a=b /no", "[1, 2]", "word", "two words", "/no/1", "one\ttwo:/ x", "", "\r\n<a b=/>", "a http:x /b" };
	static const char *const methods[] = { "GET", "HEAD", "DELETE", "OPTIONS", "TRACE" };

	(void)state;
	for (size_t i = 0; i < 2 * 5 * (7 + 10); i++) {
		const char *pose = i / 10 < 7 ? poses[i / 10] : others[i / 10 - 7];
		bool refused = i / 10 < 7;
		struct egret_http *http = open_entry(0, false);
		char text[256];
		size_t len = (size_t)snprintf(text, sizeof(text), "%s /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: %zu\r\n\r\n%s",
					      methods[i / 2 % 5], strlen(pose), pose);

		put(http, text, len, i % 2 ? 1 : 4096, 4096);
		out[out_len] = '\0';
		if (refused == !strcmp(out, text))
			print_error("%s: %s\n", refused ? "passed" : "did not pass", text);
		assert_int_equal(refused, strcmp(out, text) != 0);
		egret_http_free(http);
		assert_int_equal(refused, strchr(verdicts, 'd') != NULL);
	}
	for (size_t i = 0; i < 2; i++) { /* a method whose body means something; an entry without rules */
		struct egret_http *http = open_entry(i, false);

		assert_true(say(http, i ? "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\nGET /x" :
				"POST /ok/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\nGET /x"));
		assert_true(say(http, GET("/ok/2")));
		assert_int_equal(memcmp(out + out_len - strlen(GET("/ok/2")), GET("/ok/2"), strlen(GET("/ok/2"))), 0);
		egret_http_free(http);
	}
}

static void http_2_passes_only_where_it_was_configured_and_no_rules_are(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct egret_http *http = open_entry(i & 1, i / 2 > 0);
		bool passes = (i & 1) && i / 2 > 0;

		put(http, preface, sizeof(preface) - 1, i / 2 == 2 ? 1 : 99, 99);
		assert_int_equal(out_len, passes ? sizeof(preface) - 1 : 0);
		egret_http_free(http);
	}
}

static void ten_thousand_fields_do_not_pass(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	say(http, "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\n");
	for (size_t i = 0; i < 10000; i++)
		say(http, "A: b\r\n");
	say(http, "\r\n");
	assert_int_equal(out_len, 0);
	assert_true(egret_http_due(http));
	egret_http_free(http);
}

/* What TEXT alone makes, and what it makes behind FIRST. */
static void compare_behind(const char *first, const char *text)
{
	struct egret_http *alone = open_entry(0, false), *behind;
	char told[sizeof(logged)], sent[512];
	bool goes = say(alone, text);
	size_t len = out_len, before;

	egret_http_free(alone);
	memcpy(told, logged, sizeof(told));
	memcpy(sent, out, len);
	behind = open_entry(0, false);
	assert_true(say(behind, first));
	before = out_len;
	if (before)
		assert_true(hear(behind, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 4096));
	take_local(behind);
	logged[0] = '\0';
	assert_true(say(behind, text) == goes);
	egret_http_free(behind);
	if (out_len - before != len || memcmp(out + before, sent, len) || strcmp(logged, told))
		fail_msg("%s\nbehind\n%s\nalone: %zu bytes, %s\nbehind it: %zu bytes, %s", text, first, len, told, out_len - before, logged);
}

/* What the observer keeps of a request for the next one changes nothing. */
static void a_request_is_read_the_same_whatever_came_before_it(void **state)
{
#define HOST "Host: a.example\r\n"
	static const char *const lines[] = { "GET /ok/1 HTTP/1.1", "GET /ok/2?q HTTP/1.1", "GET /no HTTP/1.1", "HEAD /ok/1 HTTP/1.1", "POST /ok/1 HTTP/1.1",
		"GET /ok/1 HTTP/1.0", "POST /ok/1 HTTP/1.0", "GET /ok/1 HTTP/1.2", "GET /ok/1 HTTP/2.0", "GET  /ok/1 HTTP/1.1", "GET /ok/1  HTTP/1.1", "GET /ok/1",
		"get /ok/1 HTTP/1.1", "FROB /ok/1 HTTP/1.1", "GET /ok/\x80 HTTP/1.1", "GET http://a.example/ok/1 HTTP/1.1", "GET http://b.example/ok/1 HTTP/1.1",
		"GET ok HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT a.example:80 HTTP/1.1" };
	static const char *const fields[] = { HOST, HOST "X: y\r\n", "Host: b.example\r\n", "", HOST HOST, HOST "Content-Length: 0\r\n", HOST "Content-Length: 2\r\n",
		HOST "Transfer-Encoding: chunked\r\n", HOST "Connection: upgrade\r\nUpgrade: x\r\n", HOST "Upgrade: h2c\r\n", HOST "X : y\r\n", HOST "\r\n" HOST };
	static const char *const firsts[] = { GET("/ok/1"), "GET /ok/1 HTTP/1.1\r\n" HOST "X: y\r\n\r\n", "HEAD /ok/1 HTTP/1.1\r\n" HOST "\r\n",
		"GET /ok/1 HTTP/1.0\r\n" HOST "\r\n", "GET /ok/1 HTTP/1.0\r\n\r\n", "POST /ok/1 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
		"POST /ok/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\naa", "POST /ok/1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: x\r\n\r\n", GET("/no"), "GET /ok/1 HTTP/1.1\r\nHost: b.example\r\n\r\n" };
	const size_t line_count = sizeof(lines) / sizeof(lines[0]), field_count = sizeof(fields) / sizeof(fields[0]);
	(void)state;
	for (size_t i = 0; i < line_count * field_count; i++) {
		char text[256];

		tells = true;
		snprintf(text, sizeof(text), "%s\r\n%s\r\n2\r\n", lines[i % line_count], fields[i / line_count]);
		for (size_t first = 0; first < sizeof(firsts) / sizeof(firsts[0]); first++)
			compare_behind(firsts[first], text);
	}
	tells = false;
}

static void a_head_within_another_one_is_not_taken_for_the_last_again(void **state)
{
	struct egret_http *http = open_entry(0, false);
	size_t before;

	(void)state;
	assert_true(say(http, GET("/ok/1")));
	before = out_len;
	say(http, "POST /no HTTP/1.1\r\nHost: a.example\r\nX: ");
	say(http, GET("/ok/1"));
	assert_int_equal(out_len, before);
	egret_http_free(http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_request_passes_unchanged_however_it_is_cut),
		cmocka_unit_test(a_denied_request_never_sees_the_wire_byte_by_byte),
		cmocka_unit_test(behind_a_denied_request_the_next_ones_are_judged),
		cmocka_unit_test(a_denied_request_that_is_the_connections_last_ends_it),
		cmocka_unit_test(a_denied_request_among_pipelined_ones_is_answered_in_its_turn),
		cmocka_unit_test(what_was_judged_is_what_is_sent_also_after_eagain),
		cmocka_unit_test(half_a_head_is_dropped_and_logged_when_the_program_ends),
		cmocka_unit_test(requests_that_servers_read_in_two_ways_do_not_pass),
		cmocka_unit_test(a_nul_in_a_head_does_not_pass),
		cmocka_unit_test(a_huge_head_does_not_pass),
		cmocka_unit_test(chunks_that_lie_break_the_connection),
		cmocka_unit_test(of_a_request_whose_body_is_malformed_the_log_tells_what_left_and_what_did_not),
		cmocka_unit_test(a_body_that_reads_like_a_request_passes_only_where_bodies_are_read),
		cmocka_unit_test(http_2_passes_only_where_it_was_configured_and_no_rules_are),
		cmocka_unit_test(ten_thousand_fields_do_not_pass),
		cmocka_unit_test(a_request_is_read_the_same_whatever_came_before_it),
		cmocka_unit_test(a_head_within_another_one_is_not_taken_for_the_last_again),
	};
	return cmocka_run_group_tests(tests, load, NULL);
}
