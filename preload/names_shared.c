#include "names_shared.h"

#include "policy/raw.h"
#include "record.h"
#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (1 << 20) /* bytes of the file that are read at most */

static long long offset; /* bytes that were read, or passed over */
static ino_t offset_of;  /* in this file: a change of user brings another */

void egret_names_share(const struct egret_addr *addr, const char *name)
{
	char line[EGRET_NAME_MAX + EGRET_ADDR_TEXT + 4], text[EGRET_ADDR_TEXT];
	long fd = egret_record_open("names", O_WRONLY | O_APPEND | O_CREAT);
	if (fd < 0)
		return;
	int n = snprintf(line, sizeof line, "%s %s\n", egret_addr_format(addr, -1, text), name);
	(void)egret_raw_write((int)fd, line, (size_t)n);
	egret_raw_close((int)fd);
}

static void take_line(char *line, void (*each)(const struct egret_addr *addr, const char *name))
{
	struct egret_addr addr;
	char name[EGRET_NAME_MAX], *space = strchr(line, ' ');
	if (!space)
		return;
	*space = '\0';
	if (egret_addr_parse(line, &addr) && egret_name_canonical(space + 1, strlen(space + 1), name, sizeof name))
		each(&addr, name);
}

/* Where reading begins: what is older than the last FILE_MOST bytes is passed over, with the line that this cuts. */
static void pass_over(int fd)
{
	struct stat st;
	char byte;
	if (fstat(fd, &st) != 0)
		return;
	if (st.st_ino != offset_of)
		offset = 0;
	offset_of = st.st_ino;
	if (st.st_size - offset <= FILE_MOST)
		return;
	for (offset = st.st_size - FILE_MOST; egret_raw(SYS_pread64, fd, &byte, 1, offset) == 1 && byte != '\n'; offset++)
		;
	offset++;
}

static void read_lines(int fd, char buf[EGRET_SCRATCH], void (*each)(const struct egret_addr *addr, const char *name))
{
	long n;
	while ((n = egret_raw(SYS_pread64, fd, buf, EGRET_SCRATCH - 1, offset)) > 0) {
		char *line = buf, *end;
		buf[n] = '\0';
		while ((end = memchr(line, '\n', (size_t)(buf + n - line))) != NULL) {
			*end = '\0';
			take_line(line, each);
			line = end + 1;
		}
		if (line == buf)
			break; /* half a line: the rest comes at the next look */
		offset += line - buf;
	}
}

void egret_names_read_shared(void (*each)(const struct egret_addr *addr, const char *name))
{
	long fd = egret_record_open("names", O_RDONLY);
	char *buf = fd < 0 ? NULL : egret_scratch_take();
	if (buf) {
		pass_over((int)fd);
		read_lines((int)fd, buf, each);
	}
	egret_scratch_give(buf);
	if (fd >= 0)
		egret_raw_close((int)fd);
}
