#include "proc_lines.h"

#include "policy/raw.h"

#include <fcntl.h>
#include <string.h>

void egret_proc_lines(const char *path, char *text, size_t size, void (*see)(const char *line, void *with), void *with)
{
	size_t length = 0;
	long n, fd = egret_raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	while (fd >= 0 && (n = egret_raw_read((int)fd, text + length, size - 1 - length)) > 0) {
		char *line = text, *end;
		length += (size_t)n;
		text[length] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			see(line, with);
		}
		length = strlen(line);
		memmove(text, line, length + 1);
	}
	if (fd >= 0)
		egret_raw_close((int)fd);
}

const char *egret_proc_hex(const char *text, unsigned long *number)
{
	for (*number = 0;; text++) {
		int digit = *text >= '0' && *text <= '9' ? *text - '0' : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10 : -1;
		if (digit < 0)
			return text;
		*number = *number * 16 + (unsigned long)digit;
	}
}
