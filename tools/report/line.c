#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEAR_DAYS 30
#define CELLS_MAX 2048
#define CELL_MAX 300
#define NAME_MAX_BYTES 14

/* The members that count here, by the length of their names; the others are skipped. */
enum member { EXE, TIME, HOST, PORT, PATH, RULE, EVENT, ENTRY, ERROR_TEXT, REASON, METHOD, STATUS, CIPHER, VERDICT, AUDITED, ADDRESS, VERSION, RESUMED,
	PROTOCOL, NOT_AFTER, SENT, RECEIVED, MEMBERS };
static const char names[MEMBERS][NAME_MAX_BYTES + 1] = { "exe", "time", "host", "port", "path", "rule", "event", "entry", "error", "reason", "method",
	"status", "cipher", "verdict", "audited", "address", "version", "resumed", "protocol", "not_after", "bytes_sent", "bytes_received" };
static const unsigned char first_of_length[NAME_MAX_BYTES + 2] = { EXE, EXE, EXE, EXE, TIME, EVENT, REASON, VERDICT, PROTOCOL, NOT_AFTER, SENT, RECEIVED,
	RECEIVED, RECEIVED, RECEIVED, MEMBERS };

struct text { const char *at; size_t len; };
struct fields { struct text of[MEMBERS]; };

static struct text *member_of(struct fields *fields, const char *name, size_t len)
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

/* One "name":value. Returns what follows it, NULL: no JSON as egret writes it. */
static const char *scan_member(const char *at, const char *end, struct fields *fields)
{
	const char *name = at + 1, *name_end = string_end(name, end), *value;
	struct text *field;

	if (!name_end || end - name_end < 3 || name_end[1] != ':')
		return NULL;
	field = member_of(fields, name, (size_t)(name_end - name));
	value = name_end + 2;
	if (*value == '"') {
		at = string_end(++value, end);
		if (!at)
			return NULL;
	} else {
		for (at = value; at < end && *at != ',' && *at != '}'; at++)
			;
	}
	if (field)
		*field = (struct text){ value, (size_t)(at - value) };
	return at + (at < end && *at == '"');
}

static bool scan(const char *at, const char *end, struct fields *fields)
{
	if (at == end || *at++ != '{')
		return false;
	while (at < end && *at == '"') {
		at = scan_member(at, end, fields);
		if (!at || at == end || (*at != ',' && *at != '}'))
			return false;
		if (*at++ == '}')
			return fields->of[EVENT].at && (at == end || *at == '\n' || *at == '\r');
	}
	return false;
}

struct cells {
	char text[CELLS_MAX];
	size_t len;
};

/* How much of TEXT a cell has: whole escapes. */
static size_t whole_escapes(struct text text)
{
	size_t len = 0, next = 0;

	if (text.len <= CELL_MAX)
		return text.len;
	for (; next <= CELL_MAX; next += text.at[next] != '\\' ? 1 : text.at[next + 1] == 'u' ? 6 : 2)
		len = next;
	return len;
}

static void cell(struct cells *cells, struct text text)
{
	size_t len = whole_escapes(text);

	if (cells->len)
		cells->text[cells->len++] = '\t';
	memcpy(cells->text + cells->len, text.at ? text.at : "-", text.at ? len : 1);
	cells->len += text.at ? len : 1;
}

static void destination(struct cells *cells, const struct fields *fields)
{
	struct text host = fields->of[HOST], port = fields->of[PORT];
	char text[CELL_MAX];

	if (!port.at || !host.at || port.len > 5) {
		cell(cells, host.at ? host : fields->of[ADDRESS]);
		return;
	}
	host.len = host.len < 256 ? host.len : 256;
	memcpy(text, host.at, host.len);
	text[host.len] = ':';
	memcpy(text + host.len + 1, port.at, port.len);
	cell(cells, (struct text){ text, host.len + 1 + port.len });
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
	bool denied = is(fields->of[VERDICT], "deny");
	struct egret_row *row = egret_report_row(report, table, cells->text, cells->len, denied);

	if (!row)
		return;
	row->count++;
	row->denied += denied;
	row->audited += is(fields->of[AUDITED], "true");
	row->received += number(fields->of[RECEIVED]);
	row->sent += number(fields->of[SENT]);
}

/* What a column of TABLE shows of a line. */
static struct text shown(const struct fields *fields, enum egret_table table, enum member column)
{
	if (column == VERDICT && is(fields->of[AUDITED], "true"))
		return (struct text){ "audit", 5 };
	if (column == PATH && table == EGRET_REQUESTS)
		return path_prefix(fields->of[PATH]);
	if (column == RULE && !fields->of[RULE].at && !is(fields->of[VERDICT], "allow"))
		return fields->of[REASON];
	return fields->of[column];
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
			cell(&cells, shown(fields, table, columns[i]));
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

/* RFC 3339 in UTC sorts as text. */
static void note_time(struct egret_report *report, struct text time)
{
	char stamp[EGRET_REPORT_TIME] = "";

	if (!time.at || time.len >= sizeof(stamp))
		return;
	memcpy(stamp, time.at, time.len);
	if (!report->since[0] || strcmp(stamp, report->since) < 0)
		memcpy(report->since, stamp, sizeof(stamp));
	if (strcmp(stamp, report->until) > 0)
		memcpy(report->until, stamp, sizeof(stamp));
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
	note_time(report, fields.of[TIME]);
	if (is(fields.of[EVENT], "http"))
		COUNT(EGRET_REQUESTS, VERDICT, METHOD, HOST, PATH, STATUS, RULE);
	else if (is(fields.of[EVENT], "exec"))
		COUNT(EGRET_UNCOVERED_PROGRAMS, PATH, ERROR_TEXT);
	else if (is(fields.of[EVENT], "close"))
		COUNT(EGRET_BYTES, PORT);
	else if (fields.of[VERDICT].at)
		COUNT(EGRET_DESTINATIONS, VERDICT, PROTOCOL, PORT, ENTRY, REASON);
	if (fields.of[EXE].at && fields.of[VERDICT].at)
		COUNT(EGRET_PROGRAMS, EXE);
	if (fields.of[VERSION].at && is(fields.of[EVENT], "tls"))
		COUNT(EGRET_TLS_VERSIONS, VERSION, CIPHER, RESUMED);
	if (fields.of[NOT_AFTER].at)
		count_certificate(report, &fields);
}
