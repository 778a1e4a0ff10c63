/* Finds functions in the objects that are loaded behind this library, as dlsym(3) with RTLD_NEXT does, but without what makes dlsym dangerous in
 * a first hook: it allocates when a symbol is missing, and the hook may have been called from inside the program's own malloc (jemalloc).
 *
 * pthread_* alone may also come from the objects in front.
 *
 * Nothing is allocated; the only lock is the dynamic linker's own, recursive, for walking its list. GNU hash tables only (every library since 2006).
 */
#ifndef EGRET_SYMBOLS_H
#define EGRET_SYMBOLS_H

/* NAMES: one after another, each with its NUL, behind the last an empty one. SLOTS: one for each, EGRET_SYMBOLS_MOST at most; filled when
 * found, what is not NULL is left alone. (No pointers to names: the loader would relocate them at each exec.) */
#define EGRET_SYMBOLS_MOST 512
void egret_symbols_find(const char *names, void **slots);

#endif
