#include "preload/elf.h"

#include "policy/raw.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#if defined(__x86_64__)
#define LOADER "ld-linux-x86-64.so.2"
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define LOADER "ld-linux-aarch64.so.1"
#define MACHINE EM_AARCH64
#endif
#define CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* BINPRM_BUF_SIZE of the kernel: what it reads of a #! line. The depth is its limit too. */
#define SHEBANG_BYTES 256
#define SHEBANG_DEPTH 5
#define MAX_HEADERS 64
#define NOTE_BYTES 512

static enum egret_cover uncovered(char *why, size_t size, const char *text, const char *detail)
{
	snprintf(why, size, "%s%s", text, detail);
	return EGRET_UNCOVERED;
}

/* Does the kernel give it other rights than the caller's (AT_SECURE)? The loader then ignores LD_PRELOAD. */
static const char *raises_rights(const char *path, const struct stat *st)
{
	struct statvfs fs;

	if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		return NULL;
	if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
		return "is setuid";
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st->st_gid != getgid())
		return "is setgid";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	return NULL;
}

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	return egret_raw(SYS_pread64, fd, buf, size, offset) == (long)size;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A note whose owner is "Go": the Go linker's build id. Such a program calls the kernel itself. */
static bool has_go_note(int fd, const ElfW(Phdr) * header)
{
	_Alignas(8) unsigned char note[NOTE_BYTES];
	size_t size = header->p_filesz < sizeof(note) ? header->p_filesz : sizeof(note), at = 0;
	ElfW(Nhdr) head;

	if (!read_at(fd, note, size, header->p_offset))
		return false;
	while (at + sizeof(head) + 4 <= size) {
		memcpy(&head, note + at, sizeof(head));
		if (head.n_namesz == 4 && !memcmp(note + at + sizeof(head), "Go\0", 4))
			return true;
		at += sizeof(head) + ((head.n_namesz + 3ul) & ~3ul) + ((head.n_descsz + 3ul) & ~3ul);
	}
	return false;
}

static enum egret_cover judge_elf(int fd, const char *path, const ElfW(Ehdr) * elf, char *why, size_t size)
{
	ElfW(Phdr) headers[MAX_HEADERS];
	const ElfW(Phdr) *interp = NULL;
	char loader[256] = "";

	if (elf->e_ident[EI_CLASS] != CLASS || elf->e_machine != MACHINE)
		return uncovered(why, size, "is built for another architecture or width", "");
	if (elf->e_phnum > MAX_HEADERS || elf->e_phentsize != sizeof(headers[0]) ||
	    !read_at(fd, headers, elf->e_phnum * sizeof(headers[0]), elf->e_phoff))
		return uncovered(why, size, "has program headers that cannot be read", "");
	for (size_t i = 0; i < elf->e_phnum; i++) {
		if (headers[i].p_type == PT_INTERP)
			interp = &headers[i];
		else if (headers[i].p_type == PT_NOTE && has_go_note(fd, &headers[i]))
			return uncovered(why, size, "is a Go program, which calls the kernel itself", "");
	}
	if (!interp) /* the loader itself is one of these, and honours LD_PRELOAD */
		return strcmp(base_name(path), LOADER) ? uncovered(why, size, "is statically linked", "") : EGRET_COVERED;
	if (interp->p_filesz >= sizeof(loader) || !read_at(fd, loader, interp->p_filesz, interp->p_offset))
		return uncovered(why, size, "names a loader that cannot be read", "");
	if (strcmp(base_name(loader), LOADER))
		return uncovered(why, size, "uses another C library: its loader is ", loader);
	return EGRET_COVERED;
}

/* The interpreter of a #! line, into NEXT. False: the line names none. */
static bool shebang(const char *head, char next[SHEBANG_BYTES])
{
	const char *start = head + 2 + strspn(head + 2, " \t");
	size_t len = strcspn(start, " \t\n\r");

	if (!len || len >= SHEBANG_BYTES)
		return false;
	memcpy(next, start, len);
	next[len] = '\0';
	return true;
}

enum step { STEP_DONE, STEP_FOLLOW };

/* One file: the answer in *COVER, or the interpreter to go on with in NEXT. */
static enum step judge_file(const char *path, char next[SHEBANG_BYTES], enum egret_cover *cover, char *why, size_t size)
{
	union {
		ElfW(Ehdr) elf;
		char text[SHEBANG_BYTES];
	} head = { .text = "" };
	enum step step = STEP_DONE;
	const char *rights;
	struct stat st;
	long got;
	int fd;

	*cover = EGRET_NO_PROGRAM;
	if (stat(path, &st) || access(path, X_OK))
		return STEP_DONE;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return STEP_DONE;
	}
	fd = (int)egret_raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		*cover = uncovered(why, size, "cannot be read", "");
		return STEP_DONE;
	}
	got = egret_raw_read(fd, head.text, sizeof(head.text) - 1);
	if (got >= 2 && !memcmp(head.text, "#!", 2)) {
		step = STEP_FOLLOW;
		if (!shebang(head.text, next))
			*cover = uncovered(why, size, "has a #! line without an interpreter", ""), step = STEP_DONE;
	} else if (got >= (long)sizeof(head.elf) && !memcmp(head.text, ELFMAG, SELFMAG)) {
		rights = raises_rights(path, &st);
		*cover = rights ? uncovered(why, size, rights, "") : judge_elf(fd, path, &head.elf, why, size);
	} else {
		snprintf(next, SHEBANG_BYTES, "/bin/sh");
		step = STEP_FOLLOW;
	}
	egret_raw_close(fd);
	return step;
}

enum egret_cover egret_elf_cover(const char *path, char *why, size_t size)
{
	char next[SHEBANG_BYTES], file[SHEBANG_BYTES];
	enum egret_cover cover;
	char resolved[4096];

	if (size)
		why[0] = '\0';
	for (int depth = 0; depth < SHEBANG_DEPTH; depth++) {
		if (realpath(path, resolved))
			path = resolved;
		if (judge_file(path, next, &cover, why, size) == STEP_DONE)
			return cover;
		memcpy(file, next, sizeof(file));
		path = file;
	}
	return uncovered(why, size, "has #! lines nested too deep", "");
}
