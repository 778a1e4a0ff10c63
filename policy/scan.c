#include "scan.h"

#include "eight.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Length of the well-formed UTF-8 sequence at P (RFC 3629); 0 when it is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* NULL, or what is wrong with the line's bytes. A carriage return may end the line. */
static const char *bad_bytes(const char *text, size_t len, bool *is_ascii)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t step;

	*is_ascii = true;
	for (size_t i = 0;; i += step) {
		while (i + 8 <= len && !egret_odd_bytes(egret_eight(text + i)))
			i += 8;
		while (i < len && p[i] >= 0x20 && p[i] < 0x7f)
			i++;
		if (i == len)
			return NULL;
		step = 1;
		if (p[i] == 0)
			return "a NUL byte would hide the rest of the file; remove it";
		if (p[i] == '\t' || (p[i] == '\r' && i + 1 == len))
			continue;
		if (p[i] < 0x20 || p[i] == 0x7f)
			return "a control character; remove it";
		*is_ascii = false;
		step = utf8_sequence(p + i, len - i);
		if (step == 0)
			return "not UTF-8; save the file as UTF-8";
	}
}

size_t egret_scan_trim(const char *text, size_t len)
{
	/* inih's comment: a semicolon behind white space. It leaves those of continuation lines alone, which nobody expects. */
	for (const char *semi = text; (semi = memchr(semi, ';', len - (size_t)(semi - text))) != NULL; semi++) {
		if (semi == text || is_blank(semi[-1])) {
			len = (size_t)(semi - text);
			break;
		}
	}
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return len;
}

static struct egret_line scan_title(const char *text, size_t len, const char *file, unsigned line, struct egret_err *err)
{
	const char *end = memchr(text, ']', len);
	struct egret_line result = {.kind = EGRET_LINE_BAD, .title = text + 1};
	size_t rest;

	if (!end) {
		egret_err_add(err, file, line, "expected `]` at the end of the section's title");
		return result;
	}
	result.title_len = (size_t)(end - text) - 1;
	rest = egret_scan_trim(end + 1, len - (size_t)(end + 1 - text));
	if (result.title_len == 0 || egret_scan_trim(result.title, result.title_len) != result.title_len || is_blank(result.title[0]))
		egret_err_add(err, file, line, "a section's title is a name without white space around it and without ` ;`");
	else if (result.title_len > EGRET_TITLE_MAX)
		egret_err_add(err, file, line, "a section's title of %zu bytes; at most %d are allowed", result.title_len, EGRET_TITLE_MAX);
	else if (rest > 0)
		egret_err_add(err, file, line, "unexpected text after `]`: \"%.*s\"; comments begin with a semicolon", (int)rest, end + 1);
	else
		result.kind = EGRET_LINE_TITLE;
	return result;
}

/* Does an indented line look like a key of its own? Base64 values end in '=' too, but are longer than any key. */
static bool looks_like_key(const char *text, size_t len)
{
	size_t name = 0;

	while (name < len && (text[name] == '_' || text[name] == '-' || (text[name] >= '0' && text[name] <= '9') ||
			      ((text[name] | 0x20) >= 'a' && (text[name] | 0x20) <= 'z')))
		name++;
	size_t at = name;
	while (at < len && is_blank(text[at]))
		at++;
	if (name == 0 || name > 24 || at == len)
		return false;
	return text[at] == '=' || (text[at] == ':' && egret_key_find(text, name, EGRET_IN_BOTH));
}

static enum egret_line_kind scan_indented(const char *text, size_t len, const struct egret_key *above, const char *file, unsigned line,
					  struct egret_err *err)
{
	if (text[0] == '[')
		egret_err_add(err, file, line, "a section's title must begin its line: remove the white space before `[`");
	else if (looks_like_key(text, len))
		egret_err_add(err, file, line, "a key must begin its line: indented, it would be a value of the key above");
	else if (!above)
		egret_err_add(err, file, line, "an indented line goes on with the key above it, but there is none");
	else if (above->form == EGRET_FORM_SCALAR)
		egret_err_add(err, file, line, "%s takes one value; an indented line cannot add to it", above->name);
	else
		return EGRET_LINE_MORE;
	return EGRET_LINE_BAD;
}

struct egret_line egret_scan_line(const char *text, size_t len, const struct egret_key *above, const char *file, unsigned line,
				  struct egret_err *err)
{
	struct egret_line result = {.kind = EGRET_LINE_BAD};
	bool is_ascii;
	const char *wrong = bad_bytes(text, len, &is_ascii);
	size_t indent = 0;

	if (wrong || len + 3 > EGRET_LINE_MAX) {
		result.title = text[0] == '[' ? text + 1 : NULL; /* a bad title is a title all the same */
		egret_err_add(err, file, line, "%s", wrong ? wrong : "a line of more than 65533 bytes; go on in indented lines");
		return result;
	}
	while (indent < len && is_blank(text[indent]))
		indent++;
	if (indent == len || text[indent] == ';' || text[indent] == '#') {
		result.kind = EGRET_LINE_BLANK;
	} else if (indent > 0) {
		result.kind = scan_indented(text + indent, len - indent, above, file, line, err);
	} else if (text[0] == '[') {
		result = scan_title(text, len, file, line, err);
	} else {
		size_t shown = egret_scan_trim(text, len);

		if (memchr(text, '=', shown) || memchr(text, ':', shown))
			result.kind = EGRET_LINE_KEY;
		else
			egret_err_add(err, file, line, "expected `key = value` or `[title]`, got \"%.*s\"", (int)(shown < 80 ? shown : 80), text);
	}
	result.is_ascii = is_ascii;
	return result;
}
