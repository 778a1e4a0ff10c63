#include "compiled.h"
#include "draft.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

bool egret_is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_file(const char *path, char ***files, size_t *count, size_t *room)
{
	char *copy = strdup(path);

	if (!copy || !egret_grow(files, room, *count, sizeof(**files))) {
		free(copy);
		return false;
	}
	(*files)[(*count)++] = copy;
	return true;
}

bool egret_include_files(const char *pattern, char ***files, size_t *count, size_t *room)
{
	glob_t found = {0};
	bool good = true;
	int result;

	if (!egret_is_pattern(pattern))
		return add_file(pattern, files, count, room);
	/* glob would sort by the program's locale. */
	result = glob(pattern, GLOB_NOSORT, NULL, &found);
	if (result == 0)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), by_bytes);
	for (size_t i = 0; good && result == 0 && i < found.gl_pathc; i++)
		good = add_file(found.gl_pathv[i], files, count, room);
	globfree(&found);
	return good && result != GLOB_NOSPACE;
}

/* FNV-1a, 64 bits: not against an adversary, who could not write here. */
static uint64_t digest(uint64_t state, const char *text)
{
	do {
		state = (state ^ (unsigned char)*text) * 0x100000001b3u;
	} while (*text++);
	return state;
}

uint64_t egret_include_digest(const char *const *patterns, size_t count)
{
	uint64_t state = 0xcbf29ce484222325u;
	char **files = NULL;
	size_t found = 0, room = 0;

	for (size_t i = 0; i < count; i++)
		if (egret_is_pattern(patterns[i]))
			egret_include_files(patterns[i], &files, &found, &room);
	for (size_t i = 0; i < found; i++) {
		state = digest(state, files[i]);
		free(files[i]);
	}
	free(files);
	return state;
}
