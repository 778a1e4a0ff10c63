#include "said.h"

#include "draft.h"
#include "raw.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (16u << 20)

/* All of FILE in memory; NULL: it cannot be read. */
static char *content_of(const char *file, size_t *len)
{
	struct stat st;
	int fd = (int)egret_raw_open(file, O_RDONLY | O_CLOEXEC, 0);
	char *text = fd >= 0 && fstat(fd, &st) == 0 && st.st_size < FILE_MOST ? malloc((size_t)st.st_size + 1) : NULL;
	long count = 1;

	for (*len = 0; text && count > 0 && *len < (size_t)st.st_size; *len += count > 0 ? (size_t)count : 0)
		count = egret_raw_read(fd, text + *len, (size_t)st.st_size - *len);
	if (text)
		text[*len] = '\0';
	if (fd >= 0)
		egret_raw_close(fd);
	return text;
}

static void join(struct egret_said *said, const struct egret_value *value)
{
	size_t used = value->more ? strlen(said->value) : 0;

	if (!value->more)
		said->line = value->line;
	if (used && used + 1 < sizeof(said->value))
		said->value[used++] = ' ';
	for (size_t i = 0; i < value->len && used + 1 < sizeof(said->value); i++)
		said->value[used++] = value->text[i];
	said->value[used] = '\0';
}

static bool is_meant(const struct egret_section *section, unsigned title_line)
{
	return title_line ? section->line == title_line : section->title_len == 5 && memcmp(section->title, "egret", 5) == 0;
}

bool egret_policy_said(const char *file, unsigned title_line, const char *key, struct egret_said *said)
{
	struct egret_draft draft = {0};
	struct egret_err ignored = {0};
	size_t len;
	char *text = content_of(file, &len);

	memset(said, 0, sizeof(*said));
	if (text)
		egret_draft_read(&draft, file, text, len, EGRET_PART_WHOLE, &ignored);
	for (size_t i = 0; i < draft.section_count; i++)
		for (uint32_t k = 0; is_meant(&draft.sections[i], title_line) && k < draft.sections[i].count; k++) {
			const struct egret_value *value = &draft.values[draft.sections[i].first + k];

			if (value->key && strcmp(value->key->name, key) == 0)
				join(said, value);
		}
	egret_draft_free(&draft);
	egret_err_free(&ignored);
	free(text);
	return said->line != 0;
}
