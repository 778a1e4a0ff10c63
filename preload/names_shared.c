#include "names_shared.h"

#include "policy/raw.h"
#include "runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (1 << 20) /* bytes of the file that are read at most */

static long long offset; /* bytes that were read, or passed over */

static bool shared_path(char path[EGRET_PATH_MAX + 8])
{
	snprintf(path, EGRET_PATH_MAX + 8, "%s/names", egret_runtime.run_dir);
	return egret_runtime.run_dir[0] != '\0';
}

void egret_names_share(const struct egret_addr *addr, const char *name)
{
	char path[EGRET_PATH_MAX + 8], line[EGRET_NAME_MAX + EGRET_ADDR_TEXT + 4], text[EGRET_ADDR_TEXT];
	if (!shared_path(path))
		return;
	long fd = egret_raw_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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
	if (fstat(fd, &st) != 0 || st.st_size - offset <= FILE_MOST)
		return;
	for (offset = st.st_size - FILE_MOST; egret_raw(SYS_pread64, fd, &byte, 1, offset) == 1 && byte != '\n'; offset++)
		;
	offset++;
}

void egret_names_read_shared(void (*each)(const struct egret_addr *addr, const char *name))
{
	char path[EGRET_PATH_MAX + 8], buf[8192];
	if (!shared_path(path))
		return;
	long fd = egret_raw_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0), n;
	if (fd < 0)
		return;
	pass_over((int)fd);
	while ((n = egret_raw(SYS_pread64, fd, buf, sizeof buf - 1, offset)) > 0) {
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
	egret_raw_close((int)fd);
}
