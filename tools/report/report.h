/* What `egret report` counts: log lines in, tables out. Memory is bounded by EGRET_REPORT_ROWS rows a table, and as many for denials, so that
 * a flood of the one never hides the other. Single-threaded. */
#ifndef EGRET_REPORT_H
#define EGRET_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRET_REPORT_ROWS 4096 /* of one table; what comes later is counted in one row "(others)" */
#define EGRET_REPORT_COLUMNS 6
#define EGRET_REPORT_TIME 32 /* bytes of a time, NUL included */

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
	uint64_t count, denied, audited, received, sent;
	uint32_t hash;
	size_t len; /* of cells, which may hold any byte */
	char cells[];
};

struct egret_report {
	struct egret_row *buckets[EGRET_TABLES][EGRET_REPORT_ROWS];
	size_t rows[EGRET_TABLES][2]; /* [1]: of denials */
	char since[EGRET_REPORT_TIME], until[EGRET_REPORT_TIME]; /* first and last event; "": not known */
	uint64_t lines, unread; /* unread: no event in JSON */
	uint32_t seed;          /* of the buckets: random, or 0 */
	bool no_memory;
};

/* Counts one line of the log (RFC 8259 object, no newline needed). */
void egret_report_line(struct egret_report *report, const char *line, size_t len);
/* The row of CELLS in TABLE, made when new. NULL when memory is out. */
struct egret_row *egret_report_row(struct egret_report *report, enum egret_table table, const char *cells, size_t len, bool denied);
void egret_report_free(struct egret_report *report);

enum egret_report_format { EGRET_REPORT_TEXT, EGRET_REPORT_MD, EGRET_REPORT_JSON };
/* Prints every table on standard output: denials first, then what audit let pass, then by count; certificates by expiry. Markdown is cut to
 * what a CI job's summary takes (1 MiB). */
void egret_report_print(struct egret_report *report, enum egret_report_format format);

#endif
