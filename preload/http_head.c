#include "http_internal.h"

#include <string.h>
#include <strings.h>

#define HEADERS_MAX 1000

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool egret_http_is_token_byte(unsigned char c)
{
	static const bool is_token[256] = { ['!'] = true, ['#' ... '\''] = true, ['*' ... '+'] = true, ['-' ... '.'] = true, ['0' ... '9'] = true,
					    ['A' ... 'Z'] = true, ['^' ... 'z'] = true, ['|'] = true, ['~'] = true };

	return is_token[c];
}

static inline bool is_name(struct egret_http_text name, const char *word)
{
	return name.len == strlen(word) && !strncasecmp(name.at, word, name.len);
}

/* Is WORD an element of the comma separated list? */
static bool has_word(struct egret_http_text list, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= list.len; i++)
		if (!strncasecmp(list.at + i, word, len) && (i == 0 || strchr(", \t", list.at[i - 1])) &&
		    (i + len == list.len || strchr(", \t;/", list.at[i + len])))
			return true;
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

/* field-name ":" OWS field-value OWS (RFC 9112 5): no space before the colon, no folded line, no control character. */
static bool read_header(struct egret_http_head *head, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	struct egret_http_text name = { line, colon ? (size_t)(colon - line) : 0 }, value;

	if (!name.len || ++head->headers > HEADERS_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!egret_http_is_token_byte((unsigned char)line[i]))
			return false;
	value = (struct egret_http_text){ colon + 1, len - name.len - 1 };
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	while (value.len && (*value.at == ' ' || *value.at == '\t')) {
		value.at++;
		value.len--;
	}
	while (value.len && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	return read_meaning(head, name, value);
}

/* method SP request-target SP HTTP/1.x */
bool egret_http_request_line(struct egret_http_head *head, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len), *version;

	if (!space || space == line)
		return false;
	head->method = (struct egret_http_text){ line, (size_t)(space - line) };
	for (size_t i = 0; i < head->method.len; i++)
		if (!egret_http_is_token_byte((unsigned char)line[i]))
			return false;
	head->target.at = space + 1;
	version = memchr(space + 1, ' ', len - head->method.len - 1);
	if (!version || version == space + 1 || line + len - version != 9 || strncmp(version, " HTTP/1.", 8) ||
	    (version[8] != '0' && version[8] != '1'))
		return false;
	head->target.len = (size_t)(version - space - 1);
	head->minor = (unsigned)(version[8] - '0');
	for (size_t i = 0; i < head->target.len; i++)
		if (head->target.at[i] <= ' ' || head->target.at[i] >= 0x7f)
			return false;
	return true;
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

/* A second, independent reader must see the same request. */
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
	return look.length == head->length && look.chunked == head->chunked && look.coded == head->chunked && parser.http_major == 1 &&
	       parser.http_minor == head->minor && is_name(head->method, llhttp_method_name((llhttp_method_t)parser.method));
}

bool egret_http_head_read(const char *data, size_t len, struct egret_http_head *head)
{
	const char *at = data, *end = data + len - 2, *cr; /* the last line is empty */

	*head = (struct egret_http_head){ .minor = 0 };
	for (bool first = true; at < end; at = cr + 2, first = false) {
		cr = memchr(at, '\r', (size_t)(end - at));
		if (!cr || cr[1] != '\n')
			return false;
		if (first ? !egret_http_request_line(head, at, (size_t)(cr - at)) : !read_header(head, at, (size_t)(cr - at)))
			return false;
	}
	if ((head->chunked && (head->has_length || !head->minor)) || (head->minor && !head->hosts))
		return false;
	head->switches = head->upgrade && head->connection_upgrade && head->minor;
	return library_agrees(data, len, head);
}
