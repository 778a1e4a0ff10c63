#include "setters.h"

#include <stdlib.h>
#include <string.h>

static void apply(struct egret_build *build, const struct egret_draft *draft, const struct egret_section *section,
		  enum egret_key_form form)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct egret_value *value = &draft->values[section->first + i];

		if (value->key->form != form)
			continue;
		if (value->key->where == EGRET_IN_BOTH && !build->tls_given) {
			build->tls_given = true;
			build->tls_line = value->line;
		}
		value->key->set(build, value->key, value);
	}
}

/* How many items the entry has of a list key, from all its lines. */
static size_t count_of(const struct egret_build *build, const char *key)
{
	const struct { const char *key; size_t count; } lists[] = {
		{"hosts", build->hosts.count}, {"ports", build->ports.count}, {"addresses", build->endpoints.count},
		{"http_allow", build->http_allow.count}, {"http_deny", build->http_deny.count}, {"tls_pin_sha256", build->pins.count},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].key, key) == 0)
			return lists[i].count;
	return 0;
}

static bool has_no_item(const struct egret_value *value)
{
	const char *item;
	size_t at = 0, len;

	return (value->len == 0 || value->text[0] == ',') && !egret_next_item(value, &at, &item, &len);
}

/* Lists may not be empty where an empty one could be taken for "everything". */
static void refuse_empty(struct egret_build *build, const struct egret_draft *draft, const struct egret_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct egret_value *value = &draft->values[section->first + i];

		if (value->key->form == EGRET_FORM_LIST && !value->more && has_no_item(value) && count_of(build, value->key->name) == 0)
			egret_err_add(build->err, build->file, value->line, "%s: the list is empty; expected %s", value->key->name, value->key->values);
	}
}

/* Equal settings are stored once. The struct was zeroed, so that its padding compares too. */
static const struct egret_tls_settings *store_settings(struct egret_build *build)
{
	if (build->pins.count) {
		build->tls.pins = egret_intern(&build->intern, build->pins.items, build->pins.count * sizeof(struct egret_pin));
		build->tls.pin_count = build->pins.count;
	}
	return egret_intern(&build->intern, &build->tls, sizeof(build->tls));
}

static void compile_settings(void *ctx, const struct egret_draft *draft, const struct egret_section *section)
{
	struct egret_build *build = ctx;

	if (build->settings_line)
		egret_err_add(build->err, build->file, section->line, "[egret] was given in line %u already", build->settings_line);
	build->settings_line = section->line;
	apply(build, draft, section, EGRET_FORM_SCALAR);
	apply(build, draft, section, EGRET_FORM_LIST);
}

static void read_file(struct egret_build *build, struct egret_draft *draft, const struct egret_file *file, enum egret_part part)
{
	build->file = file->path;
	egret_draft_read(draft, file->path, file->text, file->len, part, build->err);
}

void egret_compile_settings(struct egret_build *build)
{
	struct egret_draft draft = {.take = compile_settings, .ctx = build};

	read_file(build, &draft, build->files.items, EGRET_PART_SETTINGS);
	build->policy->arena.failed |= draft.no_memory;
	egret_draft_free(&draft);
	build->shared = store_settings(build);
	memcpy(&build->defaults, &build->tls, sizeof(build->tls)); /* padding too */
}

static void reset_entry(struct egret_build *build, const struct egret_section *section)
{
	build->entry = (struct egret_entry){.protocol = EGRET_TCP, .action = EGRET_ALLOW, .line = section->line};
	memcpy(&build->tls, &build->defaults, sizeof(build->tls));
	build->tls_given = build->protocol_given = false;
	build->hosts.count = build->ports.count = build->endpoints.count = 0;
	build->http_allow.count = build->http_deny.count = build->pins.count = 0;
}

static void store_entry(struct egret_build *build, const struct egret_section *section)
{
	struct egret_policy *policy = build->policy;
	struct egret_entry *entry = &build->entry;

	entry->name = egret_arena_text(&policy->arena, section->title, section->title_len);
	entry->file = build->file;
	entry->hosts = egret_arena_copy(&policy->arena, build->hosts.items, build->hosts.count, sizeof(char *));
	entry->host_count = (uint32_t)build->hosts.count;
	entry->ports = build->ports.count ? egret_intern(&build->intern, build->ports.items, build->ports.count * sizeof(struct egret_port_range)) : NULL;
	entry->port_count = (uint32_t)build->ports.count;
	entry->endpoints = egret_arena_copy(&policy->arena, build->endpoints.items, build->endpoints.count, sizeof(struct egret_endpoint));
	entry->endpoint_count = (uint32_t)build->endpoints.count;
	entry->http_allow = egret_arena_copy(&policy->arena, build->http_allow.items, build->http_allow.count, sizeof(struct egret_http_rule));
	entry->http_allow_count = (uint32_t)build->http_allow.count;
	entry->http_deny = egret_arena_copy(&policy->arena, build->http_deny.items, build->http_deny.count, sizeof(struct egret_http_rule));
	entry->http_deny_count = (uint32_t)build->http_deny.count;
	entry->settings = build->tls_given ? store_settings(build) : build->shared;
	if (entry->action == EGRET_DENY)
		policy->any_deny = true;
	if (egret_grow(&policy->entries, &policy->entry_room, policy->entry_count, sizeof(*entry)))
		policy->entries[policy->entry_count++] = *entry;
	else
		policy->arena.failed = true;
}

/* Adds the title, or an error when an entry has it already. */
static void add_title(struct egret_build *build, const struct egret_section *section, uint32_t hash)
{
	const struct egret_policy *policy = build->policy;
	struct egret_titles *titles = &build->titles;
	size_t at = hash & titles->mask;

	for (; titles->slots[at].number; at = (at + 1) & titles->mask) {
		const struct egret_entry *other = &policy->entries[titles->slots[at].number - 1];

		if (titles->slots[at].hash != hash || strncmp(other->name, section->title, section->title_len) != 0 || other->name[section->title_len])
			continue;
		egret_err_add(build->err, build->file, section->line, "[%s] was given in %s:%u already", other->name, other->file, other->line);
		return;
	}
	titles->slots[at] = (struct egret_title){.hash = hash, .number = (uint32_t)policy->entry_count + 1};
}

static void compile_entry(void *ctx, const struct egret_draft *draft, const struct egret_section *section)
{
	struct egret_build *build = ctx;
	size_t errors = build->err->count;
	uint32_t hash;

	if (build->policy->arena.failed)
		return;
	hash = egret_hosts_hash(section->title, section->title_len);
	__builtin_prefetch(&build->titles.slots[hash & build->titles.mask], 1); /* for add_title */
	reset_entry(build, section);
	apply(build, draft, section, EGRET_FORM_SCALAR);
	apply(build, draft, section, EGRET_FORM_LIST);
	refuse_empty(build, draft, section);
	egret_check_entry(build, section, section->damaged || build->err->count > errors);
	add_title(build, section, hash);
	if (!build->policy->arena.failed)
		store_entry(build, section);
}

/* Room for all that may come, where that is known before: growing copies what is there. */
static void make_room(struct egret_build *build, size_t entries)
{
	struct egret_policy *policy = build->policy;
	struct egret_titles *titles = &build->titles;

	for (titles->mask = 15; titles->mask < entries * 2;)
		titles->mask = titles->mask * 2 + 1;
	titles->slots = calloc(titles->mask + 1, sizeof(*titles->slots));
	policy->arena.failed |= !titles->slots;
	egret_reserve(&policy->entries, &policy->entry_room, entries, sizeof(*policy->entries));
	egret_hosts_reserve(&policy->index.names, entries); /* most entries have one */
}

void egret_compile_entries(struct egret_build *build)
{
	struct egret_draft draft = {.take = compile_entry, .ctx = build};
	const struct egret_file *files = build->files.items;
	size_t most = 0;

	for (size_t i = 0; i < build->files.count; i++)
		most += egret_draft_most(files[i].text, files[i].len);
	make_room(build, most);
	for (size_t i = 0; i < build->files.count; i++)
		read_file(build, &draft, &files[i], i == 0 ? EGRET_PART_ENTRIES : EGRET_PART_INCLUDED);
	build->policy->arena.failed |= draft.no_memory;
	egret_draft_free(&draft);
}
