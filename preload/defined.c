#include "defined.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

/* What the dynamic section says of an object's symbols (the GNU hash table: a bloom filter, buckets, chains). */
struct symbols {
	const uint32_t *hash;
	const ElfW(Sym) * table;
	const char *strings;
	const ElfW(Versym) * versions; /* NULL: none */
};

struct question {
	const char *name;
	uint32_t hash;
};

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* ld.so has made the addresses absolute, the vdso's (which has none that we hook) excepted. */
static bool read_symbols(const struct dl_phdr_info *info, struct symbols *symbols)
{
	const ElfW(Dyn) *dynamic = NULL;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	}
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = (const void *)dynamic->d_un.d_ptr;
		if (dynamic->d_tag == DT_GNU_HASH)
			symbols->hash = at;
		else if (dynamic->d_tag == DT_SYMTAB)
			symbols->table = at;
		else if (dynamic->d_tag == DT_STRTAB)
			symbols->strings = at;
		else if (dynamic->d_tag == DT_VERSYM)
			symbols->versions = at;
	}
	return symbols->table && symbols->strings;
}

/* A version with the hidden bit is for old binaries only: dlsym does not see it. */
static bool matches(const struct symbols *symbols, uint32_t index, const char *name)
{
	const ElfW(Sym) *symbol = &symbols->table[index];
	if (symbol->st_shndx == SHN_UNDEF || strcmp(symbols->strings + symbol->st_name, name) != 0)
		return false;
	return !symbols->versions || !(symbols->versions[index] & 0x8000);
}

static bool defines(const struct symbols *symbols, const struct question *question)
{
	const uint32_t buckets = symbols->hash[0], first = symbols->hash[1], words = symbols->hash[2], shift = symbols->hash[3];
	const ElfW(Addr) *bloom = (const void *)(symbols->hash + 4);
	const uint32_t *bucket = (const void *)(bloom + words);
	const uint32_t *chain = bucket + buckets;
	const unsigned bits = sizeof *bloom * 8;
	ElfW(Addr) word = bloom[question->hash / bits % words];

	if (!(word >> (question->hash % bits) & word >> ((question->hash >> shift) % bits) & 1))
		return false;
	for (uint32_t i = bucket[question->hash % buckets]; i >= first; i++) {
		uint32_t hash = chain[i - first];
		if ((hash | 1) == (question->hash | 1) && matches(symbols, i, question->name))
			return true;
		if (hash & 1)
			break;
	}
	return false;
}

static bool is_our_own(const struct dl_phdr_info *info)
{
	const ElfW(Addr) here = (ElfW(Addr))&hash_of - info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && here - part->p_vaddr < part->p_memsz)
			return true;
	}
	return false;
}

/* True (and the end of the walk) for an object that defines the name, or whose symbols cannot be read this way: dlsym shall tell then. */
static int ask(struct dl_phdr_info *info, size_t size, void *data)
{
	struct symbols symbols = { 0 };
	(void)size;
	if (is_our_own(info) || strncmp(info->dlpi_name, "linux-", 6) == 0 || !read_symbols(info, &symbols))
		return false;
	return !symbols.hash || defines(&symbols, data);
}

bool egret_defined_elsewhere(const char *name)
{
	struct question question = { .name = name, .hash = hash_of(name) };
	return dl_iterate_phdr(ask, &question);
}
