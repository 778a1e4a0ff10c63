#include "http_internal.h"

#include <string.h>
#include <strings.h>

#define HEADERS_MAX 1000

bool egret_http_is_token_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_name(struct egret_http_text name, const char *word)
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

/* One header that means something here. */
static bool read_meaning(struct egret_http_head *head, struct egret_http_text name, struct egret_http_text value)
{
	if (is_name(name, "content-length"))
		return read_length(head, value);
	if (is_name(name, "transfer-encoding")) {
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
	} else if (is_name(name, "user-agent")) {
		head->user_agent = value;
	} else if (is_name(name, "x-request-id")) {
		head->request_id = value;
	} else if (is_name(name, "x-forwarded-for")) {
		head->forwarded_for = value;
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
	bool chunked, complete;
};

static int on_headers(http_parser *parser)
{
	struct second_look *look = parser->data;

	look->length = parser->flags & F_CONTENTLENGTH ? parser->content_length : 0;
	look->chunked = parser->flags & F_CHUNKED;
	look->complete = true;
	return 1; /* no body follows */
}

/* A second, independent reader must see the same request. */
static bool library_agrees(const char *data, size_t len, const struct egret_http_head *head)
{
	static const http_parser_settings settings = { .on_headers_complete = on_headers };
	struct second_look look = { .length = 0 };
	http_parser parser;

	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &look;
	if (http_parser_execute(&parser, &settings, data, len) != len || HTTP_PARSER_ERRNO(&parser) != HPE_OK || !look.complete)
		return false;
	return look.length == head->length && look.chunked == head->chunked && parser.uses_transfer_encoding == head->chunked &&
	       parser.http_major == 1 && parser.http_minor == head->minor &&
	       is_name(head->method, http_method_str((enum http_method)parser.method));
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
	return library_agrees(data, len, head);
}
