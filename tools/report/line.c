#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEAR_DAYS 30
#define CELLS_MAX 2048
#define CELL_MAX 300

/* The members that count here; the others are skipped. */
enum member { EVENT, VERDICT, ENTRY, REASON, PROTOCOL, HOST, PORT, ADDRESS, EXE, VERSION, CIPHER, RESUMED, NOT_AFTER, METHOD, PATH, STATUS,
	RECEIVED, SENT, ERROR_TEXT, MEMBERS };
static const char *const names[MEMBERS] = { "event", "verdict", "entry", "reason", "protocol", "host", "port", "address", "exe", "version",
	"cipher", "resumed", "not_after", "method", "path", "status", "bytes_received", "bytes_sent", "error" };

struct text { const char *at; size_t len; };
struct fields { struct text of[MEMBERS]; };

static struct text *member_of(struct fields *fields, const char *name, size_t len)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (names[i][0] == name[0] && strlen(names[i]) == len && !memcmp(names[i], name, len))
			return &fields->of[i];
	return NULL;
}

/* The end of the string whose first byte is AT: its closing quote, or NULL. */
static const char *string_end(const char *at, const char *end)
{
	while (at < end && *at != '"')
		at += *at == '\\' ? 2 : 1;
	return at < end ? at : NULL;
}

static bool scan(const char *at, const char *end, struct fields *fields)
{
	if (at == end || *at++ != '{')
		return false;
	while (at < end && *at == '"') {
		const char *name = ++at, *name_end = string_end(at, end), *value;
		struct text *field;

		if (!name_end || end - name_end < 3 || name_end[1] != ':')
			return false;
		field = member_of(fields, name, (size_t)(name_end - name));
		value = name_end + 2;
		if (*value == '"') {
			at = string_end(++value, end);
			if (!at)
				return false;
		} else {
			for (at = value; at < end && *at != ',' && *at != '}'; at++)
				;
		}
		if (field)
			*field = (struct text){ value, (size_t)(at - value) };
		at += at < end && *at == '"';
		if (at == end || (*at != ',' && *at != '}'))
			return false;
		at++;
	}
	return fields->of[EVENT].at;
}

struct cells {
	char text[CELLS_MAX];
	size_t len;
};

static void cell(struct cells *cells, struct text text)
{
	size_t len = text.len < CELL_MAX ? text.len : CELL_MAX;

	/* Never end in half an escape. */
	for (size_t back = 1; len < text.len && back <= 6 && back <= len; back++)
		if (text.at[len - back] == '\\') {
			len -= back;
			break;
		}
	if (cells->len)
		cells->text[cells->len++] = '\t';
	memcpy(cells->text + cells->len, text.at ? text.at : "-", text.at ? len : 1);
	cells->len += text.at ? len : 1;
}

static void destination(struct cells *cells, const struct fields *fields)
{
	struct text host = fields->of[HOST].at ? fields->of[HOST] : fields->of[ADDRESS];
	char text[CELL_MAX];
	int len;

	if (!fields->of[PORT].at || !fields->of[HOST].at) {
		cell(cells, host);
		return;
	}
	len = snprintf(text, sizeof(text), "%.*s:%.*s", (int)(host.len < 256 ? host.len : 256), host.at, (int)fields->of[PORT].len,
		       fields->of[PORT].at);
	cell(cells, (struct text){ text, (size_t)len });
}

/* The path without its query, two segments of it. */
static struct text path_prefix(struct text path)
{
	size_t slashes = 0, len = 0;

	while (len < path.len && path.at[len] != '?' && (slashes += path.at[len] == '/') < 3)
		len++;
	path.len = len;
	return path;
}

static bool is(struct text text, const char *word)
{
	return text.at && text.len == strlen(word) && !memcmp(text.at, word, text.len);
}

static uint64_t number(struct text text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len && text.at[i] >= '0' && text.at[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text.at[i] - '0');
	return value;
}

static void count(struct egret_report *report, enum egret_table table, const struct cells *cells, const struct fields *fields)
{
	struct egret_row *row = egret_report_row(report, table, cells->text, cells->len);

	if (!row)
		return;
	row->count++;
	row->denied += is(fields->of[VERDICT], "deny");
	row->received += number(fields->of[RECEIVED]);
	row->sent += number(fields->of[SENT]);
}

static void count_columns(struct egret_report *report, enum egret_table table, const struct fields *fields, const enum member *columns,
			  size_t columns_count)
{
	struct cells cells;

	cells.len = 0;
	for (size_t i = 0; i < columns_count; i++)
		if (columns[i] == PORT)
			destination(&cells, fields);
		else
			cell(&cells, columns[i] == PATH && table == EGRET_REQUESTS ? path_prefix(fields->of[PATH]) : fields->of[columns[i]]);
	count(report, table, &cells, fields);
}

static void count_certificate(struct egret_report *report, const struct fields *fields)
{
	static char limit[32];
	struct cells cells;
	time_t then = time(NULL) + NEAR_DAYS * 86400;
	struct tm tm;
	bool near;

	if (!limit[0])
		strftime(limit, sizeof(limit), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
	near = strncmp(fields->of[NOT_AFTER].at, limit, fields->of[NOT_AFTER].len) < 0;
	cells.len = 0;
	cell(&cells, fields->of[NOT_AFTER]);
	cell(&cells, fields->of[HOST]);
	cell(&cells, near ? (struct text){ "within 30 days", 14 } : (struct text){ "-", 1 });
	count(report, EGRET_CERTIFICATES, &cells, fields);
}

#define COUNT(table, ...) \
	count_columns(report, table, &fields, (const enum member[]){ __VA_ARGS__ }, sizeof((const enum member[]){ __VA_ARGS__ }) / sizeof(enum member))

void egret_report_line(struct egret_report *report, const char *line, size_t len)
{
	struct fields fields = { .of = { { NULL, 0 } } };

	report->lines++;
	if (!scan(line, line + len, &fields)) {
		report->unread++;
		return;
	}
	if (is(fields.of[EVENT], "http"))
		COUNT(EGRET_REQUESTS, VERDICT, METHOD, HOST, PATH, STATUS);
	else if (is(fields.of[EVENT], "exec"))
		COUNT(EGRET_UNCOVERED_PROGRAMS, PATH, ERROR_TEXT);
	else if (is(fields.of[EVENT], "close"))
		COUNT(EGRET_BYTES, PORT);
	else if (fields.of[VERDICT].at)
		COUNT(EGRET_DESTINATIONS, VERDICT, PROTOCOL, PORT, ENTRY, REASON);
	if (fields.of[EXE].at && fields.of[VERDICT].at)
		COUNT(EGRET_PROGRAMS, EXE);
	if (fields.of[VERSION].at)
		COUNT(EGRET_TLS_VERSIONS, VERSION, CIPHER, RESUMED);
	if (fields.of[NOT_AFTER].at)
		count_certificate(report, &fields);
}
