/* Why a text is no host name: for the messages of the policy's loader. egret_name_canonical (policy.h) is the plain form. */
#ifndef EGRET_NAME_H
#define EGRET_NAME_H

#include "policy.h"

enum egret_name_fault {
	EGRET_NAME_GOOD = 0,
	EGRET_NAME_EMPTY,
	EGRET_NAME_LONG,      /* over 253 bytes */
	EGRET_NAME_LABEL,     /* an empty label, or one over 63 bytes */
	EGRET_NAME_CHARACTER, /* NUL, control, space, or what no host name has */
	EGRET_NAME_IDNA,      /* not valid under IDNA2008 / UTS 46 */
	EGRET_NAME_NO_IDN     /* not ASCII, and libidn2.so.0 could not be loaded */
};

/* OUT as egret_name_canonical. */
enum egret_name_fault egret_name_fold(const char *name, size_t len, char *out, size_t size);

/* What is wrong, as the rest of a sentence: "has an empty label or one over 63 bytes". */
const char *egret_name_fault_text(enum egret_name_fault fault);

#endif
