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

/* Lists may not be empty where an empty one could be taken for "everything". */
static void refuse_empty(struct egret_build *build, const struct egret_draft *draft, const struct egret_section *section, const char *key,
			 size_t count)
{
	for (size_t i = 0; count == 0 && i < section->count; i++) {
		const struct egret_value *value = &draft->values[section->first + i];
		const char *item;
		size_t at = 0, len;

		if (!value->more && strcmp(value->key->name, key) == 0 && !egret_next_item(value, &at, &item, &len))
			egret_err_add(build->err, build->file, value->line, "%s: the list is empty; expected %s", key, value->key->values);
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

void egret_compile_egret(struct egret_build *build, const struct egret_draft *draft, size_t file)
{
	const struct egret_section *seen = NULL;

	build->file = draft->files[file].path;
	for (size_t i = 0; i < draft->section_count; i++) {
		const struct egret_section *section = &draft->sections[i];

		if (section->file != file || section->title_len != 5 || memcmp(section->title, "egret", 5) != 0)
			continue;
		if (seen)
			egret_err_add(build->err, build->file, section->line, "[egret] was given in line %u already", seen->line);
		seen = section;
		apply(build, draft, section, EGRET_FORM_SCALAR);
		apply(build, draft, section, EGRET_FORM_LIST);
	}
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
	/* The draft's path goes with the draft; neighbours share one copy. */
	if (policy->entry_count && strcmp(policy->entries[policy->entry_count - 1].file, build->file) == 0)
		entry->file = policy->entries[policy->entry_count - 1].file;
	else
		entry->file = egret_intern_text(&build->intern, build->file, strlen(build->file));
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
	policy->entries[policy->entry_count++] = *entry;
}

static void compile_entry(struct egret_build *build, const struct egret_draft *draft, const struct egret_section *section)
{
	size_t errors = build->err->count;

	reset_entry(build, section);
	build->file = draft->files[section->file].path;
	apply(build, draft, section, EGRET_FORM_SCALAR);
	apply(build, draft, section, EGRET_FORM_LIST);
	refuse_empty(build, draft, section, "hosts", build->hosts.count);
	refuse_empty(build, draft, section, "http_allow", build->http_allow.count);
	refuse_empty(build, draft, section, "http_deny", build->http_deny.count);
	refuse_empty(build, draft, section, "ports", build->ports.count);
	refuse_empty(build, draft, section, "addresses", build->endpoints.count);
	refuse_empty(build, draft, section, "tls_pin_sha256", build->pins.count);
	egret_check_entry(build, section, section->damaged || build->err->count > errors);
	if (!build->policy->arena.failed)
		store_entry(build, section);
}

/* The titles so far: an open-addressed table of 1 + section number, at most half full, so that a load of many entries neither
 * grows it nor allocates for each. */
struct titles {
	uint32_t *slots;
	size_t mask;
};

static size_t title_hash(const struct egret_section *section)
{
	uint64_t state = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < section->title_len; i++)
		state = (state ^ (unsigned char)section->title[i]) * 0x100000001b3u;
	return (size_t)(state ^ state >> 32);
}

/* Adds the title of section I, or an error when another section had it. */
static void add_title(struct egret_build *build, const struct egret_draft *draft, struct titles *titles, size_t i)
{
	const struct egret_section *section = &draft->sections[i];
	size_t at = title_hash(section) & titles->mask;

	for (; titles->slots[at]; at = (at + 1) & titles->mask) {
		const struct egret_section *other = &draft->sections[titles->slots[at] - 1];

		if (other->title_len != section->title_len || memcmp(other->title, section->title, section->title_len) != 0)
			continue;
		egret_err_add(build->err, draft->files[section->file].path, section->line, "[%.*s] was given in %s:%u already",
			      (int)section->title_len, section->title, draft->files[other->file].path, other->line);
		return;
	}
	titles->slots[at] = (uint32_t)i + 1;
}

void egret_compile_entries(struct egret_build *build, const struct egret_draft *draft)
{
	struct titles titles = {.mask = 15};
	struct egret_policy *policy = build->policy;

	while (titles.mask < draft->section_count * 2)
		titles.mask = titles.mask * 2 + 1;
	titles.slots = calloc(titles.mask + 1, sizeof(*titles.slots));
	policy->entries = calloc(draft->section_count + 1, sizeof(*policy->entries));
	if (!titles.slots || !policy->entries)
		policy->arena.failed = true;
	egret_hosts_reserve(&policy->index.names, draft->section_count); /* most entries have one */
	for (size_t i = 0; i < draft->section_count && !policy->arena.failed; i++) {
		const struct egret_section *section = &draft->sections[i];

		if (section->title_len == 5 && memcmp(section->title, "egret", 5) == 0)
			continue;
		add_title(build, draft, &titles, i);
		compile_entry(build, draft, section);
	}
	free(titles.slots);
}
