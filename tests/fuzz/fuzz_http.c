/* Both directions of one connection in one input: 0xff changes the direction, 0xfe ends a write, whose next byte says how much of it the wire
 * takes. The first byte chooses the entry. Whatever comes in, what goes out is a series of requests that the rules allow, as a second
 * parser reads them, until a server that was asked to switch protocols says that it does. */
// objects: preload/http.c preload/http_answer.c preload/http_chunk.c preload/http_head.c preload/http_pose.c preload/http_request.c preload/http_response.c preload/buf.c
#include "preload/http.h"

#include <llhttp/llhttp.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRY(name, port, more) "[" name "]\nhosts = a.example\nports = " port "\nprotocol = http\n" more

static const char policy_text[] =
	ENTRY("ruled", "80", "http_allow = * /ok/**\nhttp_deny = * /ok/no/**\n") ENTRY("free", "81", "") ENTRY("audited", "82", "mode = audit\nhttp_allow = GET /ok\n");

struct run {
	struct egret_http *http;
	bool judged; /* what goes out must be allowed */
	llhttp_t parser;
	llhttp_settings_t settings;
	bool out_is_good, in_url;
	bool asked_to_switch; /* of an allowed request: RFC 9110 7.8 */
	char heard[1024];     /* what the server said since, in lower case */
	size_t heard_len;
	size_t started, logged;
};

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct run *run = parser->data;

	/* A URL may come in pieces: only the first one tells where it begins. */
	if (!run->in_url && len >= 4 && at[0] == '/' && memcmp(at, "/ok", 3))
		run->out_is_good = false;
	run->in_url = true;
	return 0;
}

static int on_headers(llhttp_t *parser)
{
	struct run *run = parser->data;

	run->started++;
	run->in_url = false;
	if ((parser->flags & F_UPGRADE) && (parser->flags & F_CONNECTION_UPGRADE) && parser->http_minor == 1)
		run->asked_to_switch = true;
	return 0;
}

/* Is there a field of this NAME (in small letters) in what the server said? Space before the colon is taken (RFC 9112 5.1). */
static bool has_field(const struct run *run, const char *name)
{
	for (const char *at = run->heard; (at = strstr(at, name)) != NULL; at++)
		if (at[strlen(name) + strspn(at + strlen(name), " \t")] == ':')
			return true;
	return false;
}

/* Did the server say that it switches? What follows is another protocol then, and no longer anybody's to read. */
static bool has_switched(const struct run *run)
{
	return run->asked_to_switch && strstr(run->heard, " 101") && has_field(run, "upgrade") && has_field(run, "connection");
}

static void went_out(struct run *run, const void *bytes, size_t len)
{
	const char *data = bytes, *end;

	if (!run->judged || !len || has_switched(run))
		return;
	end = data + len;
	while (data < end) {
		llhttp_errno_t error = llhttp_execute(&run->parser, data, (size_t)(end - data));

		if ((error != HPE_OK && error != HPE_PAUSED_UPGRADE) || !run->out_is_good)
			abort();
		data = error == HPE_OK ? end : llhttp_get_error_pos(&run->parser);
		llhttp_resume_after_upgrade(&run->parser);
	}
}

static void emit(void *data, struct egret_event *event)
{
	struct run *run = data;
	char line[16384];

	run->logged++;
	if (!egret_log_format(EGRET_LOG_JSON, event, line, sizeof(line)) || !egret_log_format(EGRET_LOG_ENVOY, event, line, sizeof(line)))
		abort();
}

static bool yes(void *data)
{
	(void)data;
	return true;
}

/* One write of the program. What is not taken is not offered again: programs may do that. */
static void from_program(struct run *run, const uint8_t *data, size_t len, size_t takes)
{
	size_t count, before;

	while (len) {
		enum egret_http_fate fate = egret_http_request(run->http, data, len, &count);

		if (!count || count > len)
			abort();
		if (fate == EGRET_HTTP_BREAK)
			return;
		if (fate == EGRET_HTTP_PASS) {
			const void *held = egret_http_before(run->http, &before);
			size_t here = before < takes ? before : takes, more = count < takes - here ? count : takes - here;

			went_out(run, held, here);
			went_out(run, data, more);
			if (egret_http_sent(run->http, data, here + more) != (here < before ? 0 : more))
				abort();
			if (more < count)
				return;
		}
		data += count;
		len -= count;
	}
}

static void from_server(struct run *run, const uint8_t *data, size_t len)
{
	size_t room = sizeof(run->heard) - 1 - run->heard_len, left;
	ssize_t passed;

	for (size_t i = 0; i < len && i < room && run->asked_to_switch; i++)
		run->heard[run->heard_len++] = data[i] ? (char)tolower(data[i]) : ' ';
	passed = egret_http_response(run->http, data, len);

	if (passed > (ssize_t)len)
		abort();
	if (passed < 0)
		egret_http_end(run->http, EGRET_HTTP_BROKEN);
	while (egret_http_due(run->http) && egret_http_local(run->http, &left))
		egret_http_local_taken(run->http, left > 7 ? 7 : left);
}

static void play(struct run *run, const uint8_t *data, size_t size)
{
	bool program = true;

	while (size) {
		size_t len = 0, takes = SIZE_MAX;
		uint8_t mark = 0xfe;

		while (len < size && data[len] < 0xfe)
			len++;
		if (len < size) {
			mark = data[len];
			if (mark == 0xfe && len + 1 < size && data[len + 1] != 0xff)
				takes = data[len + 1];
		}
		if (len && program)
			from_program(run, data, len, takes);
		else if (len)
			from_server(run, data, len);
		program ^= mark == 0xff;
		len += len < size ? 1 + (mark == 0xfe && len + 1 < size) : 0;
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct egret_policy *policy;
	struct egret_err err = { 0 };
	struct run run = { .out_is_good = true };
	struct egret_http_setup setup = { .host = "a.example", .port = 80, .upstream = "192.0.2.1:443", .emit = emit, .data = &run };

	if (!policy)
		policy = egret_policy_parse("fuzz.ini", policy_text, sizeof(policy_text) - 1, &err, NULL);
	if (!policy)
		abort();
	if (!size)
		return 0;
	setup.entry = egret_policy_entry(policy, data[0] % 3);
	setup.audit = setup.entry->mode == EGRET_AUDIT;
	setup.h2 = data[0] & 4;
	setup.can_tell = data[0] & 32 ? yes : NULL;
	run.judged = data[0] % 3 == 0;
	run.http = egret_http_new(&setup);
	llhttp_settings_init(&run.settings);
	run.settings.on_url = on_url;
	run.settings.on_headers_complete = on_headers;
	llhttp_init(&run.parser, HTTP_REQUEST, &run.settings);
	llhttp_set_lenient_keep_alive(&run.parser, 1);
	run.parser.data = &run;
	if (!run.http)
		return 0;
	play(&run, data + 1, size - 1);
	if (data[0] & 8)
		egret_http_end(run.http, data[0] & 16 ? EGRET_HTTP_CLOSED : EGRET_HTTP_CUT);
	egret_http_free(run.http);
	if (run.logged < run.started)
		abort();
	return 0;
}
