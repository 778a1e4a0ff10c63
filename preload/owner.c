#include "owner.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define OWNERS 512 /* words in one shared page */

struct owner_page {
	struct owner_page *next;
	_Atomic long *words; /* MAP_SHARED: both sides of a fork see it */
	uint64_t used[OWNERS / 64];
	uint64_t pinned[OWNERS / 64]; /* in use when a process forked: the other may mean it still, it is never used for another conn */
};
static struct owner_page *owner_pages;

_Atomic long *egret_owner_new(void)
{
	for (struct owner_page *page = owner_pages; page; page = page->next)
		for (unsigned i = 0; i < OWNERS; i++)
			if (!(page->used[i / 64] & (UINT64_C(1) << (i % 64)))) {
				page->used[i / 64] |= UINT64_C(1) << (i % 64);
				return &page->words[i];
			}
	struct owner_page *page = calloc(1, sizeof *page);
	void *words = mmap(NULL, OWNERS * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!page || words == MAP_FAILED) {
		free(page);
		return NULL;
	}
	page->words = words;
	page->next = owner_pages;
	page->used[0] = 1;
	owner_pages = page;
	return &page->words[0];
}

void egret_owner_free(_Atomic long *word)
{
	for (struct owner_page *page = owner_pages; page; page = page->next)
		if (word >= page->words && word < page->words + OWNERS) {
			size_t i = (size_t)(word - page->words);
			page->used[i / 64] &= ~(UINT64_C(1) << (i % 64)) | page->pinned[i / 64];
		}
}

void egret_owner_divide(bool child)
{
	for (struct owner_page *page = owner_pages; page; page = page->next)
		for (size_t i = 0; i < OWNERS / 64; i++) {
			page->pinned[i] |= page->used[i];
			if (child)
				page->used[i] = page->pinned[i] = ~UINT64_C(0);
		}
}
