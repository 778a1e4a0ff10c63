/* What `egret report` counts: log lines in, tables out. Memory is bounded by EGRET_REPORT_ROWS rows a table. Single-threaded. */
#ifndef EGRET_REPORT_H
#define EGRET_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRET_REPORT_ROWS 4096 /* of one table; what comes later is counted in one row "(others)" */
#define EGRET_REPORT_COLUMNS 5

enum egret_table { EGRET_DESTINATIONS, EGRET_REQUESTS, EGRET_TLS_VERSIONS, EGRET_CERTIFICATES, EGRET_BYTES, EGRET_PROGRAMS, EGRET_UNCOVERED_PROGRAMS };
#define EGRET_TABLES 7

struct egret_table_shape {
	const char *name, *title;
	const char *columns[EGRET_REPORT_COLUMNS]; /* NULL: no more */
	bool bytes, denials; /* these sums are shown */
};
extern const struct egret_table_shape egret_tables[EGRET_TABLES];

/* The cells are JSON string bodies as they stood in the log, a tab between two. */
struct egret_row {
	struct egret_row *next;
	uint64_t count, denied, received, sent;
	uint32_t hash;
	char cells[];
};

struct egret_report {
	struct egret_row *buckets[EGRET_TABLES][EGRET_REPORT_ROWS];
	size_t rows[EGRET_TABLES];
	uint64_t lines, unread; /* unread: no event in JSON */
	bool no_memory;
};

/* Counts one line of the log (RFC 8259 object, no newline needed). */
void egret_report_line(struct egret_report *report, const char *line, size_t len);
/* The row of CELLS in TABLE, made when new. NULL when memory is out. */
struct egret_row *egret_report_row(struct egret_report *report, enum egret_table table, const char *cells, size_t len);
void egret_report_free(struct egret_report *report);

enum egret_report_format { EGRET_REPORT_TEXT, EGRET_REPORT_MD, EGRET_REPORT_JSON };
/* Prints every table on standard output: denials first, then by count; certificates by expiry. */
void egret_report_print(struct egret_report *report, enum egret_report_format format);

#endif
