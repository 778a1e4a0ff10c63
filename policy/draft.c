#include "draft.h"

#include "scan.h"

#include <ini.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One file on its way through inih. The reader hands inih one judged line at a time and so knows what the handler is told. */
struct reading {
	struct egret_draft *draft;
	struct egret_err *err;
	const char *file;
	uint32_t file_index;
	const char *next, *end;      /* of the text */
	const char *source, *handed; /* the line in the text, and where inih has it */
	unsigned line;
	const struct egret_key *key; /* that an indented line would go on with */
	bool in_section, in_egret, skip_section, included;
	enum egret_line_kind kind;
};

bool egret_grow(void *items, size_t *room, size_t count, size_t size)
{
	void **array = items, *grown;
	size_t wanted = *room ? *room * 2 : 16;

	if (count < *room)
		return true;
	grown = realloc(*array, wanted * size);
	if (!grown)
		return false;
	*array = grown;
	*room = wanted;
	return true;
}

void egret_reserve(void *items, size_t *room, size_t wanted, size_t size)
{
	void **array = items, *grown = wanted > *room ? realloc(*array, wanted * size) : NULL;

	if (!grown)
		return;
	*array = grown;
	*room = wanted;
}

static void begin_section(struct reading *r, const struct egret_line *line)
{
	struct egret_draft *d = r->draft;

	r->in_section = true;
	r->key = NULL;
	r->in_egret = line->title_len == 5 && memcmp(line->title, "egret", 5) == 0;
	r->skip_section = r->in_egret && r->included;
	if (r->skip_section)
		egret_err_add(r->err, r->file, r->line, "an included file holds entries only; [egret] belongs into the file that includes it");
	if (!egret_grow(&d->sections, &d->section_room, d->section_count, sizeof(*d->sections))) {
		d->no_memory = true;
		return;
	}
	d->sections[d->section_count++] = (struct egret_section){.title = line->title, .title_len = (uint32_t)line->title_len,
								 .line = r->line, .file = r->file_index, .first = (uint32_t)d->value_count};
}

/* A refused line: of the section above it, or a title, whose keys are then nobody's. */
static void bad_line(struct reading *r, const struct egret_line *line)
{
	if (line->title) {
		r->in_section = r->skip_section = true;
		r->key = NULL;
	} else if (r->in_section && r->draft->section_count) {
		r->draft->sections[r->draft->section_count - 1].damaged = true;
	}
}

/* Copies the line for inih. White space depends on the locale there (0xa0 in ISO 8859): bytes beyond ASCII are masked. */
static void hand_over(struct reading *r, char *buf, size_t len, bool is_ascii)
{
	memcpy(buf, r->source, len);
	for (size_t i = 0; !is_ascii && i < len; i++)
		if ((unsigned char)buf[i] >= 0x80)
			buf[i] = 'x';
	buf[len] = '\n';
	buf[len + 1] = '\0';
	r->handed = buf;
}

/* ini_reader: the next line that inih may see. */
static char *next_line(char *buf, int size, void *user)
{
	struct reading *r = user;

	while (r->next < r->end) {
		const char *newline = memchr(r->next, '\n', (size_t)(r->end - r->next));
		size_t len = (size_t)((newline ? newline : r->end) - r->next);
		struct egret_line line;

		r->source = r->next;
		r->next += len + (newline != NULL);
		r->line++;
		if (r->line == 1 && len >= 3 && memcmp(r->source, "\xef\xbb\xbf", 3) == 0) {
			r->source += 3; /* a byte order mark */
			len -= 3;
		}
		line = egret_scan_line(r->source, len, r->key, r->file, r->line, r->err);
		r->kind = line.kind;
		if (line.kind == EGRET_LINE_BAD)
			bad_line(r, &line);
		if (line.kind == EGRET_LINE_BLANK || line.kind == EGRET_LINE_BAD || len + 2 > (size_t)size)
			continue;
		if (line.kind == EGRET_LINE_TITLE)
			begin_section(r, &line);
		if (line.kind == EGRET_LINE_KEY)
			r->key = NULL;
		hand_over(r, buf, len, line.is_ascii);
		return buf;
	}
	return NULL;
}

static const struct egret_key *find_key(struct reading *r, const char *name)
{
	enum egret_key_where here = r->in_egret ? EGRET_IN_EGRET : EGRET_IN_ENTRY;
	enum egret_key_where there = r->in_egret ? EGRET_IN_ENTRY : EGRET_IN_EGRET;
	size_t len = strlen(name);
	const struct egret_key *key = egret_key_find(name, len, here), *near;
	/* The name as the file has it: inih saw a masked one. */
	const char *written = r->source;

	if (key)
		return key;
	if (egret_key_find(name, len, there)) {
		egret_err_add(r->err, r->file, r->line, "%s belongs into %s", name, r->in_egret ? "an entry, not into [egret]" : "[egret], not into an entry");
		return NULL;
	}
	near = egret_key_nearest(name, len, here);
	if (near)
		egret_err_add(r->err, r->file, r->line, "unknown key \"%.*s\"; did you mean \"%s\"?", (int)len, written, near->name);
	else
		egret_err_add(r->err, r->file, r->line, "unknown key \"%.*s\"", (int)len, written);
	return NULL;
}

static bool is_repeated(struct reading *r)
{
	struct egret_draft *d = r->draft;
	const struct egret_section *section = &d->sections[d->section_count - 1];

	for (size_t i = section->first; i < d->value_count; i++) {
		if (d->values[i].key == r->key && !d->values[i].more) {
			egret_err_add(r->err, r->file, r->line, "%s was given in line %u already", r->key->name, d->values[i].line);
			return true;
		}
	}
	return false;
}

/* ini_handler: one value. NAME and VALUE point into the masked line, so their place in the text is known. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	struct egret_draft *d = r->draft;
	struct egret_value item = {.line = r->line, .more = r->kind == EGRET_LINE_MORE};

	(void)section;
	if (!r->in_section) {
		egret_err_add(r->err, r->file, r->line, "a key before the first [title]");
		return 1;
	}
	if (r->skip_section || d->no_memory || d->section_count == 0)
		return 1;
	if (!item.more)
		r->key = find_key(r, name);
	if (!r->key)
		d->sections[d->section_count - 1].damaged = true;
	if (!r->key || (!item.more && is_repeated(r)))
		return 1;
	item.key = r->key;
	item.text = r->source + (value - r->handed);
	item.len = (uint32_t)egret_scan_trim(item.text, strlen(value));
	for (size_t i = 1; i < item.len; i++)
		if (item.text[i] == '#' && (item.text[i - 1] == ' ' || item.text[i - 1] == '\t')) {
			egret_err_add(r->err, r->file, r->line, "`#` inside a line begins no comment; write `;`");
			d->sections[d->section_count - 1].damaged = true;
			return 1;
		}
	if (!egret_grow(&d->values, &d->value_room, d->value_count, sizeof(*d->values))) {
		d->no_memory = true;
		return 1;
	}
	d->values[d->value_count++] = item;
	d->sections[d->section_count - 1].count++;
	return 1;
}

/* No more values than lines, no more sections than brackets at their beginning. */
static void make_room(struct egret_draft *draft, const char *text, size_t len)
{
	size_t lines = 1, titles = len > 0 && text[0] == '[';

	for (const char *at = text; (at = memchr(at, '\n', len - (size_t)(at - text))) != NULL; at++) {
		lines++;
		titles += at + 1 < text + len && at[1] == '[';
	}
	egret_reserve(&draft->values, &draft->value_room, draft->value_count + lines - titles, sizeof(*draft->values));
	egret_reserve(&draft->sections, &draft->section_room, draft->section_count + titles, sizeof(*draft->sections));
}

static pthread_once_t inih_once = PTHREAD_ONCE_INIT;

/* Debian's build reads 200 bytes a line by default. Constant from the first load on, so that threads cannot disagree. */
static void set_inih_options(void)
{
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = EGRET_LINE_MAX;
	ini_initial_alloc = EGRET_LINE_MAX;
}

void egret_draft_add(struct egret_draft *draft, const char *path, char *text, size_t len, const struct stat *seen, bool included,
		     struct egret_err *err)
{
	struct reading r = {.draft = draft, .err = err, .next = text, .end = text + len, .included = included};
	struct egret_draft_file file = {.path = strdup(path), .text = text, .len = len};
	int refused;

	if (seen)
		file.seen = *seen;
	if (!file.path || !egret_grow(&draft->files, &draft->file_room, draft->file_count, sizeof(file))) {
		free(file.path);
		free(text);
		draft->no_memory = true;
		return;
	}
	r.file = file.path;
	r.file_index = (uint32_t)draft->file_count;
	draft->files[draft->file_count++] = file;
	make_room(draft, text, len);
	pthread_once(&inih_once, set_inih_options);
	refused = ini_parse_stream(next_line, &r, take_value, &r);
	if (refused == -2)
		draft->no_memory = true;
	else if (refused != 0 && !egret_err_any(err))
		egret_err_add(err, r.file, 0, "cannot be read as an INI file");
}

void egret_draft_free(struct egret_draft *draft)
{
	for (size_t i = 0; i < draft->file_count; i++) {
		free(draft->files[i].path);
		free(draft->files[i].text);
	}
	free(draft->files);
	free(draft->sections);
	free(draft->values);
	*draft = (struct egret_draft){0};
}
