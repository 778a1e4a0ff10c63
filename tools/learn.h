/* From the events of a run in audit mode to the grants that would have allowed it. Single-threaded. */
#ifndef EGRET_LEARN_H
#define EGRET_LEARN_H

#include "policy/addr.h"
#include "policy/err.h"
#include "policy/policy.h"

/* One destination that was called and that no entry allowed. */
struct egret_learnt {
	char host[EGRET_NAME_MAX]; /* a name, or an address when no name is known */
	bool by_address;
	bool udp;
	uint16_t port;
};

struct egret_lesson {
	struct egret_learnt *items; /* owned; sorted: names first, then addresses; no two are equal */
	size_t count, room;
	struct egret_err beyond; /* what no added entry would allow: a deny entry, a name that led to a metadata address, an uncovered program */
};

/* Reads EVENTS (JSON lines of the log). False after adding to `beyond` when memory is out or the file cannot be read. */
bool egret_lesson_read(struct egret_lesson *lesson, const char *events);

/* TEXT (the policy so far, "" for none) with the grants in it: one entry a host. Malloc'ed; NULL after adding an error. */
char *egret_lesson_apply(const struct egret_lesson *lesson, const char *file, const char *text, struct egret_err *err);
void egret_lesson_free(struct egret_lesson *lesson);

#endif
