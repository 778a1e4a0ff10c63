/* From files to manifests, and how a problem names its place. */
#include "policy/draft.h"
#include "tools/import/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void add(struct egret_err *err, struct egret_node where, const char *fmt, va_list args)
{
	char *text = NULL;
	bool known = false;

	if (vasprintf(&text, fmt, args) < 0) {
		err->no_memory = 1;
		return;
	}
	/* Said once, however many hosts and ports it concerns. */
	for (size_t i = 0; i < err->count; i++)
		known |= err->items[i].line == egret_node_line(where) && err->items[i].file && where.file && !strcmp(err->items[i].file, where.file) &&
			 !strcmp(err->items[i].text, text);
	if (!known)
		egret_err_add(err, where.file, egret_node_line(where), "%s", text);
	free(text);
}

void egret_import_warn(struct egret_manifests *all, struct egret_node where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(&all->warn, where, fmt, args);
	va_end(args);
}

void egret_import_error(struct egret_manifests *all, struct egret_node where, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(&all->err, where, fmt, args);
	va_end(args);
}

static const struct { const char *kind; enum egret_manifest_kind value; } kinds[] = {
	{ "ServiceEntry", EGRET_SERVICE_ENTRY },
	{ "DestinationRule", EGRET_DESTINATION_RULE },
	{ "VirtualService", EGRET_VIRTUAL_SERVICE },
	{ "Sidecar", EGRET_SIDECAR },
	{ "AuthorizationPolicy", EGRET_AUTHORIZATION_POLICY },
};

/* A key given twice: YAML forbids it, libyaml does not, and two readers would take two values. */
static void refuse_repeated_keys(struct egret_manifests *all, struct egret_node node, unsigned depth)
{
	struct egret_node value, other;

	if (depth > 32) {
		egret_import_error(all, node, "is nested too deeply");
		return;
	}
	for (size_t i = 0; egret_node_is_list(node) && i < egret_node_count(node); i++)
		refuse_repeated_keys(all, egret_node_item(node, i), depth + 1);
	for (size_t i = 0; egret_node_is_map(node) && i < egret_node_count(node); i++) {
		struct egret_node key = egret_node_pair(node, i, &value);
		const char *text = egret_node_text(key);

		for (size_t k = 0; text && k < i; k++) {
			const char *earlier = egret_node_text(egret_node_pair(node, k, &other));

			if (earlier && !strcmp(earlier, text))
				egret_import_error(all, key, "%s is given twice in one mapping", text);
		}
		if (!all->err.count)
			refuse_repeated_keys(all, value, depth + 1);
	}
}

static void take_manifest(struct egret_manifests *all, struct egret_node whole)
{
	const char *kind = egret_node_get_text(whole, "kind");
	const char *name = egret_node_get_text(egret_node_get(whole, "metadata"), "name");
	struct egret_node items = egret_node_get(whole, "items");
	struct egret_manifest manifest = { .name = name[0] ? name : "unnamed", .whole = whole, .spec = egret_node_get(whole, "spec") };

	if (!strcmp(kind, "List")) {
		for (size_t i = 0; egret_node_is_list(items) && i < egret_node_count(items); i++)
			take_manifest(all, egret_node_item(items, i));
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		manifest.kind = kinds[i].value;
		if (!egret_node_is_map(manifest.spec) && manifest.kind != EGRET_AUTHORIZATION_POLICY)
			egret_import_error(all, whole, "%s %s has no spec", kind, manifest.name);
		else if (egret_grow(&all->items, &all->room, all->count, sizeof(manifest)))
			all->items[all->count++] = manifest;
		else
			all->err.no_memory = 1;
		return;
	}
	egret_import_warn(all, whole, "kind %s is not imported; ServiceEntry, DestinationRule, VirtualService, Sidecar and AuthorizationPolicy are",
			  kind[0] ? kind : "(none)");
}

static void parse(struct egret_manifests *all, yaml_parser_t *parser, const char *file)
{
	for (;;) {
		yaml_document_t *doc = calloc(1, sizeof(*doc));
		struct egret_node root = { .doc = doc, .file = file };

		if (!doc || !yaml_parser_load(parser, doc)) {
			egret_err_add(&all->err, file, (unsigned)parser->problem_mark.line + 1, "is no YAML: %s",
				      parser->problem ? parser->problem : "out of memory");
			free(doc);
			return;
		}
		root.at = yaml_document_get_root_node(doc);
		if (!root.at || !egret_grow(&all->docs, &all->doc_room, all->doc_count, sizeof(*all->docs))) {
			all->err.no_memory |= root.at != NULL;
			yaml_document_delete(doc);
			free(doc);
			return;
		}
		all->docs[all->doc_count++] = doc;
		refuse_repeated_keys(all, root, 0);
		if (all->err.count)
			return;
		/* `---` with nothing behind it is an empty document. */
		if (egret_node_is_map(root))
			take_manifest(all, root);
		else if (!egret_node_text(root) || egret_node_text(root)[0])
			egret_import_error(all, root, "expected a mapping with kind and spec");
	}
}

bool egret_manifests_read(struct egret_manifests *all, const char *file)
{
	FILE *input = fopen(strcmp(file, "-") ? file : "/dev/stdin", "re");
	yaml_parser_t parser;

	if (!input) {
		egret_err_add(&all->err, file, 0, "cannot be opened: %s", strerror(errno));
		return false;
	}
	if (yaml_parser_initialize(&parser)) {
		yaml_parser_set_input_file(&parser, input);
		parse(all, &parser, file);
		yaml_parser_delete(&parser);
	} else {
		all->err.no_memory = 1;
	}
	fclose(input);
	return !egret_err_any(&all->err);
}

void egret_manifests_free(struct egret_manifests *all)
{
	for (size_t i = 0; i < all->doc_count; i++) {
		yaml_document_delete(all->docs[i]);
		free(all->docs[i]);
	}
	free(all->docs);
	free(all->items);
	egret_err_free(&all->err);
	egret_err_free(&all->warn);
	*all = (struct egret_manifests){ 0 };
}
