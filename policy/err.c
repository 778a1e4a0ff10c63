#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One message is one line: what would break it, or move a terminal's cursor, becomes '?'. */
static void make_one_line(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

void egret_err_add(struct egret_err *err, const char *file, unsigned line, const char *fmt, ...)
{
	struct egret_err_item item = {.line = line, .added = err ? err->count : 0};
	struct egret_err_item *grown;
	va_list args;
	int formatted;

	if (!err)
		return;
	va_start(args, fmt);
	formatted = vasprintf(&item.text, fmt, args);
	va_end(args);
	if (formatted < 0) {
		err->no_memory = 1;
		return;
	}
	make_one_line(item.text);
	item.file = file ? strdup(file) : NULL;
	/* Grown at each power of two. */
	grown = err->items;
	if ((err->count & (err->count - 1)) == 0)
		grown = realloc(err->items, (err->count ? err->count * 2 : 1) * sizeof(*grown));
	if (grown)
		err->items = grown;
	if (!grown || (file && !item.file)) {
		free(item.text);
		free(item.file);
		err->no_memory = 1;
		return;
	}
	err->items[err->count++] = item;
}

/* Messages without a file come first: they are about all of them. */
static int rank(const char *file, const char *first)
{
	return file == NULL ? 0 : strcmp(file, first) == 0 ? 1 : 2;
}

static int by_place(const void *one, const void *two, void *first)
{
	const struct egret_err_item *a = one, *b = two;
	int place = rank(a->file, first) - rank(b->file, first);

	if (!place && a->file)
		place = strcmp(a->file, b->file);
	if (!place)
		place = (a->line > b->line) - (a->line < b->line);
	return place ? place : (a->added > b->added) - (a->added < b->added);
}

void egret_err_sort(struct egret_err *err, const char *first)
{
	if (err->count > 1)
		qsort_r(err->items, err->count, sizeof(*err->items), by_place, (void *)first);
}

int egret_err_any(const struct egret_err *err)
{
	return err->count > 0 || err->no_memory;
}

size_t egret_err_format(const struct egret_err *err, size_t i, char *buf, size_t size)
{
	const struct egret_err_item *item;
	int len;

	if (i >= err->count)
		len = snprintf(buf, size, "out of memory");
	else if (item = &err->items[i], !item->file)
		len = snprintf(buf, size, "%s", item->text);
	else if (item->line)
		len = snprintf(buf, size, "%s:%u: %s", item->file, item->line, item->text);
	else
		len = snprintf(buf, size, "%s: %s", item->file, item->text);
	return len < 0 ? 0 : (size_t)len;
}

void egret_err_free(struct egret_err *err)
{
	for (size_t i = 0; i < err->count; i++) {
		free(err->items[i].file);
		free(err->items[i].text);
	}
	free(err->items);
	*err = (struct egret_err){0};
}
