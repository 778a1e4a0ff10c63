/* egret import: a mesh's manifests in, a policy out (networking.istio.io and security.istio.io, v1alpha3 to v1).
 *
 * read.c parses the files, schema.c warns of every field that has no counterpart, the others answer one question each for one host and
 * port of a ServiceEntry, and write.c puts the answers together. Nothing imports wider than it was: where a field cannot be expressed, the
 * entry gets narrower or is left out, with a warning that says so. Single-threaded; strings borrow from the manifests.
 */
#ifndef EGRET_IMPORT_H
#define EGRET_IMPORT_H

#include "policy/err.h"
#include "tools/import/node.h"

#include <stdbool.h>
#include <stdio.h>

enum egret_manifest_kind { EGRET_SERVICE_ENTRY, EGRET_DESTINATION_RULE, EGRET_VIRTUAL_SERVICE, EGRET_SIDECAR, EGRET_AUTHORIZATION_POLICY };

struct egret_manifest {
	enum egret_manifest_kind kind;
	const char *name; /* metadata.name, or "unnamed" */
	struct egret_node whole, spec;
};

struct egret_manifests {
	struct egret_manifest *items;
	size_t count, room;
	yaml_document_t **docs; /* owned */
	size_t doc_count, doc_room;
	const char *credentials; /* a folder with NAME/{ca.crt,tls.crt,tls.key} for each credentialName; NULL: none */
	struct egret_err err;    /* what ends the import */
	struct egret_err warn;   /* what has no counterpart */
};

/* Adds FILE's documents. False: an error was added. FILE is borrowed. */
bool egret_manifests_read(struct egret_manifests *all, const char *file);
void egret_manifests_free(struct egret_manifests *all);

void egret_import_warn(struct egret_manifests *all, struct egret_node where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void egret_import_error(struct egret_manifests *all, struct egret_node where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* schema.c: warns of the fields of MANIFEST that nothing here reads. */
void egret_import_check_fields(struct egret_manifests *all, const struct egret_manifest *manifest);

/* A list of http_allow or http_deny rules, as the policy writes them. */
struct egret_rules {
	char *text; /* malloc'ed, comma separated; NULL: none */
};
void egret_rules_join(struct egret_rules *rules, const char *more);
void egret_rules_add(struct egret_rules *rules, const char *method, const char *path);

/* One host on one port of a ServiceEntry, on its way into the policy. */
struct egret_import {
	struct egret_manifests *all;
	const struct egret_manifest *service;
	struct egret_node port_node;
	const char *host;
	unsigned port;
	const char *protocol; /* of the policy: tcp, udp, tls, http */
	/* What routes say (route.c). */
	unsigned service_port; /* where the mesh sends it: a port of the ServiceEntry */
	const char *subset;    /* "" for none */
	/* What comes out, written by the answers below. */
	bool left_out;
	struct egret_rules allow, deny;
	bool allow_matters; /* some rule restricts: an empty list then allows nothing */
};

/* Leaves it out, with the reason. */
void egret_import_leave_out(struct egret_import *one, struct egret_node where, const char *why);

/* Does PATTERN ("*", "*.suffix", or a name) cover HOST, which may itself be a "*.suffix"? */
bool egret_import_host_covers(const char *pattern, const char *host);

/* What the VirtualServices make of it (route.c), what the Sidecars and AuthorizationPolicies leave of it (authorize.c). */
void egret_import_route(struct egret_import *one);
void egret_import_visible(struct egret_import *one);
void egret_import_authorize(struct egret_import *one);
/* The tls keys that the DestinationRules give it, on TO (tls.c). */
void egret_import_tls(struct egret_import *one, FILE *to);

/* Writes the policy (write.c). */
void egret_import_write(struct egret_manifests *all, FILE *to);

#endif
