#include "fields.h"

#include <string.h>

#define NAME_MAX_BYTES 14
#define DEPTH_MAX 64 /* of values in values */

static const char names[MEMBERS][NAME_MAX_BYTES + 1] = { "exe", "time", "host", "port", "path", "rule", "event", "entry", "error", "reason", "method",
	"status", "cipher", "verdict", "audited", "address", "version", "resumed", "protocol", "not_after", "bytes_sent", "bytes_received" };
static const unsigned char first_of_length[NAME_MAX_BYTES + 2] = { EXE, EXE, EXE, EXE, TIME, EVENT, REASON, VERDICT, PROTOCOL, NOT_AFTER, SENT, RECEIVED,
	RECEIVED, RECEIVED, RECEIVED, MEMBERS };

static struct egret_text *member_of(struct egret_fields *fields, const char *name, size_t len)
{
	if (len > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = first_of_length[len]; i < first_of_length[len + 1]; i++)
		if (!memcmp(names[i], name, len))
			return &fields->of[i];
	return NULL;
}

/* The end of the string whose first byte is AT: its closing quote, or NULL. */
static const char *string_end(const char *at, const char *end)
{
	const char *start = at;

	for (; (at = memchr(at, '"', (size_t)(end - at))); at++) {
		const char *before = at;

		while (before > start && before[-1] == '\\')
			before--;
		if ((at - before) % 2 == 0)
			return at;
	}
	return NULL;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/* Behind the object or array at AT, whose members are looked at for their ends alone; NULL: it has none. */
static const char *nested_end(const char *at, const char *end)
{
	size_t depth = 0;

	for (; at && at < end; at++) {
		if (*at == '"')
			at = string_end(at + 1, end);
		else if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
		if (!at || depth > DEPTH_MAX)
			return NULL;
	}
	return NULL;
}

/* May C be of a number, true, false or null? */
static bool is_of_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

/* What follows the value at AT, NULL: it has no end. *TEXT is what counts of it. */
static const char *scan_value(const char *at, const char *end, struct egret_text *text)
{
	const char *start = at;

	if (at < end && *at == '"') {
		at = string_end(++start, end);
		*text = (struct egret_text){ start, at ? (size_t)(at - start) : 0 };
		return at ? at + 1 : NULL;
	}
	if (at < end && (*at == '{' || *at == '['))
		return nested_end(at, end);
	while (at < end && is_of_word(*at))
		at++;
	if (at - start != 4 || memcmp(start, "null", 4) != 0)
		*text = (struct egret_text){ start, (size_t)(at - start) };
	return at;
}

/* One "name":value. Returns what follows it, NULL: no JSON. */
static const char *scan_member(const char *at, const char *end, struct egret_fields *fields)
{
	const char *name = at + 1, *name_end = string_end(name, end);
	struct egret_text text = { NULL, 0 }, *field;

	if (!name_end)
		return NULL;
	at = skip_space(name_end + 1, end);
	if (at == end || *at != ':')
		return NULL;
	at = scan_value(skip_space(at + 1, end), end, &text);
	field = member_of(fields, name, (size_t)(name_end - name));
	if (field)
		*field = text;
	return at;
}

bool egret_fields_scan(const char *at, const char *end, struct egret_fields *fields)
{
	at = skip_space(at, end);
	if (at == end || *at++ != '{')
		return false;
	for (at = skip_space(at, end); at < end && *at == '"'; at = skip_space(at, end)) {
		at = scan_member(at, end, fields);
		at = at ? skip_space(at, end) : NULL;
		if (!at || at == end || (*at != ',' && *at != '}'))
			return false;
		if (*at++ == '}')
			return fields->of[EVENT].at && skip_space(at, end) == end;
	}
	return false;
}
