/* A YAML document as the importer walks it: libyaml's nodes with the file and line they came from. Values borrow from the
 * document, which lives until egret_manifests_free. Zeroed is "absent": every question about it answers so. */
#ifndef EGRET_IMPORT_NODE_H
#define EGRET_IMPORT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

struct egret_node {
	yaml_document_t *doc;
	const yaml_node_t *at;
	const char *file;
};

bool egret_node_is_map(struct egret_node node);
bool egret_node_is_list(struct egret_node node);
unsigned egret_node_line(struct egret_node node); /* 1-based */

/* The value of KEY in a mapping; absent when there is none. */
struct egret_node egret_node_get(struct egret_node map, const char *key);
/* Items of a list (a scalar or mapping counts as a list of none), pairs of a mapping. */
size_t egret_node_count(struct egret_node node);
struct egret_node egret_node_item(struct egret_node list, size_t i);
struct egret_node egret_node_pair(struct egret_node map, size_t i, struct egret_node *value); /* returns the key */

/* The scalar's text; NULL when absent, no scalar, or with a NUL inside. */
const char *egret_node_text(struct egret_node node);
/* Its text under KEY, "" when absent. */
const char *egret_node_get_text(struct egret_node map, const char *key);
/* A decimal number from 1 to 65535 under KEY; 0 when it is none. */
unsigned egret_node_get_port(struct egret_node map, const char *key);
/* Is TEXT one of the list's items? */
bool egret_node_has(struct egret_node list, const char *text);

#endif
