#include "symbols.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#define HIDDEN_VERSION 0x8000 /* of DT_VERSYM: not the default one */

struct name {
	const char *text;
	uint32_t hash; /* of DT_GNU_HASH */
	bool anywhere; /* in front of us, too */
};

struct search {
	struct name names[EGRET_SYMBOLS_MOST];
	size_t count;
	void **slots;
	bool behind; /* past our own object */
};

/* The tables of one object. */
struct object {
	ElfW(Addr) base;
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *hash;
	const ElfW(Half) *versions; /* NULL: none */
};

/* The libc's functions may not be known yet: see bind.c. */
static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* A tool that the program was built with, as ThreadSanitizer, must see which of our locks are held: it stands in front of us. */
static bool is_of_threads(const char *name)
{
	const char *prefix = "pthread_";
	while (*prefix && *prefix == *name)
		prefix++, name++;
	return !*prefix;
}

/* The dynamic linker has added the base to most objects' pointers, not to those of the vDSO. */
static const void *pointer(const struct object *object, ElfW(Addr) value)
{
	return (const void *)(value < object->base ? object->base + value : value);
}

static bool read_dynamic(struct object *object, const ElfW(Dyn) *dynamic)
{
	for (; dynamic->d_tag != DT_NULL; dynamic++)
		switch (dynamic->d_tag) {
		case DT_SYMTAB: object->symbols = pointer(object, dynamic->d_un.d_ptr); break;
		case DT_STRTAB: object->strings = pointer(object, dynamic->d_un.d_ptr); break;
		case DT_GNU_HASH: object->hash = pointer(object, dynamic->d_un.d_ptr); break;
		case DT_VERSYM: object->versions = pointer(object, dynamic->d_un.d_ptr); break;
		}
	return object->symbols && object->strings && object->hash;
}

static void *address_of(const struct object *object, const ElfW(Sym) *symbol)
{
	void *address = (void *)(object->base + symbol->st_value);
	if ((symbol->st_info & 0xf) == STT_GNU_IFUNC)
		return ((void *(*)(void))address)();
	return address;
}

/* DT_GNU_HASH: buckets, symbol offset, words of the Bloom filter, its shift; then filter, buckets, chains. */
static void *find(const struct object *object, const struct name *name)
{
	const uint32_t *head = object->hash, hash = name->hash;
	const ElfW(Addr) *filter = (const ElfW(Addr) *)(head + 4);
	const uint32_t *buckets = (const uint32_t *)(filter + head[2]), *chains = buckets + head[0];
	const unsigned bits = 8 * sizeof *filter;
	ElfW(Addr) mask = (ElfW(Addr))1 << hash % bits | (ElfW(Addr))1 << (hash >> head[3]) % bits;
	if (head[0] == 0 || (filter[hash / bits % head[2]] & mask) != mask)
		return NULL;
	for (uint32_t i = buckets[hash % head[0]]; i >= head[1]; i++) {
		uint32_t entry = chains[i - head[1]];
		const ElfW(Sym) *symbol = &object->symbols[i];
		unsigned type = symbol->st_info & 0xf;
		if ((entry | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
		    !(object->versions && object->versions[i] & HIDDEN_VERSION) && is_same(object->strings + symbol->st_name, name->text))
			return address_of(object, symbol);
		if (entry & 1)
			break;
	}
	return NULL;
}

static bool contains(const struct dl_phdr_info *info, const void *address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		if (header->p_type == PT_LOAD && (ElfW(Addr))address - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
			return true;
	}
	return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	struct object object = { .base = info->dlpi_addr };
	(void)size;
	if (!search->behind && contains(info, (const void *)look)) {
		search->behind = true;
		return 0;
	}
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC && read_dynamic(&object, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr)))
			for (size_t n = 0; n < search->count; n++)
				if (!search->slots[n] && (search->behind || search->names[n].anywhere))
					search->slots[n] = find(&object, &search->names[n]);
	return 0;
}

void egret_symbols_find(const char *names, void **slots)
{
	struct search search;
	search.count = 0;
	search.slots = slots;
	search.behind = false;
	for (; *names && search.count < EGRET_SYMBOLS_MOST; names++) {
		struct name *name = &search.names[search.count++];
		name->text = names;
		name->anywhere = is_of_threads(names);
		for (name->hash = 5381; *names; names++)
			name->hash = name->hash * 33 + (unsigned char)*names;
	}
	dl_iterate_phdr(look, &search);
}
