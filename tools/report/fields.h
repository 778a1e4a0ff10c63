/* One line of a log as its members: an object in JSON (RFC 8259), as egret writes it or as another program wrote it anew. Pure. */
#ifndef EGRET_REPORT_FIELDS_H
#define EGRET_REPORT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

/* The members that count, by the length of their names; the others are skipped. */
enum egret_member { EXE, TIME, HOST, PORT, PATH, RULE, EVENT, ENTRY, ERROR_TEXT, REASON, METHOD, STATUS, CIPHER, VERDICT, AUDITED, ADDRESS, VERSION,
	RESUMED, PROTOCOL, NOT_AFTER, SENT, RECEIVED, MEMBERS };

struct egret_text { const char *at; size_t len; }; /* of a string its body, escapes as they stand; at NULL: not there, or null */
struct egret_fields { struct egret_text of[MEMBERS]; };

/* FIELDS (zeroed) of the line from AT to END, into which they point. False: it is no event. */
bool egret_fields_scan(const char *at, const char *end, struct egret_fields *fields);

#endif
