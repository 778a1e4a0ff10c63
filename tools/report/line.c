#include "fields.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEAR_DAYS 30
#define CELLS_MAX 2048
#define CELL_MAX 300

struct cells {
	char text[CELLS_MAX];
	size_t len;
};

/* How much of TEXT a cell has: whole escapes. */
static size_t whole_escapes(struct egret_text text)
{
	size_t len = 0, next = 0;

	if (text.len <= CELL_MAX)
		return text.len;
	for (; next <= CELL_MAX; next += text.at[next] != '\\' ? 1 : text.at[next + 1] == 'u' ? 6 : 2)
		len = next;
	return len;
}

static void cell(struct cells *cells, struct egret_text text)
{
	size_t len = whole_escapes(text);

	if (cells->len)
		cells->text[cells->len++] = '\t';
	memcpy(cells->text + cells->len, text.at ? text.at : "-", text.at ? len : 1);
	cells->len += text.at ? len : 1;
}

static void destination(struct cells *cells, const struct egret_fields *fields)
{
	struct egret_text host = fields->of[HOST], port = fields->of[PORT];
	char text[CELL_MAX];

	if (!port.at || !host.at || port.len > 5) {
		cell(cells, host.at ? host : fields->of[ADDRESS]);
		return;
	}
	host.len = host.len < 256 ? host.len : 256;
	memcpy(text, host.at, host.len);
	text[host.len] = ':';
	memcpy(text + host.len + 1, port.at, port.len);
	cell(cells, (struct egret_text){ text, host.len + 1 + port.len });
}

/* The path without its query, two segments of it. */
static struct egret_text path_prefix(struct egret_text path)
{
	size_t slashes = 0, len = 0;

	while (len < path.len && path.at[len] != '?' && (slashes += path.at[len] == '/') < 3)
		len++;
	path.len = len;
	return path;
}

static bool is(struct egret_text text, const char *word)
{
	return text.at && text.len == strlen(word) && !memcmp(text.at, word, text.len);
}

static uint64_t number(struct egret_text text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len && text.at[i] >= '0' && text.at[i] <= '9'; i++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(text.at[i] - '0'), &value))
			return UINT64_MAX;
	return value;
}

/* More than the sum can hold is its largest value: a sum that began anew would tell of little. */
static void add(uint64_t *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

static void count(struct egret_report *report, enum egret_table table, const struct cells *cells, const struct egret_fields *fields)
{
	bool denied = is(fields->of[VERDICT], "deny");
	struct egret_row *row = egret_report_row(report, table, cells->text, cells->len, denied);

	if (!row)
		return;
	row->count++;
	row->denied += denied;
	row->audited += is(fields->of[AUDITED], "true");
	add(&row->received, number(fields->of[RECEIVED]));
	add(&row->sent, number(fields->of[SENT]));
}

/* What a column of TABLE shows of a line. */
static struct egret_text shown(const struct egret_fields *fields, enum egret_table table, enum egret_member column)
{
	if (column == VERDICT && is(fields->of[AUDITED], "true"))
		return (struct egret_text){ "audit", 5 };
	if (column == PATH && table == EGRET_REQUESTS)
		return path_prefix(fields->of[PATH]);
	if (column == RULE && !fields->of[RULE].at && !is(fields->of[VERDICT], "allow"))
		return fields->of[REASON];
	return fields->of[column];
}

static void count_columns(struct egret_report *report, enum egret_table table, const struct egret_fields *fields, const enum egret_member *columns,
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

static void count_certificate(struct egret_report *report, const struct egret_fields *fields)
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
	cell(&cells, near ? (struct egret_text){ "within 30 days", 14 } : (struct egret_text){ "-", 1 });
	count(report, EGRET_CERTIFICATES, &cells, fields);
}

/* RFC 3339 in UTC sorts as text. */
static void note_time(struct egret_report *report, struct egret_text time)
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
	count_columns(report, table, fields, (const enum egret_member[]){ __VA_ARGS__ }, sizeof((const enum egret_member[]){ __VA_ARGS__ }) / sizeof(enum egret_member))

static void count_event(struct egret_report *report, const struct egret_fields *fields)
{
	note_time(report, fields->of[TIME]);
	if (is(fields->of[EVENT], "http"))
		COUNT(EGRET_REQUESTS, VERDICT, METHOD, HOST, PATH, STATUS, RULE);
	else if (is(fields->of[EVENT], "exec"))
		COUNT(EGRET_UNCOVERED_PROGRAMS, PATH, ERROR_TEXT);
	else if (is(fields->of[EVENT], "close"))
		COUNT(EGRET_BYTES, PORT);
	else if (fields->of[VERDICT].at)
		COUNT(EGRET_DESTINATIONS, VERDICT, PROTOCOL, PORT, ENTRY, REASON);
	if (fields->of[EXE].at && fields->of[VERDICT].at)
		COUNT(EGRET_PROGRAMS, EXE);
	if (fields->of[VERSION].at && is(fields->of[EVENT], "tls"))
		COUNT(EGRET_TLS_VERSIONS, VERSION, CIPHER, RESUMED);
	if (fields->of[NOT_AFTER].at)
		count_certificate(report, fields);
}

/* Where a line begins whose forerunner was cut (its program was killed, the disk was full), NULL: nowhere. No value has these bytes: its
 * quotes are escaped. */
static const char *next_begin(const char *at, const char *end)
{
	static const char begin[] = "{\"time\":\"";

	return end - at > 1 ? memmem(at + 1, (size_t)(end - at) - 1, begin, sizeof(begin) - 1) : NULL;
}

void egret_report_line(struct egret_report *report, const char *line, size_t len)
{
	const char *end = line + len;

	for (; line; line = next_begin(line, end)) {
		struct egret_fields fields = { .of = { { NULL, 0 } } };
		bool event = egret_fields_scan(line, end, &fields);

		report->lines++;
		report->unread += !event;
		if (!event)
			continue;
		count_event(report, &fields);
		return;
	}
}
