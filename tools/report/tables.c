#include "report.h"

#include <stdlib.h>
#include <string.h>

const struct egret_table_shape egret_tables[EGRET_TABLES] = {
	[EGRET_DESTINATIONS] = { "destinations", "Destinations", { "verdict", "protocol", "destination", "entry", "reason" }, false, false },
	[EGRET_REQUESTS] = { "requests", "HTTP requests", { "verdict", "method", "host", "path", "status", "rule" }, true, false },
	[EGRET_TLS_VERSIONS] = { "tls", "TLS", { "version", "cipher", "resumed" }, false, false },
	[EGRET_CERTIFICATES] = { "certificates", "Certificates by expiry", { "not_after", "host", "near" }, false, false },
	[EGRET_BYTES] = { "bytes", "Bytes", { "destination" }, true, false },
	[EGRET_PROGRAMS] = { "programs", "Programs", { "program" }, false, true },
	[EGRET_UNCOVERED_PROGRAMS] = { "uncovered", "Ran uncovered", { "program", "reason" }, false, false },
};

static struct egret_row *find(const struct egret_report *report, enum egret_table table, uint32_t hash, const char *cells, size_t len)
{
	struct egret_row *row = report->buckets[table][hash % EGRET_REPORT_ROWS];

	while (row && (row->hash != hash || row->len != len || memcmp(row->cells, cells, len)))
		row = row->next;
	return row;
}

static struct egret_row *add(struct egret_report *report, enum egret_table table, uint32_t hash, const char *cells, size_t len)
{
	struct egret_row *row = calloc(1, sizeof(*row) + len + 1), **bucket = &report->buckets[table][hash % EGRET_REPORT_ROWS];

	if (!row) {
		report->no_memory = true;
		return NULL;
	}
	memcpy(row->cells, cells, len);
	row->len = len;
	row->hash = hash;
	row->next = *bucket;
	*bucket = row;
	return row;
}

/* FNV-1a from where nobody knows, and mixed: who writes the log could make all its rows fall into one bucket. */
static uint32_t hash_of(const struct egret_report *report, const char *cells, size_t len)
{
	uint32_t hash = 2166136261u ^ report->seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)cells[i]) * 16777619u;
	hash = (hash ^ hash >> 16) * 0x85ebca6bu;
	return hash ^ hash >> 13;
}

struct egret_row *egret_report_row(struct egret_report *report, enum egret_table table, const char *cells, size_t len, bool denied)
{
	static const char *const others[] = { "(others)", "(other denials)" };
	uint32_t hash = hash_of(report, cells, len);
	struct egret_row *row;

	row = find(report, table, hash, cells, len);
	if (row)
		return row;
	if (report->rows[table][denied] < EGRET_REPORT_ROWS) {
		report->rows[table][denied]++;
		return add(report, table, hash, cells, len);
	}
	cells = others[denied];
	len = strlen(cells);
	row = find(report, table, denied, cells, len);
	return row ? row : add(report, table, denied, cells, len);
}

void egret_report_free(struct egret_report *report)
{
	for (size_t table = 0; table < EGRET_TABLES; table++)
		for (size_t i = 0; i < EGRET_REPORT_ROWS; i++)
			for (struct egret_row *row = report->buckets[table][i], *next; row; row = next) {
				next = row->next;
				free(row);
			}
}
