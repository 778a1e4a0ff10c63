/* The observer when memory is out: whichever piece is missing, what is denied does not leave, and nobody reads an answer that is none. */
#include "http_test.h"

static long until_out = -1; /* pieces of memory that are still given; -1: all */

static bool gives(void)
{
	return until_out < 0 || until_out-- > 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return gives() ? __real_malloc(size) : NULL; }
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) { return gives() ? __real_realloc(old, size) : NULL; }

/* Requests as a program sends them that goes on whatever it is told; the first PIECES of memory are given, STEP bytes are written at once. */
static void try_with(long pieces, size_t step)
{
	static const char requests[] = GET("/ok/1") GET("/no/1") "POST /no/2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc"
		GET("/ok/2") "POST /ok/3 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n" GET("/no/3");
	struct egret_http *http = open_entry(0, false);

	tells = true;
	until_out = pieces;
	put(http, requests, sizeof(requests) - 1, step, 1 << 20);
	take_local(http);
	for (int i = 0; i < 2; i++) {
		egret_http_response(http, OK_RESPONSE("aa"), strlen(OK_RESPONSE("aa")));
		take_local(http);
	}
	until_out = -1;
	egret_http_free(http);
	tells = false;
	out[out_len] = '\0';
	if (strstr(out, "/no") || strstr(out, "-1"))
		fail_msg("with %ld pieces of memory this left: %s", pieces, out);
}

static void whichever_piece_of_memory_is_missing_nothing_denied_leaves(void **state)
{
	(void)state;
	for (long pieces = 0; pieces < 60; pieces++) {
		try_with(pieces, 1 << 20);
		try_with(pieces, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whichever_piece_of_memory_is_missing_nothing_denied_leaves) };

	return cmocka_run_group_tests(tests, load, NULL);
}
