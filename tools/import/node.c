#include "tools/import/node.h"

#include <stdlib.h>
#include <string.h>

static struct egret_node node_at(struct egret_node near, int index)
{
	return (struct egret_node){ near.doc, yaml_document_get_node(near.doc, index), near.file };
}

bool egret_node_is_map(struct egret_node node)
{
	return node.at && node.at->type == YAML_MAPPING_NODE;
}

bool egret_node_is_list(struct egret_node node)
{
	return node.at && node.at->type == YAML_SEQUENCE_NODE;
}

unsigned egret_node_line(struct egret_node node)
{
	return node.at ? (unsigned)node.at->start_mark.line + 1 : 0;
}

size_t egret_node_count(struct egret_node node)
{
	if (egret_node_is_list(node))
		return (size_t)(node.at->data.sequence.items.top - node.at->data.sequence.items.start);
	if (egret_node_is_map(node))
		return (size_t)(node.at->data.mapping.pairs.top - node.at->data.mapping.pairs.start);
	return 0;
}

struct egret_node egret_node_item(struct egret_node list, size_t i)
{
	return node_at(list, list.at->data.sequence.items.start[i]);
}

struct egret_node egret_node_pair(struct egret_node map, size_t i, struct egret_node *value)
{
	const yaml_node_pair_t *pair = &map.at->data.mapping.pairs.start[i];

	*value = node_at(map, pair->value);
	return node_at(map, pair->key);
}

const char *egret_node_text(struct egret_node node)
{
	if (!node.at || node.at->type != YAML_SCALAR_NODE)
		return NULL;
	/* libyaml ends it with a NUL; one inside would let two readers see two texts. */
	return strlen((const char *)node.at->data.scalar.value) == node.at->data.scalar.length ? (const char *)node.at->data.scalar.value : NULL;
}

struct egret_node egret_node_get(struct egret_node map, const char *key)
{
	for (size_t i = 0; egret_node_is_map(map) && i < egret_node_count(map); i++) {
		struct egret_node value;
		const char *text = egret_node_text(egret_node_pair(map, i, &value));

		if (text && !strcmp(text, key))
			return value;
	}
	return (struct egret_node){ 0 };
}

const char *egret_node_get_text(struct egret_node map, const char *key)
{
	const char *text = egret_node_text(egret_node_get(map, key));

	return text ? text : "";
}

unsigned egret_node_get_port(struct egret_node map, const char *key)
{
	const char *text = egret_node_get_text(map, key);
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && !*end && value <= 65535 ? (unsigned)value : 0;
}

bool egret_node_has(struct egret_node list, const char *text)
{
	for (size_t i = 0; egret_node_is_list(list) && i < egret_node_count(list); i++) {
		const char *item = egret_node_text(egret_node_item(list, i));

		if (item && !strcmp(item, text))
			return true;
	}
	return false;
}
