#include "report.h"

#include "policy/escape.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CELL_SHOWN 120 /* bytes of a cell that people are shown */
#define MD_ROWS 90    /* of one table: seven of them stay below the 1 MiB that a job's summary may have */
#define LAST_ROWS (2 * EGRET_REPORT_ROWS + 2)

/* A cell of ROW: from *AT on, to the tab or the end. */
static const char *next_cell(const struct egret_row *row, const char **at, size_t *len)
{
	const char *cell = *at, *end = row->cells + row->len, *tab = memchr(cell, '\t', (size_t)(end - cell));

	*len = (size_t)((tab ? tab : end) - cell);
	*at = tab ? tab + 1 : end;
	return cell;
}

/* CELL for people: the two escapes of JSON that hide nothing undone, what could steer a terminal replaced, long ones cut. */
static size_t for_people(const char *cell, size_t len, char out[CELL_SHOWN + 8])
{
	size_t used = 0;

	for (size_t i = 0, n; i < len; i += n) {
		if (cell[i] == '\\' && i + 1 < len && (cell[i + 1] == '"' || cell[i + 1] == '\\'))
			i++;
		n = egret_printable(cell + i, len - i);
		if (used + 4 > CELL_SHOWN) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		memcpy(out + used, n ? cell + i : "?", n ? n : 1);
		used += n ? n : 1;
		n = n ? n : 1;
	}
	out[used] = '\0';
	return used;
}

static int by_importance(const void *a, const void *b)
{
	const struct egret_row *one = *(struct egret_row *const *)a, *two = *(struct egret_row *const *)b;
	int weight_one = one->denied ? 2 : one->audited ? 1 : 0, weight_two = two->denied ? 2 : two->audited ? 1 : 0;

	if (weight_one != weight_two)
		return weight_two - weight_one;
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
	struct egret_row **rows = calloc(LAST_ROWS, sizeof(struct egret_row *));

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

/* Characters of a cell: each is a column, but for those of East Asia. */
static size_t columns(const char *cell)
{
	size_t count = 0;

	for (; *cell; cell++)
		count += ((unsigned char)*cell & 0xc0) != 0x80;
	return count;
}

static void print_text(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	size_t widths[EGRET_REPORT_COLUMNS] = { 0 }, len;
	char cell[CELL_SHOWN + 8];

	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		widths[c] = strlen(shape->columns[c]);
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			const char *text = next_cell(rows[i], &at, &len);

			for_people(text, len, cell);
			len = columns(cell);
			widths[c] = len > widths[c] ? len : widths[c];
		}
	}
	printf("%s\n", shape->title);
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("  %-*s", (int)widths[c], shape->columns[c]);
	printf(" %10s%s%s\n", "count", shape->denials ? "     denied" : "", shape->bytes ? "   received       sent" : "");
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			const char *text = next_cell(rows[i], &at, &len);

			for_people(text, len, cell);
			printf("  %s%*s", cell, (int)(widths[c] - columns(cell)), "");
		}
		print_sums(shape, rows[i], " %10llu");
		putchar('\n');
	}
	putchar('\n');
}

/* Would Markdown, as GitHub reads it, take what begins at C for a bar, markup, a tag, a formula, or a link by its looks alone? */
static bool is_markup(const char *cell, const char *c)
{
	if (*c == ':')
		return c[1] == '/';
	if (*c == '.')
		return c - cell >= 3 && !strncasecmp(c - 3, "www", 3);
	return strchr("|`*_<>[]#\\&~$", *c);
}

/* It is shown as it is. */
static void print_md_cell(const char *text, size_t len)
{
	char cell[CELL_SHOWN + 8];

	for_people(text, len, cell);
	printf("| ");
	for (const char *c = cell; *c; c++) {
		if (is_markup(cell, c))
			putchar('\\');
		putchar(*c);
	}
	putchar(' ');
}

static void print_md(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	size_t len;

	printf("### %s\n\n", shape->title);
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("| %s ", shape->columns[c]);
	printf("| count %s%s|\n", shape->denials ? "| denied " : "", shape->bytes ? "| received | sent " : "");
	for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++)
		printf("|---");
	printf("|--:%s%s|\n", shape->denials ? "|--:" : "", shape->bytes ? "|--:|--:" : "");
	for (size_t i = 0; i < count && i < MD_ROWS; i++) {
		const char *at = rows[i]->cells;

		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			const char *text = next_cell(rows[i], &at, &len);

			print_md_cell(text, len);
		}
		print_sums(shape, rows[i], "| %llu ");
		printf("|\n");
	}
	if (count > MD_ROWS)
		printf("\n%zu more rows: `egret report --format=text` shows them.\n", count - MD_ROWS);
	putchar('\n');
}

/* The length of the escape (RFC 8259 7) that begins at TEXT, 0 when it is none. */
static size_t escape_at(const char *text, size_t len)
{
	size_t digits = 0;

	if (len < 2 || !strchr("\"\\/bfnrtu", text[1]) || !text[1])
		return 0;
	while (text[1] == 'u' && digits < 4 && 2 + digits < len && isxdigit((unsigned char)text[2 + digits]))
		digits++;
	return text[1] != 'u' ? 2 : digits == 4 ? 6 : 0;
}

/* A cell is the body of a JSON string already; bytes that cannot be part of one become a question mark. */
static void print_json_cell(const char *name, const char *cell, size_t len)
{
	printf("\"%s\":\"", name);
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = cell[i] == '\\' ? escape_at(cell + i, len - i) : egret_printable(cell + i, len - i);
		fwrite(n ? cell + i : "?", 1, n ? n : 1, stdout);
	}
	printf("\",");
}

static void print_json(const struct egret_table_shape *shape, struct egret_row **rows, size_t count)
{
	size_t len;

	printf("\"%s\":[", shape->name);
	for (size_t i = 0; i < count; i++) {
		const char *at = rows[i]->cells;

		printf("%s\n{", i ? "," : "");
		for (size_t c = 0; c < EGRET_REPORT_COLUMNS && shape->columns[c]; c++) {
			const char *text = next_cell(rows[i], &at, &len);

			print_json_cell(shape->columns[c], text, len);
		}
		printf("\"count\":%llu,\"denied\":%llu,\"received\":%llu,\"sent\":%llu}", (unsigned long long)rows[i]->count,
		       (unsigned long long)rows[i]->denied, (unsigned long long)rows[i]->received, (unsigned long long)rows[i]->sent);
	}
	printf("]");
}

static void print_head(const struct egret_report *report, enum egret_report_format format)
{
	char since[CELL_SHOWN + 8], until[CELL_SHOWN + 8];

	for_people(report->since, strlen(report->since), since);
	for_people(report->until, strlen(report->until), until);
	if (format == EGRET_REPORT_JSON) {
		printf("{\"lines\":%llu,\"unread\":%llu,", (unsigned long long)report->lines, (unsigned long long)report->unread);
		print_json_cell("since", report->since, strlen(report->since));
		print_json_cell("until", report->until, strlen(report->until));
		printf("\n");
		return;
	}
	printf("%llu event%s", (unsigned long long)(report->lines - report->unread), report->lines - report->unread == 1 ? "" : "s");
	if (report->unread)
		printf(", %llu line%s that %s none", (unsigned long long)report->unread, report->unread == 1 ? "" : "s", report->unread == 1 ? "is" : "are");
	if (since[0])
		printf(", %s to %s", since, until);
	printf("\n\n");
}

void egret_report_print(struct egret_report *report, enum egret_report_format format)
{
	print_head(report, format);
	for (size_t table = 0; table < EGRET_TABLES; table++) {
		size_t count;
		struct egret_row **rows = sorted(report, table, &count);

		if (!rows) {
			report->no_memory = true;
			continue;
		}
		if (format == EGRET_REPORT_JSON) {
			printf("%s", table ? ",\n" : "");
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
