#include "http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 1000
#define REMEMBERED_MAX 4096 /* bytes of a head */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What a byte may stand in: a token (RFC 9110 5.6.2), a field's value (5.5: no control character but the tab), a request's target. */
enum { TOKEN = 1, TEXT = 2, TARGET = 4 };

static const unsigned char class_of[256] = {
	['\t'] = TEXT, [' '] = TEXT, ['!'] = TOKEN | TEXT | TARGET, ['"'] = TEXT | TARGET, ['#' ... '\''] = TOKEN | TEXT | TARGET,
	['(' ... ')'] = TEXT | TARGET, ['*' ... '+'] = TOKEN | TEXT | TARGET, [','] = TEXT | TARGET, ['-' ... '.'] = TOKEN | TEXT | TARGET,
	['/'] = TEXT | TARGET, ['0' ... '9'] = TOKEN | TEXT | TARGET, [':' ... '@'] = TEXT | TARGET, ['A' ... 'Z'] = TOKEN | TEXT | TARGET,
	['[' ... ']'] = TEXT | TARGET, ['^' ... 'z'] = TOKEN | TEXT | TARGET, ['{'] = TEXT | TARGET, ['|'] = TOKEN | TEXT | TARGET,
	['}'] = TEXT | TARGET, ['~'] = TOKEN | TEXT | TARGET, [0x80 ... 0xff] = TEXT,
};

bool egret_http_is_token_byte(unsigned char c) { return class_of[c] & TOKEN; }

/* Where bytes of CLASS end. Some byte of another class follows. */
static inline const char *skip(const char *at, unsigned char class)
{
	while (class_of[(unsigned char)*at] & class)
		at++;
	return at;
}

static inline bool is_name(struct egret_http_text name, const char *word)
{
	return name.len == strlen(word) && !strncasecmp(name.at, word, name.len);
}

/* Is WORD an element of the comma separated list? Of "name/version" and "name;parameter" the name is. */
static bool has_word(struct egret_http_text list, const char *word)
{
	const char *end = list.at + list.len;
	size_t len = strlen(word);

	for (const char *at = list.at, *stop; at < end; at = stop + 1) {
		for (stop = at; stop < end && *stop != ',' && *stop != ' ' && *stop != '\t'; stop++)
			;
		if ((size_t)(stop - at) >= len && !strncasecmp(at, word, len) && ((size_t)(stop - at) == len || at[len] == ';' || at[len] == '/'))
			return true;
	}
	return false;
}

static bool read_length(struct egret_http_head *head, struct egret_http_text value)
{
	if (head->has_length || !value.len || value.len > 18)
		return false;
	head->has_length = true;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		head->length = head->length * 10 + (unsigned)(value.at[i] - '0');
	}
	return true;
}

void egret_http_spell(struct egret_http_letters *name, char c)
{
	if (is_letter(c) && name->count++ < sizeof(name->text) - 1)
		name->text[name->count - 1] = (char)(c | 0x20);
}

bool egret_http_spells_length(const struct egret_http_letters *name)
{
	return name->count < sizeof(name->text) && (!strcmp(name->text, "contentlength") || !strcmp(name->text, "transferencoding"));
}

/* Would some server take it for a field that tells the body's length: Transfer_Encoding, Content.Length? */
static bool is_taken_for_length(struct egret_http_text name)
{
	struct egret_http_letters letters = { .count = 0 };

	if (name.len < sizeof("contentlength") - 1)
		return false;
	for (size_t i = 0; i < name.len; i++)
		egret_http_spell(&letters, name.at[i]);
	return egret_http_spells_length(&letters);
}

/* One header that means something here. */
static bool read_meaning(struct egret_http_head *head, struct egret_http_text name, struct egret_http_text value)
{
	if (is_name(name, "content-length")) {
		return read_length(head, value);
	} else if (is_name(name, "transfer-encoding")) {
		if (head->chunked || !is_name(value, "chunked"))
			return false;
		head->chunked = true;
	} else if (is_name(name, "host")) {
		head->hosts++;
		head->host = value;
	} else if (is_name(name, "upgrade")) {
		head->upgrade = true;
		head->h2c |= has_word(value, "h2c") || has_word(value, "h2");
	} else if (is_name(name, "http2-settings")) {
		head->h2c = true;
	} else if (is_name(name, "expect")) {
		head->expect = true;
	} else if (is_name(name, "connection")) {
		head->close |= has_word(value, "close");
		head->keep_alive |= has_word(value, "keep-alive");
		head->connection_upgrade |= has_word(value, "upgrade");
	} else if (is_name(name, "user-agent")) {
		head->user_agent = value;
	} else if (is_name(name, "x-request-id")) {
		head->request_id = value;
	} else if (is_name(name, "x-forwarded-for")) {
		head->forwarded_for = value;
	} else {
		return !is_taken_for_length(name);
	}
	return true;
}

/* field-name ":" OWS field-value OWS (RFC 9112 5) and the line's end: no space before the colon, no folded line, no control character.
 * Returns what is behind it; NULL: malformed. */
static const char *read_header(struct egret_http_head *head, const char *line)
{
	const char *colon = skip(line, TOKEN), *end;
	struct egret_http_text name = { line, (size_t)(colon - line) }, value;

	if (!name.len || *colon != ':' || ++head->headers > HEADERS_MAX)
		return NULL;
	end = skip(colon + 1, TEXT);
	if (end[0] != '\r' || end[1] != '\n')
		return NULL;
	value = (struct egret_http_text){ colon + 1, (size_t)(end - colon - 1) };
	while (value.len && (*value.at == ' ' || *value.at == '\t')) {
		value.at++;
		value.len--;
	}
	while (value.len && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	return read_meaning(head, name, value) ? end + 2 : NULL;
}

/* method SP request-target SP HTTP/1.x */
bool egret_http_request_line(struct egret_http_head *head, const char *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t ending = sizeof(version); /* with its digit */
	const char *end = line + len - ending, *at;

	if (len < ending || memcmp(end, version, ending - 1) || (line[len - 1] != '0' && line[len - 1] != '1'))
		return false;
	at = skip(line, TOKEN);
	head->method = (struct egret_http_text){ line, (size_t)(at - line) };
	if (!head->method.len || at >= end || *at != ' ')
		return false;
	head->target = (struct egret_http_text){ at + 1, (size_t)(end - at - 1) };
	head->minor = (unsigned)(line[len - 1] - '0');
	return head->target.len && skip(at + 1, TARGET) == end;
}

/* What the parser library saw, taken when the headers are complete. */
struct second_look {
	uint64_t length;
	bool chunked, coded, switches, complete;
};

static int on_headers(llhttp_t *parser)
{
	struct second_look *look = parser->data;

	look->length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : 0;
	look->chunked = parser->flags & F_CHUNKED;
	look->coded = parser->flags & F_TRANSFER_ENCODING;
	look->switches = (parser->flags & F_UPGRADE) && (parser->flags & F_CONNECTION_UPGRADE);
	look->complete = true;
	return 1; /* no body follows */
}

/* A second, independent reader sees the same request line, at least. */
static bool library_takes_line(const llhttp_t *parser, const struct egret_http_head *head)
{
	return parser->http_major == 1 && parser->http_minor == head->minor && is_name(head->method, llhttp_method_name((llhttp_method_t)parser->method));
}

/* ... and the same request. */
static bool library_agrees(const char *data, size_t len, struct egret_http_head *head)
{
	static const llhttp_settings_t settings = { .on_headers_complete = on_headers };
	struct second_look look = { .length = 0 };
	llhttp_errno_t error;
	llhttp_t parser;

	llhttp_init(&parser, HTTP_REQUEST, &settings);
	parser.data = &look;
	error = llhttp_execute(&parser, data, len);
	/* Behind CONNECT and what asks for an upgrade it stops, since another protocol may follow. */
	if ((error != HPE_OK && (error != HPE_PAUSED_UPGRADE || llhttp_get_error_pos(&parser) != data + len)) || !look.complete)
		return false;
	head->switches &= look.switches;
	return look.length == head->length && look.chunked == head->chunked && look.coded == head->chunked && library_takes_line(&parser, head);
}

/* The texts of HEAD's fields, which stand behind FROM, where they stand behind TO. */
static void move_fields(struct egret_http_head *head, const char *from, const char *to)
{
	struct egret_http_text *const texts[] = { &head->host, &head->user_agent, &head->request_id, &head->forwarded_for };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i]->at)
			texts[i]->at = to + (texts[i]->at - from);
}

/* Are the method, the version and the FIELDS those of the last head? Then both readers take them for the same again. */
static bool repeats_fields(const struct egret_http_last *last, const struct egret_http_head *head, struct egret_http_text fields)
{
	const struct egret_http_head *was = &last->head;

	return last->text && was->minor == head->minor && was->method.len == head->method.len && last->len - last->line == fields.len &&
	       !memcmp(was->method.at, head->method.at, head->method.len) && !memcmp(last->text + last->line, fields.at, fields.len);
}

/* A request line that ends where FIELDS begin, those of the last head. */
static bool read_line_again(const struct egret_http_last *last, const char *line, const char *fields, struct egret_http_head *head)
{
	static const llhttp_settings_t settings = { .on_headers_complete = NULL };
	struct egret_http_text method = head->method, target = head->target;
	llhttp_t parser;

	llhttp_init(&parser, HTTP_REQUEST, &settings);
	if (llhttp_execute(&parser, line, (size_t)(fields - line)) != HPE_OK || !library_takes_line(&parser, head))
		return false;
	*head = last->head;
	head->method = method;
	head->target = target;
	move_fields(head, last->text + last->line, fields);
	return true;
}

/* Keeps HEAD, read of LEN bytes of DATA whose request line takes LINE. Without memory the next head is read in full. */
static void remember(struct egret_http_last *last, const char *data, size_t len, size_t line, const struct egret_http_head *head)
{
	char *text = len <= REMEMBERED_MAX ? realloc(last->text, len) : NULL;

	if (!text)
		free(last->text);
	last->text = text;
	if (!text)
		return;
	memcpy(text, data, len);
	last->len = len;
	last->line = line;
	last->head = *head;
	last->head.method.at = text;
	last->head.target.at = text + (head->target.at - data);
	move_fields(&last->head, data, text);
}

static bool read_fields(struct egret_http_head *head, struct egret_http_text fields)
{
	const char *at = fields.at, *end = fields.at + fields.len - 2; /* the last line is empty */

	while (at && at < end)
		at = read_header(head, at);
	if (!at || (head->chunked && (head->has_length || !head->minor)) || (head->minor && !head->hosts))
		return false;
	head->switches = head->upgrade && head->connection_upgrade && head->minor;
	return true;
}

bool egret_http_head_repeats(const struct egret_http_last *last, const char *data, size_t len)
{
	return last->text && len >= last->len && !memcmp(data, last->text, last->len);
}

bool egret_http_head_read(struct egret_http_last *last, const char *data, size_t len, struct egret_http_head *head)
{
	const char *line_end = memchr(data, '\r', len);
	struct egret_http_text fields = { line_end + 2, len - (size_t)(line_end + 2 - data) };
	bool good;

	*head = (struct egret_http_head){ .minor = 0 };
	if (line_end[1] != '\n' || !egret_http_request_line(head, data, (size_t)(line_end - data)))
		return false;
	if (repeats_fields(last, head, fields))
		good = read_line_again(last, data, fields.at, head);
	else
		good = read_fields(head, fields) && library_agrees(data, len, head);
	if (good)
		remember(last, data, len, len - fields.len, head);
	return good;
}
