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
	enum egret_part part;
	const char *next, *end;      /* of the text */
	const char *source, *handed; /* the line in the text, and where inih has it */
	unsigned line;
	const struct egret_key *key; /* that an indented line would go on with */
	bool in_section, in_egret, skip_section;
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

/* The section above is whole. */
static void end_section(struct reading *r)
{
	struct egret_draft *d = r->draft;

	if (!d->take || d->section_count == 0)
		return;
	if (!d->no_memory)
		d->take(d->ctx, d, &d->sections[0]);
	d->section_count = d->value_count = 0;
}

static void begin_section(struct reading *r, const struct egret_line *line)
{
	struct egret_draft *d = r->draft;

	end_section(r);
	r->in_section = true;
	r->key = NULL;
	r->in_egret = line->title_len == 5 && memcmp(line->title, "egret", 5) == 0;
	r->skip_section = r->in_egret && r->part == EGRET_PART_INCLUDED;
	if (r->skip_section) {
		egret_err_add(r->err, r->file, r->line, "an included file holds entries only; [egret] belongs into the file that includes it");
		return;
	}
	if (!egret_grow(&d->sections, &d->section_room, d->section_count, sizeof(*d->sections))) {
		d->no_memory = true;
		return;
	}
	d->sections[d->section_count++] = (struct egret_section){.title = line->title, .title_len = (uint32_t)line->title_len,
								 .line = r->line, .first = (uint32_t)d->value_count};
}

/* A refused line: of the section above it, or a title, whose keys are then nobody's. */
static void bad_line(struct reading *r, const struct egret_line *line)
{
	if (line->title) {
		end_section(r);
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

/* The next line behind AT that begins with `[`; END when there is none. */
static const char *next_title(const char *at, const char *end)
{
	while ((at = memchr(at + 1, '[', (size_t)(end - at - 1))) != NULL)
		if (at[-1] == '\n')
			return at;
	return end;
}

size_t egret_draft_most(const char *text, size_t len)
{
	const char *end = text + len;
	size_t most = 1; /* whatever the first line is: a byte order mark may stand before it */

	while (text < end && (text = next_title(text, end)) < end)
		most++;
	return most;
}

/* Is the line at NEXT in a section of the part that is read? It begins the text or a section. */
static bool is_wanted(const struct reading *r)
{
	bool settings = r->end - r->next >= 7 && memcmp(r->next, "[egret]", 7) == 0;

	switch (r->part) {
	case EGRET_PART_SETTINGS:
		return settings;
	case EGRET_PART_ENTRIES:
		return !settings;
	case EGRET_PART_WHOLE:
	case EGRET_PART_INCLUDED:
		break;
	}
	return true;
}

/* Goes on to the next section of the part that is read. */
static void skip_sections(struct reading *r)
{
	const char *from = r->next;

	while (r->next < r->end && !is_wanted(r))
		r->next = next_title(r->next, r->end);
	for (; r->next < r->end && (from = memchr(from, '\n', (size_t)(r->next - from))) != NULL; from++)
		r->line++;
}

/* ini_reader: the next line that inih may see. */
static char *next_line(char *buf, int size, void *user)
{
	struct reading *r = user;

	for (;;) {
		const char *newline;
		struct egret_line line;
		size_t len;

		if (r->next < r->end && (r->line == 0 || r->next[0] == '['))
			skip_sections(r);
		if (r->next == r->end)
			return NULL;
		newline = memchr(r->next, '\n', (size_t)(r->end - r->next));
		len = (size_t)((newline ? newline : r->end) - r->next);
		r->source = r->next;
		r->next += len + (newline != NULL);
		r->line++;
		line = egret_scan_line(r->source, len, r->key, r->file, r->line, r->err);
		r->kind = line.kind;
		if (line.kind == EGRET_LINE_BAD)
			bad_line(r, &line);
		if (line.kind == EGRET_LINE_TITLE)
			begin_section(r, &line); /* inih would only hand the title on */
		if ((line.kind != EGRET_LINE_KEY && line.kind != EGRET_LINE_MORE) || len + 2 > (size_t)size)
			continue;
		if (line.kind == EGRET_LINE_KEY)
			r->key = NULL;
		hand_over(r, buf, len, line.is_ascii);
		return buf;
	}
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

/* What other dialects read as a comment: `#` behind white space. */
static bool has_hash_comment(const char *text, size_t len)
{
	for (const char *at = text; (at = memchr(at, '#', len - (size_t)(at - text))) != NULL; at++)
		if (at > text && (at[-1] == ' ' || at[-1] == '\t'))
			return true;
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
	if (has_hash_comment(item.text, item.len)) {
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

static pthread_once_t inih_once = PTHREAD_ONCE_INIT;

/* Debian's build reads 200 bytes a line by default. Constant from the first load on, so that threads cannot disagree. */
static void set_inih_options(void)
{
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = EGRET_LINE_MAX;
	ini_initial_alloc = EGRET_LINE_MAX;
}

void egret_draft_read(struct egret_draft *draft, const char *file, const char *text, size_t len, enum egret_part part, struct egret_err *err)
{
	struct reading r = {.draft = draft, .err = err, .file = file, .part = part, .next = text, .end = text + len};
	int refused;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.next += 3; /* a byte order mark */
	pthread_once(&inih_once, set_inih_options);
	refused = ini_parse_stream(next_line, &r, take_value, &r);
	end_section(&r);
	if (refused == -2)
		draft->no_memory = true;
	else if (refused != 0 && !egret_err_any(err))
		egret_err_add(err, file, 0, "cannot be read as an INI file");
}

void egret_draft_free(struct egret_draft *draft)
{
	free(draft->sections);
	free(draft->values);
	*draft = (struct egret_draft){0};
}
