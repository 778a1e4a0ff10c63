/* Copies of text are of the engine's memory, as all else (memory.h): the libc's own would be of the program's, and a leak checker that knows of
 * that alone would miss who holds them. Linked with --wrap=strdup,--wrap=strndup.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

char *__wrap_strndup(const char *text, size_t most)
{
	size_t length = strnlen(text, most);
	char *copy = malloc(length + 1);
	if (!copy)
		return NULL;
	copy[length] = '\0';
	return memcpy(copy, text, length);
}

char *__wrap_strdup(const char *text) { return __wrap_strndup(text, strlen(text)); }
