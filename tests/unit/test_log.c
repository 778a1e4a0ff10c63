/* Log lines: one event, one well-formed line, whatever the program put into it. */
#include "policy/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct egret_event sample(void)
{
	struct egret_event event;
	egret_event_init(&event, EGRET_EVENT_HTTP);
	event.time_us = INT64_C(1533814378171000); /* 2018-08-09T11:32:58.171Z */
	event.method = "GET";
	event.path = "/books/v1/volumes?q=isbn:0486424618";
	event.http_protocol = "HTTP/1.1";
	event.status = 200;
	event.bytes_received = 0;
	event.bytes_sent = 1050;
	event.duration_ms = 264;
	event.upstream_ms = 264;
	event.user_agent = "Ruby";
	event.request_id = "b993";
	event.authority = "www.googleapis.com:443";
	event.upstream = "172.217.20.74:443";
	return event;
}

static void envoy_line_has_the_mesh_form(void **state)
{
	(void)state;
	char line[4096];
	struct egret_event event = sample();
	assert_true(egret_log_format(EGRET_LOG_ENVOY, &event, line, sizeof line) > 0);
	assert_string_equal(line, "[2018-08-09T11:32:58.171Z] \"GET /books/v1/volumes?q=isbn:0486424618 HTTP/1.1\" 200 - 0 1050 264 264 "
				  "\"-\" \"Ruby\" \"b993\" \"www.googleapis.com:443\" \"172.217.20.74:443\"\n");
}

static void a_time_is_the_one_that_the_libc_tells(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 200 * 366; day++) {
		char line[4096], expected[64];
		struct egret_event event = sample();
		time_t seconds = (time_t)(day * 86400 + day * 7919 % 86400);
		struct tm tm;
		event.time_us = seconds * INT64_C(1000000) + 42;
		assert_true(egret_log_format(EGRET_LOG_JSON, &event, line, sizeof line) > 0);
		strftime(expected, sizeof expected, "{\"time\":\"%Y-%m-%dT%H:%M:%S.000042Z\"", gmtime_r(&seconds, &tm));
		assert_memory_equal(line, expected, strlen(expected));
	}
}

static void numbers_are_written_whole(void **state)
{
	(void)state;
	char line[4096];
	struct egret_event event = sample();
	event.bytes_sent = INT64_MAX;
	event.duration_ms = 0.0004;
	event.upstream_ms = 1234567.8905;
	assert_true(egret_log_format(EGRET_LOG_JSON, &event, line, sizeof line) > 0);
	assert_non_null(strstr(line, "\"bytes_received\":0,\"bytes_sent\":9223372036854775807,\"duration_ms\":0.000,\"upstream_ms\":1234567.891,"));
}

static void envoy_prints_requests_only(void **state)
{
	(void)state;
	char line[4096];
	struct egret_event event;
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	assert_int_equal(egret_log_format(EGRET_LOG_ENVOY, &event, line, sizeof line), 0);
}

static void json_line_cannot_be_broken_by_a_value(void **state)
{
	(void)state;
	char line[16384];
	struct egret_event event = sample();
	event.user_agent = "a\"b\\c\nd\x1b[31m\xff";
	assert_true(egret_log_format(EGRET_LOG_JSON, &event, line, sizeof line) > 0);
	assert_non_null(strstr(line, "\"user_agent\":\"a\\\"b\\\\c\\u000ad\\u001b[31m\\u00ff\""));
	assert_int_equal(strcspn(line, "\n") + 1, strlen(line));
}

static void every_byte_is_escaped_wherever_it_stands(void **state)
{
	char line[4096], path[24], expected[64];

	(void)state;
	for (int byte = 1; byte < 256; byte++)
		for (size_t at = 0; at < 19; at++) {
			struct egret_event event;

			egret_event_init(&event, EGRET_EVENT_HTTP);
			memset(path, 'a', 19);
			path[19] = '\0';
			path[at] = (char)byte;
			snprintf(expected, sizeof(expected), byte == '"' || byte == '\\' ? "\"path\":\"%.*s\\%c%s\"" : byte < 0x20 || byte >= 0x7f ?
				 "\"path\":\"%.*s\\u%04x%s\"" : "\"path\":\"%.*s%c%s\"", (int)at, path, byte, path + at + 1);
			event.path = path;
			assert_true(egret_log_format(EGRET_LOG_JSON, &event, line, sizeof(line)) > 0);
			if (!strstr(line, expected))
				fail_msg("%s is not in %s", expected, line);
		}
}

static void a_value_too_long_is_cut_and_the_line_stays_whole(void **state)
{
	(void)state;
	static char line[16384], path[40000];
	struct egret_event event = sample();
	memset(path, 'x', sizeof path - 1);
	event.path = event.user_agent = event.authority = event.upstream = event.host = event.error = path;
	event.request_id = event.exe = event.entry = event.reason = path;
	size_t length = egret_log_format(EGRET_LOG_JSON, &event, line, sizeof line);
	assert_true(length > 0 && length < sizeof line);
	assert_memory_equal(line + length - 2, "}\n", 3);
}

static void control_characters_are_escaped_in_text(void **state)
{
	(void)state;
	char out[64];
	assert_string_equal(egret_escape("a\rb\x7f\xc2\x9b\xe2\x80\xae", 9, out, sizeof out), "a\\x0db\\x7f\\xc2\\x9b\\xe2\\x80\\xae");
	assert_string_equal(egret_escape("b\xc3\xbc", 3, out, sizeof out), "b\xc3\xbc");
}

static void what_does_not_fit_says_so_in_every_format(void **state)
{
	static char line[16384], path[4096];
	struct egret_event event = sample();
	char out[8];

	(void)state;
	assert_string_equal(egret_escape("abcdefg", 7, out, sizeof out), "abcdefg");
	assert_string_equal(egret_escape("abcdefgh", 8, out, sizeof out), "abcd...");
	assert_string_equal(egret_escape("ab\x01" "cdef", 7, out, sizeof out), "ab...");
	assert_string_equal(egret_escape("abc\xc3\xbc\xc3\xbc\xc3\xbc", 9, out, sizeof out), "abc...");
	assert_string_equal(egret_escape("abcdef", 6, out, 3), "ab");
	assert_string_equal(egret_escape("abcdef", 6, out, 1), "");
	memset(path, 'x', 2048); /* what the observer keeps of a longer one */
	event.path = path;
	for (int format = EGRET_LOG_JSON; format <= EGRET_LOG_ENVOY; format++) {
		assert_true(egret_log_format((enum egret_log_format)format, &event, line, sizeof line) > 0);
		assert_non_null(strstr(line, "xxx..."));
	}
}

static void a_line_is_appended_and_the_log_is_private(void **state)
{
	(void)state;
	char path[] = "/tmp/egret-log-XXXXXX";
	struct egret_event event = sample();
	struct stat st;
	close(mkstemp(path));
	unlink(path);
	assert_int_equal(egret_log_write(path, EGRET_LOG_TEXT, &event), 0);
	assert_int_equal(stat(path, &st), 0);
	off_t one = st.st_size;
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(egret_log_write(path, EGRET_LOG_TEXT, &event), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 2 * one);
	unlink(path);
}

static void a_log_that_cannot_be_opened_is_an_error(void **state)
{
	(void)state;
	struct egret_event event = sample();
	assert_true(egret_log_write("/nonexistent/log", EGRET_LOG_JSON, &event) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envoy_line_has_the_mesh_form),
		cmocka_unit_test(a_time_is_the_one_that_the_libc_tells),
		cmocka_unit_test(numbers_are_written_whole),
		cmocka_unit_test(envoy_prints_requests_only),
		cmocka_unit_test(json_line_cannot_be_broken_by_a_value),
		cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(a_value_too_long_is_cut_and_the_line_stays_whole),
		cmocka_unit_test(control_characters_are_escaped_in_text),
		cmocka_unit_test(what_does_not_fit_says_so_in_every_format),
		cmocka_unit_test(a_line_is_appended_and_the_log_is_private),
		cmocka_unit_test(a_log_that_cannot_be_opened_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
