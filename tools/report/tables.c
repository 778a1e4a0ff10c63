#include "report.h"

#include <stdlib.h>
#include <string.h>

const struct egret_table_shape egret_tables[EGRET_TABLES] = {
	[EGRET_DESTINATIONS] = { "destinations", "Destinations", { "verdict", "protocol", "destination", "entry", "reason" }, false, false },
	[EGRET_REQUESTS] = { "requests", "HTTP requests", { "verdict", "method", "host", "path", "status" }, true, false },
	[EGRET_TLS_VERSIONS] = { "tls", "TLS", { "version", "cipher", "resumed" }, false, false },
	[EGRET_CERTIFICATES] = { "certificates", "Certificates by expiry", { "not_after", "host", "near" }, false, false },
	[EGRET_BYTES] = { "bytes", "Bytes", { "destination" }, true, false },
	[EGRET_PROGRAMS] = { "programs", "Programs", { "program" }, false, true },
	[EGRET_UNCOVERED_PROGRAMS] = { "uncovered", "Ran uncovered", { "program", "reason" }, false, false },
};

static struct egret_row *find(const struct egret_report *report, enum egret_table table, uint32_t hash, const char *cells, size_t len)
{
	struct egret_row *row = report->buckets[table][hash % EGRET_REPORT_ROWS];

	while (row && (row->hash != hash || strncmp(row->cells, cells, len) || row->cells[len]))
		row = row->next;
	return row;
}

struct egret_row *egret_report_row(struct egret_report *report, enum egret_table table, const char *cells, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	struct egret_row *row, **bucket;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)cells[i]) * 16777619u;
	row = find(report, table, hash, cells, len);
	if (row)
		return row;
	if (report->rows[table] == EGRET_REPORT_ROWS) {
		cells = "(others)";
		len = strlen(cells);
		hash = 0;
		row = find(report, table, hash, cells, len);
		if (row)
			return row;
	}
	row = calloc(1, sizeof(*row) + len + 1);
	if (!row) {
		report->no_memory = true;
		return NULL;
	}
	memcpy(row->cells, cells, len);
	row->hash = hash;
	bucket = &report->buckets[table][hash % EGRET_REPORT_ROWS];
	row->next = *bucket;
	*bucket = row;
	report->rows[table] += report->rows[table] < EGRET_REPORT_ROWS;
	return row;
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
