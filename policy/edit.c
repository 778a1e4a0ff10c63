#include "edit.h"

#include "setters.h"
#include "name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* False: it cannot be read, and an error was added. */
static bool read_draft(struct egret_draft *draft, const char *file, const char *text, size_t len, struct egret_err *err)
{
	struct egret_err found = {0};
	bool good;

	egret_draft_read(draft, file, text, len, EGRET_PART_WHOLE, &found);
	good = !draft->no_memory && !egret_err_any(&found);
	for (size_t i = 0; i < found.count; i++)
		egret_err_add(err, found.items[i].file, found.items[i].line, "%s", found.items[i].text);
	if (!good && !found.count)
		egret_err_add(err, file, 0, "out of memory");
	egret_err_free(&found);
	return good;
}

static const struct egret_section *find_section(const struct egret_draft *draft, const char *name)
{
	for (size_t i = 0; i < draft->section_count; i++) {
		const struct egret_section *section = &draft->sections[i];

		if (section->title_len == strlen(name) && memcmp(section->title, name, section->title_len) == 0)
			return section;
	}
	return NULL;
}

/* The text with ADDED put in at AT and CUT bytes from there left out. */
static char *splice(const char *text, size_t len, size_t at, size_t cut, const char *added)
{
	size_t more = strlen(added);
	char *result = malloc(len - cut + more + 1);

	if (!result)
		return NULL;
	memcpy(result, text, at);
	memcpy(result + at, added, more);
	memcpy(result + at + more, text + at + cut, len - at - cut);
	result[len - cut + more] = '\0';
	return result;
}

/* The value of a scalar key; "" when the section does not have it. */
static void scalar(const struct egret_draft *draft, const struct egret_section *section, const char *key, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < section->count; i++) {
		const struct egret_value *value = &draft->values[section->first + i];

		if (strcmp(value->key->name, key) == 0)
			snprintf(out, size, "%.*s", (int)value->len, value->text);
	}
}

static bool same_host(const char *item, size_t len, const char *host)
{
	char a[EGRET_NAME_MAX], b[EGRET_NAME_MAX];
	size_t star = len > 2 && item[0] == '*' && item[1] == '.' ? 2 : 0;

	if (len == strlen(host) && memcmp(item, host, len) == 0)
		return true;
	return strncmp(item, host, star) == 0 && egret_name_canonical(item + star, len - star, a, sizeof(a)) &&
	       egret_name_canonical(host + star, strlen(host) - star, b, sizeof(b)) && strcmp(a, b) == 0;
}

static bool same_port(const char *item, size_t len, const char *port)
{
	return len == strlen(port) && memcmp(item, port, len) == 0;
}

/* A list key of a section: how many items, whether WANTED is one, and where another would go. */
struct list {
	size_t count;
	bool has;
	const char *end; /* behind the last item; NULL: no such key */
};

static struct list read_list(const struct egret_draft *draft, const struct egret_section *section, const char *key, const char *wanted,
			     bool (*same)(const char *, size_t, const char *))
{
	struct list list = {0};

	for (size_t i = 0; i < section->count; i++) {
		const struct egret_value *value = &draft->values[section->first + i];
		const char *item;
		size_t at = 0, len;

		if (strcmp(value->key->name, key) != 0)
			continue;
		while (egret_next_item(value, &at, &item, &len)) {
			list.count++;
			list.has |= same(item, len, wanted);
			list.end = item + len;
		}
	}
	return list;
}

static char *append_entry(const char *text, size_t len, const struct egret_grant *grant, const char *name)
{
	bool unix_entry = grant->protocol && strcmp(grant->protocol, "unix") == 0;
	char port[32] = "", entry[1024];

	if (!unix_entry)
		snprintf(port, sizeof(port), "ports = %u\n", grant->port);
	snprintf(entry, sizeof(entry), "%s%s[%s]\nhosts = %s\n%s%s%s%s%s", len && text[len - 1] != '\n' ? "\n" : "", len ? "\n" : "", name, grant->host,
		 port, grant->protocol ? "protocol = " : "", grant->protocol ? grant->protocol : "", grant->protocol ? "\n" : "",
		 grant->originate ? "tls = originate\n" : "");
	return splice(text, len, len, 0, entry);
}

static bool is_alike(const struct egret_draft *draft, const struct egret_section *section, const struct egret_grant *grant)
{
	char value[64];

	scalar(draft, section, "action", value, sizeof(value));
	if (value[0] && strcmp(value, "allow") != 0)
		return false;
	scalar(draft, section, "protocol", value, sizeof(value));
	if (strcmp(value[0] ? value : "tcp", grant->protocol ? grant->protocol : "tcp") != 0)
		return false;
	scalar(draft, section, "tls", value, sizeof(value));
	return (strcmp(value, "originate") == 0) == grant->originate;
}

/* What becomes of the entry that has the name already: its text with the grant, or NULL when it cannot be extended. */
static char *extend_entry(const struct egret_draft *draft, const struct egret_section *section, const char *text, size_t len,
			  const struct egret_grant *grant)
{
	char port[8], added[EGRET_NAME_MAX + 8];
	struct list hosts, ports;

	snprintf(port, sizeof(port), "%u", grant->port);
	hosts = read_list(draft, section, "hosts", grant->host, same_host);
	ports = read_list(draft, section, "ports", port, same_port);
	if (!is_alike(draft, section, grant))
		return NULL;
	if (hosts.has && (ports.has || grant->port == 0))
		return splice(text, len, len, 0, "");
	if (hosts.has && hosts.count == 1 && ports.end) {
		snprintf(added, sizeof(added), ", %s", port);
		return splice(text, len, (size_t)(ports.end - text), 0, added);
	}
	if (hosts.end && ((ports.has && ports.count == 1) || grant->port == 0)) {
		snprintf(added, sizeof(added), ", %s", grant->host);
		return splice(text, len, (size_t)(hosts.end - text), 0, added);
	}
	return NULL;
}

/* The grant's host becomes part of a line: it may not end it, or begin another thing in it. */
static bool is_plain(const char *text, const char *not_in)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr(not_in, *p))
			return false;
	return *text != '\0';
}

char *egret_edit_allow(const char *file, const char *text, size_t len, const struct egret_grant *grant, struct egret_err *err)
{
	const char *name = grant->name ? grant->name : grant->host;
	struct egret_draft draft = {0};
	const struct egret_section *section;
	char other[EGRET_TITLE_MAX + 1];
	char *result = NULL;
	bool good;

	if (!is_plain(grant->host, ",;") || strlen(grant->host) >= EGRET_NAME_MAX) {
		egret_err_add(err, NULL, 0, "\"%s\" is not a host", grant->host);
		return NULL;
	}
	if (!grant->name && (strlen(name) > EGRET_TITLE_MAX - 6 || !is_plain(name, "[]"))) {
		snprintf(other, sizeof(other), "%.40s", name); /* short enough for a title with a port */
		name = other;
	}
	if (!is_plain(name, "[];") || strlen(name) > EGRET_TITLE_MAX || strcmp(name, "egret") == 0) {
		egret_err_add(err, NULL, 0, "\"%s\" is no name for an entry; expected at most %d bytes without white space, brackets or semicolons",
			      name, EGRET_TITLE_MAX);
		return NULL;
	}
	good = read_draft(&draft, file, text, len, err);
	section = good ? find_section(&draft, name) : NULL;
	if (section)
		result = extend_entry(&draft, section, text, len, grant);
	if (section && !result && !grant->name) {
		snprintf(other, sizeof(other), "%.40s-%u", grant->host, grant->port);
		name = other;
		section = find_section(&draft, name);
		result = section ? extend_entry(&draft, section, text, len, grant) : NULL;
	}
	if (good && !section)
		result = append_entry(text, len, grant, name);
	else if (good && !result)
		egret_err_add(err, file, section->line, "[%s] cannot take %s: that would change what it opens already; choose another name with --name",
			      name, grant->host);
	egret_draft_free(&draft);
	return result;
}

/* Byte offset of the line that P is in, and of the line behind it. */
static size_t line_start(const char *text, const char *p)
{
	while (p > text && p[-1] != '\n')
		p--;
	return (size_t)(p - text);
}

static size_t line_end(const char *text, size_t len, const char *p)
{
	const char *newline = memchr(p, '\n', len - (size_t)(p - text));

	return newline ? (size_t)(newline + 1 - text) : len;
}

/* The entry whose name is most like NAME, within half of it; NULL. */
static const struct egret_section *nearest_section(const struct egret_draft *draft, const char *name)
{
	const struct egret_section *best = NULL;
	size_t best_distance = strlen(name) / 2 + 1;

	for (size_t i = 0; i < draft->section_count; i++) {
		const struct egret_section *section = &draft->sections[i];
		size_t d = egret_key_distance(section->title, section->title_len, name, strlen(name));

		if (d < best_distance) {
			best = section;
			best_distance = d;
		}
	}
	return best;
}

static void say_no_entry(const struct egret_draft *draft, const char *file, const char *name, struct egret_err *err)
{
	const struct egret_section *near = nearest_section(draft, name);

	if (near)
		egret_err_add(err, file, 0, "has no entry [%s]; did you mean [%.*s]?", name, (int)near->title_len, near->title);
	else
		egret_err_add(err, file, 0, "has no entry [%s]; `egret list` shows those there are", name);
}

char *egret_edit_delete(const char *file, const char *text, size_t len, const char *name, struct egret_err *err)
{
	struct egret_draft draft = {0};
	const struct egret_section *section;
	char *result = NULL;
	bool good = read_draft(&draft, file, text, len, err);

	section = good && strcmp(name, "egret") != 0 ? find_section(&draft, name) : NULL;
	if (section) {
		const char *last = section->count ? draft.values[section->first + section->count - 1].text : section->title;
		size_t start = line_start(text, section->title), end = line_end(text, len, last);

		/* Of the empty lines before and behind it, one is enough. */
		if (end < len && text[end] == '\n' && (start == 0 || (start >= 2 && text[start - 2] == '\n')))
			end++;
		result = splice(text, len, start, end - start, "");
	} else if (good) {
		say_no_entry(&draft, file, name, err);
	}
	egret_draft_free(&draft);
	return result;
}
