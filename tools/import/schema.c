/* Which fields are read, and a warning for each that is not: nothing is passed over in silence. */
#include "tools/import/import.h"

#include <string.h>

enum how { READ, SKIP, NOTE };

static const struct field { const char *path; enum how how; const char *text; } fields[] = {
#define FIELD(path, how, text) { path, how, text },
#include "tools/import/schema.def"
#undef FIELD
};

#define LONGEST_PATH 160

/* The row of PATH, NULL; *BELOW: rows of fields below it exist. */
static const struct field *find(const char *path, bool *below)
{
	size_t len = strlen(path);

	*below = false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!strcmp(fields[i].path, path))
			return &fields[i];
		*below |= !strncmp(fields[i].path, path, len) && fields[i].path[len] == '.';
	}
	return NULL;
}

/* PATH: of NODE. Depth is bounded by the table: only what has rows below it is entered. */
static void check(struct egret_manifests *all, struct egret_node node, const char *path, unsigned depth)
{
	char below_path[LONGEST_PATH];
	struct egret_node value;

	for (size_t i = 0; egret_node_is_list(node) && depth < 16 && i < egret_node_count(node); i++)
		check(all, egret_node_item(node, i), path, depth + 1);
	for (size_t i = 0; egret_node_is_map(node) && i < egret_node_count(node); i++) {
		struct egret_node key = egret_node_pair(node, i, &value);
		const char *name = egret_node_text(key), *shown = strchr(path, '.');
		const struct field *field;
		bool below;

		if (!name || snprintf(below_path, sizeof(below_path), "%s.%s", path, name) >= LONGEST_PATH) {
			egret_import_warn(all, key, "a field of %s that is not known", path);
			continue;
		}
		field = find(below_path, &below);
		shown = strchr(below_path, '.') + 1;
		if (field && field->how == NOTE)
			egret_import_warn(all, key, "%s: %s", shown, field->text);
		else if (!field && below)
			check(all, value, below_path, depth + 1);
		else if (!field)
			egret_import_warn(all, key, "%s has no counterpart in a policy; it is ignored", shown);
	}
}

void egret_import_check_fields(struct egret_manifests *all, const struct egret_manifest *manifest)
{
	check(all, manifest->spec, egret_node_get_text(manifest->whole, "kind"), 0);
}
