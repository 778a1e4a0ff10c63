/* Errors as values: a list of messages, filled where they happen, printed at the edge.
 *
 * Owner: the caller that declares it (zero-initialised). Not thread-safe; one list, one thread.
 * Each message is one line of UTF-8 without a newline, in the form a user can act on: what was expected, what came, what to do.
 */
#ifndef EGRET_ERR_H
#define EGRET_ERR_H

#include <stddef.h>

struct egret_err_item {
	char *file;    /* owned; NULL when the error has no place in a file */
	unsigned line; /* 1-based; 0 when unknown */
	char *text;    /* owned */
	size_t added;  /* how many were there before it */
};

struct egret_err {
	struct egret_err_item *items;
	size_t count;
	int no_memory; /* set when a message could not be stored; the list still counts as "has errors" */
};

/* Appends one message. FILE may be NULL. */
void egret_err_add(struct egret_err *err, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Brings the messages into the order in which their places are read: those of file FIRST, then the other files' by name, each by line.
 * Messages of one line keep their order. */
void egret_err_sort(struct egret_err *err, const char *first);

/* True when at least one error was added (or memory ran out while adding one). */
int egret_err_any(const struct egret_err *err);

/* Formats item I as "file:line: text" into BUF (always terminated). Returns the length that was needed. */
size_t egret_err_format(const struct egret_err *err, size_t i, char *buf, size_t size);

/* Frees all messages and leaves ERR empty and reusable. */
void egret_err_free(struct egret_err *err);

#endif
