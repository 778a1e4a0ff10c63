#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cell of ROW: from *AT on, to the tab or the end. */
static const char *next_cell(const char **at, int *len)
{
	const char *cell = *at;

	*len = (int)strcspn(cell, "\t");
	*at = cell + *len + (cell[*len] == '\t');
	return cell;
}

static int by_importance(const void *a, const void *b)
{
	const struct egret_row *one = *(struct egret_row *const *)a, *two = *(struct egret_row *const *)b;
	bool one_denied = one->denied != 0, two_denied = two->denied != 0;

	if (one_denied != two_denied)
		return two_denied - one_denied;
	if (one->count != two->count)
		return one->count < two->count ? 1 : -1;
	return strcmp(one->cells, two->cells);
}

static int by_cells(const void *a, const void *b)
{
	return strcmp((*(struct egret_row *const *)a)->cells, (*(struct egret_row *const *)b)->cells);
}

/* The rows of TABLE in the order of printing; the caller frees the array. */
static struct egret_row **sorted(const struct egret_report *report, size_t table, size_t *count)
{
	struct egret_row **rows = calloc(EGRET_REPORT_ROWS + 1, sizeof(struct egret_row *));

	*count = 0;
	for (size_t i = 0; rows && i < EGRET_REPORT_ROWS; i++)
		for (struct egret_row *row = report->buckets[table][i]; row; row = row->next)
			rows[(*count)++] = row;
	if (rows)
		qsort(rows, *count, sizeof(*rows), table == EGRET_CERTIFICATES ? by_cells : by_importance);
	return rows;
}

static void print_sums(const struct egret_table_shape *shape, const struct egret_row *row, const char *form)
{
	printf(form, (unsigned long long)row->count);
	if (shape->denials)
		printf(form, (unsigned long long)row->denied);
	if (shape->bytes) {
		printf(form, (unsigned long long)row->received);
		printf(form, (unsigned long long)row->sent);
	}
}

static void print_text(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	int widths[EGRET_REPORT_COLUMNS] = { 0 }, len;

	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		widths[c] = (int)strlen(shape->columns[c]);
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && *at; c++) {
			next_cell(&at, &len);
			widths[c] = len > widths[c] ? len : widths[c];
		}
	}
	printf("%s\n", shape->title);
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("  %-*s", widths[c], shape->columns[c]);
	printf(" %10s%s%s\n", "count", shape->denials ? "     denied" : "", shape->bytes ? "   received       sent" : "");
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells, *cell;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			cell = next_cell(&at, &len);
			printf("  %-*.*s", widths[c], len, cell);
		}
		print_sums(shape, rows[i], " %10llu");
		putchar('\n');
	}
	putchar('\n');
}

/* What Markdown would read as a bar, markup or a tag is shown as it is. */
static void print_md_cell(const char *cell, int len)
{
	printf("| ");
	for (int i = 0; i < len; i++) {
		if (strchr("|`*_<>[]#", cell[i]))
			putchar('\\');
		putchar(cell[i]);
	}
	putchar(' ');
}

static void print_md(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	int len;

	printf("### %s\n\n", shape->title);
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("| %s ", shape->columns[c]);
	printf("| count %s%s|\n", shape->denials ? "| denied " : "", shape->bytes ? "| received | sent " : "");
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("|---");
	printf("|--:%s%s|\n", shape->denials ? "|--:" : "", shape->bytes ? "|--:|--:" : "");
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells, *cell;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			cell = next_cell(&at, &len);
			print_md_cell(cell, len);
		}
		print_sums(shape, rows[i], "| %llu ");
		printf("|\n");
	}
	putchar('\n');
}

static void print_json(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	int len;

	printf("\"%s\":[", shape->name);
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells, *cell;

		printf("%s\n{", i ? "," : "");
		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			cell = next_cell(&at, &len);
			printf("\"%s\":\"%.*s\",", shape->columns[c], len, cell);
		}
		printf("\"count\":%llu,\"denied\":%llu,\"received\":%llu,\"sent\":%llu}", (unsigned long long)rows[i]->count,
		       (unsigned long long)rows[i]->denied, (unsigned long long)rows[i]->received, (unsigned long long)rows[i]->sent);
	}
	printf("]");
}

void egret_report_print(struct egret_report *report, enum egret_report_format format)
{
	if (format == EGRET_REPORT_JSON)
		printf("{\"lines\":%llu,\"unread\":%llu", (unsigned long long)report->lines, (unsigned long long)report->unread);
	for (size_t table = 0; table < EGRET_TABLES; table++) {
		size_t count;
		struct egret_row **rows = sorted(report, table, &count);

		if (!rows) {
			report->no_memory = true;
			continue;
		}
		if (format == EGRET_REPORT_JSON) {
			printf(",\n");
			print_json(&egret_tables[table], rows, count);
		} else if (count && format == EGRET_REPORT_MD) {
			print_md(&egret_tables[table], rows, count);
		} else if (count) {
			print_text(&egret_tables[table], rows, count);
		}
		free(rows);
	}
	if (format == EGRET_REPORT_JSON)
		printf("}\n");
}
