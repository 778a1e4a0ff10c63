/* The observer: what of the server reaches the program, and where a response ends. */
#include "http_test.h"

static void responses_without_a_body_are_known_by_their_request_and_status(void **state)
{
	struct egret_http *http = open_entry(1, false);

	(void)state;
	assert_true(say(http, "HEAD /h HTTP/1.1\r\nHost: a.example\r\n\r\n" GET("/i") GET("/j")));
	assert_true(hear(http, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"
			       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 3));
	assert_string_equal(logged, "HEAD /h 200 - 0/0\nGET /i 204 - 0/0\nGET /j 200 - 0/3\n");
	egret_http_free(http);
}

static void an_end_inside_a_body_is_told_from_one_behind_it(void **state)
{
	struct egret_http *http = open_entry(1, false);

	(void)state;
	assert_true(say(http, GET("/a")) && hear(http, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 9));
	assert_false(egret_http_end(http, EGRET_HTTP_CLOSED));
	egret_http_free(http);
	assert_string_equal(logged, "GET /a 200 UC 0/2\n");
	http = open_entry(1, false);
	assert_true(say(http, GET("/a")) && hear(http, "HTTP/1.1 200 OK\r\n\r\nab", 9));
	assert_true(egret_http_end(http, EGRET_HTTP_CLOSED));
	assert_string_equal(logged, "GET /a 200 - 0/2\n");
	egret_http_free(http);
	http = open_entry(1, false);
	assert_true(say(http, GET("/a")) && hear(http, "HTTP/1.1 200 OK\r\n\r\nab", 9));
	assert_false(egret_http_end(http, EGRET_HTTP_CUT));
	egret_http_free(http);
	http = open_entry(1, false);
	assert_true(say(http, GET("/a")) && hear(http, OK_RESPONSE("ab"), 9));
	assert_true(egret_http_end(http, EGRET_HTTP_CUT));
	egret_http_free(http);
}

static void what_is_asked_behind_the_servers_end_is_flagged_uc(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	say(http, GET("/ok/1"));
	assert_true(hear(http, OK_RESPONSE("aa"), 99));
	assert_true(egret_http_end(http, EGRET_HTTP_CLOSED));
	say(http, GET("/ok/2"));
	egret_http_free(http);
	assert_string_equal(logged, "GET /ok/1 200 - 0/2\nGET /ok/2 0 UC 0/0\n");
}

static void an_answer_that_nobody_asked_for_breaks_where_rules_hold(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_false(hear(http, OK_RESPONSE("ab"), 99));
	egret_http_free(http);
}

static void no_answer_of_ours_takes_the_place_of_a_response_that_is_none(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	tells = true;
	assert_true(say(http, GET("/ok/1") GET("/no")));
	assert_false(hear(http, "no such thing\r\n\r\n", 99));
	assert_false(egret_http_due(http));
	egret_http_free(http);
	tells = false;
}

static void bytes_behind_the_last_response_that_was_asked_for_do_not_reach_the_program(void **state)
{
	static const char text[] = OK_RESPONSE("ab") "HTTP/1.1 200 OK\r\n";
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_true(say(http, GET("/ok/1")));
	assert_int_equal(egret_http_response(http, text, sizeof(text) - 1), strlen(OK_RESPONSE("ab")));
	assert_int_equal(egret_http_response(http, "x", 1), -1);
	assert_false(say(http, GET("/ok/1")));
	egret_http_free(http);
	assert_string_equal(logged, "GET /ok/1 200 - 0/2\n- - 0 UPE 0/0\n");
}

static void protocols_are_switched_only_when_an_allowed_request_asked_for_it(void **state)
{
	static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
	static const char asked[] = "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
	/* RFC 9110 7.8: the option in Connection is what makes it a wish, HTTP/1.0 cannot have one, the answer names the protocol. */
	static const char *const unasked[] = { "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n",
		"GET /ok/1 HTTP/1.0\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n\r\n" };
	static const char *const unnamed[] = { "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n" };
	struct egret_http *http = open_entry(0, false);
	size_t before;

	(void)state;
	assert_true(say(http, GET("/ok/1")));
	before = out_len;
	assert_false(hear(http, switching, 99));
	say(http, "GET /no HTTP/1.1\r\n\r\n");
	assert_int_equal(out_len, before);
	egret_http_free(http);
	for (size_t i = 0; i < sizeof(unasked) / sizeof(unasked[0]); i++) {
		http = open_entry(0, false);
		assert_true(say(http, unasked[i]));
		assert_false(hear(http, switching, 99));
		egret_http_free(http);
	}
	for (size_t i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++) {
		http = open_entry(0, false);
		assert_true(say(http, asked));
		assert_false(hear(http, unnamed[i], 99));
		egret_http_free(http);
	}
	http = open_entry(0, false);
	assert_true(say(http, asked));
	assert_true(hear(http, switching, 7));
	before = out_len;
	assert_true(say(http, "\x81\x01x") && out_len == before + 3);
	egret_http_free(http);
}

static void responses_that_clients_read_in_two_ways_do_not_pass(void **state)
{
	static const char *const texts[] = { "HTTP/1.1 200 OK\r\n\rX", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "HTTP/1.1 200 OK\rA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\rXab", "HTTP/1.1 200 OK\r\nA: b\r\n\x01: c\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\x16\x03\x01\x02" };
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step < 100; step += 98) {
			struct egret_http *http = open_entry(0, false);

			assert_true(say(http, GET("/ok/1")));
			if (hear(http, texts[i], step))
				fail_msg("passed: %s", texts[i]);
			assert_non_null(strstr(logged, "UPE"));
			egret_http_free(http);
		}
}

static void fields_that_end_in_lf_alone_are_read_as_clients_read_them(void **state)
{
	static const char *const texts[] = { "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 2\n\nab",
		"HTTP/1.0 200 OK\nEmpty:\nContent-Length: 2\n\nab", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nA:\nContent-Length: 2\r\n\nab", "HTTP/1.1 200 OK\nA: \x01\x7f\nTransfer-Encoding: chunked\n\n2\r\nab\r\n0\r\nT: u\n\r\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step < 200; step += 60) {
			struct egret_http *http = open_entry(0, false);

			assert_true(say(http, GET("/ok/1") GET("/ok/2")));
			assert_true(hear(http, texts[i], step));
			assert_true(hear(http, OK_RESPONSE("cd"), step));
			egret_http_free(http);
			assert_string_equal(logged, "GET /ok/1 200 - 0/2\nGET /ok/2 200 - 0/2\n");
		}
}

/* What a server took for a field's value, words of the program in it, ends a head here: no switch may stand in it. */
static void no_protocol_is_switched_behind_a_field_that_ended_in_lf_alone(void **state)
{
	static const char upgrade[] = "GET /ok/2 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
	static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
	static const char *const firsts[] = { "HTTP/1.1 204 X\r\nA: b\n\n", "HTTP/1.1 204 X\r\nA: b\nC: d\r\n\r\n", "HTTP/1.1 204 X\r\nA:\n\r\n",
		"HTTP/1.1 204 X\r\nA:\n\n", "HTTP/1.1 204 X\r\nA:\nB: c\r\n\r\n", "HTTP/1.1 204 X\r\nA: \t\n\r\n", "HTTP/1.1 204 X\r\nA: b\r\n c\n\r\n",
		"HTTP/1.1 204 X\r\nA:\n \n\n", "HTTP/1.1 204 X\r\nA: b\r\n \n\n", "HTTP/1.1 204 X\r\nA:\r\n \n\r\n", "HTTP/1.1 204 X\r\nA:\r\nB:\n\n" };
	static const char *const good[] = { "HTTP/1.1 204 X\r\n\r\n", "HTTP/1.1 204 X\r\nA: b\r\nC:\r\n\r\n", "HTTP/1.1 204 X\r\nA:\r\nB: c\r\n\r\n",
		"HTTP/1.1 204 X\r\nA: \t\r\n\r\n", "HTTP/1.1 204 X\r\nA:\r\n \r\n\r\n" };
	struct egret_http *http;
	size_t wrong = sizeof(firsts) / sizeof(firsts[0]), right = sizeof(good) / sizeof(good[0]);

	(void)state;
	for (size_t i = 0; i < wrong + right; i++)
		for (size_t step = 1; step < 100; step++) {
			const char *first = i < wrong ? firsts[i] : good[i - wrong];

			http = open_entry(0, false);
			assert_true(say(http, GET("/ok/1")) && say(http, upgrade));
			assert_true(hear(http, first, step));
			if (hear(http, switching, step) != (i >= wrong))
				fail_msg("%s, step %zu", first, step);
			assert_int_equal(say(http, "\x81"), i >= wrong);
			egret_http_free(http);
		}
}

static void a_nul_in_a_field_does_not_pass(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n";
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_true(say(http, GET("/ok/1")));
	assert_int_equal(egret_http_response(http, text, sizeof(text) - 1), -1);
	egret_http_free(http);
	assert_string_equal(logged, "GET /ok/1 0 UPE 0/0\n");
}

static void what_the_server_sends_unasked_is_logged(void **state)
{
	struct egret_http *http = open_entry(0, false);

	(void)state;
	assert_int_equal(egret_http_response(http, "HTTP/1.1 408 Request Timeout\r\n\r\n", 32), -1);
	egret_http_free(http);
	assert_string_equal(logged, "- - 0 UPE 0/0\n");
}

static void responses_of_old_servers_are_told_apart(void **state)
{
	static const char text[] = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\ncd"
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 \r\n\r\nabc";
	(void)state;
	for (size_t step = 1; step < 300; step += 50) {
		struct egret_http *http = open_entry(0, false);

		assert_true(say(http, GET("/ok/1") GET("/ok/2") GET("/ok/3") GET("/ok/4")));
		assert_true(hear(http, text, step));
		assert_true(egret_http_end(http, EGRET_HTTP_CLOSED));
		egret_http_free(http);
		assert_string_equal(logged, "GET /ok/1 200 - 0/2\nGET /ok/2 200 - 0/2\nGET /ok/3 304 - 0/0\nGET /ok/4 200 - 0/3\n");
	}
}

static size_t times(const char *text, const char *part)
{
	size_t count = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		count++;
	}
	return count;
}

struct heard {
	bool good, whole;
	char in[512], logged[512];
};

static struct heard hear_one(struct egret_http *http, const char *request, const char *response, size_t step)
{
	struct heard heard = { .good = false };

	in_len = 0;
	logged[0] = in[0] = '\0';
	assert_true(say(http, request));
	heard.good = hear(http, response, step);
	heard.whole = egret_http_end(http, EGRET_HTTP_CLOSED);
	egret_http_free(http);
	snprintf(heard.in, sizeof(heard.in), "%s", in);
	snprintf(heard.logged, sizeof(heard.logged), "%s", logged);
	return heard;
}

#define HEAD_200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

/* What the observer keeps of a response for the next one changes nothing. */
static void a_response_is_read_the_same_whatever_came_before_it(void **state)
{
	static const char *const requests[] = { GET("/ok/1"), "HEAD /ok/1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"HEAD /ok/1 HTTP/1.1\r\nHost: a.example\r\n\r\n" GET("/ok/2"), "GET /ok/1 HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" };
	static const char *const texts[] = { HEAD_200 "ab", HEAD_200 "cd", HEAD_200 "a", HEAD_200 "abc", HEAD_200, HEAD_200 HEAD_200 "ab",
		"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.1 200 OK\r\n\r\n", "\r\n" HEAD_200 "ab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nab", "Content-Length: 2\r\n\r\nab",
		"HTTP/1.1 200 OKK\r\nContent-Length: 40\r\n\r\n" HEAD_200 "ab",
		"HTTP/1.1 100 Continue\r\n\r\n" HEAD_200 "ab", "HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" };
	const size_t request_count = sizeof(requests) / sizeof(requests[0]), count = sizeof(texts) / sizeof(texts[0]), pairs = request_count * count;
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < pairs * pairs * 6; i++) {
		const size_t steps[] = { 4096, sizeof(HEAD_200 "ab") - 1, 5 }, step = steps[i / pairs / pairs / 2], cut = i / pairs / pairs % 2 ? 17 : 0;
		const char *first = requests[i % request_count], *before = texts[i / request_count % count];
		const char *request = requests[i / pairs % request_count], *then = texts[i / pairs / request_count % count];
		struct egret_http *http = open_entry(0, false);
		struct heard alone, behind;

		assert_true(say(http, first));
		/* What was not a whole response to all, or more, or ended HTTP, has none behind it. */
		if ((cut && egret_http_response(http, before, cut) != (ssize_t)cut) ||
		    egret_http_response(http, before + cut, strlen(before) - cut) != (ssize_t)(strlen(before) - cut) ||
		    times(logged, "\n") != times(first, "\r\n\r\n") || strstr(logged, " 101 ")) {
			egret_http_free(http);
			continue;
		}
		behind = hear_one(http, request, then, step);
		alone = hear_one(open_entry(0, false), request, then, step);
		if (alone.good != behind.good || alone.whole != behind.whole || strcmp(alone.in, behind.in) || strcmp(alone.logged, behind.logged))
			fail_msg("%s%s\nbehind\n%s%s\nalone: %d %d %s\n%s\nbehind it: %d %d %s\n%s", request, then, first, before, alone.good, alone.whole,
				 alone.in, alone.logged, behind.good, behind.whole, behind.in, behind.logged);
		compared++;
	}
	assert_true(compared > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_without_a_body_are_known_by_their_request_and_status),
		cmocka_unit_test(an_end_inside_a_body_is_told_from_one_behind_it),
		cmocka_unit_test(what_is_asked_behind_the_servers_end_is_flagged_uc),
		cmocka_unit_test(an_answer_that_nobody_asked_for_breaks_where_rules_hold),
		cmocka_unit_test(no_answer_of_ours_takes_the_place_of_a_response_that_is_none),
		cmocka_unit_test(bytes_behind_the_last_response_that_was_asked_for_do_not_reach_the_program),
		cmocka_unit_test(protocols_are_switched_only_when_an_allowed_request_asked_for_it),
		cmocka_unit_test(responses_that_clients_read_in_two_ways_do_not_pass),
		cmocka_unit_test(fields_that_end_in_lf_alone_are_read_as_clients_read_them),
		cmocka_unit_test(no_protocol_is_switched_behind_a_field_that_ended_in_lf_alone),
		cmocka_unit_test(a_nul_in_a_field_does_not_pass),
		cmocka_unit_test(what_the_server_sends_unasked_is_logged),
		cmocka_unit_test(responses_of_old_servers_are_told_apart),
		cmocka_unit_test(a_response_is_read_the_same_whatever_came_before_it),
	};
	return cmocka_run_group_tests(tests, load, NULL);
}
