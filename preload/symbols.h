/* Finds functions in the objects that are loaded behind this library, as dlsym(3) with RTLD_NEXT does, but without what makes dlsym dangerous in
 * a first hook: it allocates when a symbol is missing, and the hook may have been called from inside the program's own malloc (jemalloc).
 *
 * Nothing is allocated; the only lock is the dynamic linker's own, recursive, for walking its list. GNU hash tables only (every library since 2006).
 */
#ifndef EGRET_SYMBOLS_H
#define EGRET_SYMBOLS_H

#include <stddef.h>

struct egret_symbol {
	const char *name;
	void **slot; /* filled when found; what is not NULL is left alone */
};

void egret_symbols_find(const struct egret_symbol *list, size_t count);

#endif
