/* What DestinationRules say about TLS, as tls_ keys. */
#include "tools/import/import.h"

#include <string.h>
#include <strings.h>

/* The tls of a trafficPolicy for PORT. A port's own settings replace the others as a whole. False: the policy says nothing. */
static bool tls_of(struct egret_node policy, unsigned port, struct egret_node *tls)
{
	struct egret_node levels = egret_node_get(policy, "portLevelSettings");

	for (size_t i = 0; egret_node_is_list(levels) && i < egret_node_count(levels); i++) {
		struct egret_node level = egret_node_item(levels, i);

		if (egret_node_get_port(egret_node_get(level, "port"), "number") != port)
			continue;
		*tls = egret_node_get(level, "tls");
		return true;
	}
	*tls = egret_node_get(policy, "tls");
	return tls->at != NULL;
}

static struct egret_node subset_policy(const struct egret_manifest *rule, const char *name)
{
	struct egret_node subsets = egret_node_get(rule->spec, "subsets");

	for (size_t i = 0; name[0] && egret_node_is_list(subsets) && i < egret_node_count(subsets); i++)
		if (!strcmp(egret_node_get_text(egret_node_item(subsets, i), "name"), name))
			return egret_node_get(egret_node_item(subsets, i), "trafficPolicy");
	return (struct egret_node){ 0 };
}

/* The rule of the most specific host. */
static const struct egret_manifest *find_rule(const struct egret_import *one)
{
	const struct egret_manifest *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < one->all->count; i++) {
		const struct egret_manifest *rule = &one->all->items[i];
		const char *pattern = egret_node_get_text(rule->spec, "host");
		size_t fits = strlen(pattern) + (pattern[0] != '*');

		if (rule->kind == EGRET_DESTINATION_RULE && egret_import_host_covers(pattern, one->host) && fits > longest) {
			best = rule;
			longest = fits;
		}
	}
	return best;
}

/* A value as a line of the policy; what would end it early or be read otherwise leaves the host out. */
static void put(struct egret_import *one, FILE *to, struct egret_node where, const char *key, const char *value)
{
	bool good = value[0] && value[0] != ' ' && value[strlen(value) - 1] != ' ' && !strstr(value, " ;") && !strstr(value, " #") && value[0] != ';';

	for (const char *p = value; *p; p++)
		good &= (unsigned char)*p >= ' ' && *p != 0x7f;
	if (good)
		fprintf(to, "%s = %s\n", key, value);
	else
		egret_import_leave_out(one, where, "a value of its tls settings cannot be written in a policy");
}

static void put_credential(struct egret_import *one, FILE *to, struct egret_node tls, const char *name, bool mutual)
{
	static const struct { const char *key, *file; bool mutual; } files[] = {
		{ "tls_ca_file", "ca.crt", false }, { "tls_client_cert", "tls.crt", true }, { "tls_client_key", "tls.key", true }
	};
	char path[4096];

	if (!one->all->credentials || strchr(name, '/')) {
		egret_import_leave_out(one, egret_node_get(tls, "credentialName"),
				       "credentialName is a secret of the cluster; put its files into DIR/NAME and give --credentials=DIR");
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		if (files[i].mutual && !mutual)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", one->all->credentials, name, files[i].file);
		put(one, to, tls, files[i].key, path);
	}
}

static void put_files(struct egret_import *one, FILE *to, struct egret_node tls, bool mutual)
{
	static const struct { const char *field, *key; bool mutual; } files[] = {
		{ "caCertificates", "tls_ca_file", false }, { "caCrl", "tls_crl_file", false },
		{ "clientCertificate", "tls_client_cert", true }, { "privateKey", "tls_client_key", true }
	};
	const char *credential = egret_node_get_text(tls, "credentialName");

	if (credential[0]) {
		put_credential(one, to, tls, credential, mutual);
		return;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *value = egret_node_get_text(tls, files[i].field);

		if (files[i].mutual && mutual && !value[0])
			egret_import_leave_out(one, tls, "mode MUTUAL needs clientCertificate and privateKey");
		if (value[0] && strcmp(value, "system") != 0 && (!files[i].mutual || mutual))
			put(one, to, egret_node_get(tls, files[i].field), files[i].key, value);
	}
}

/* SNI and verified name are one key in a policy. */
static void put_name(struct egret_import *one, FILE *to, struct egret_node tls)
{
	struct egret_node names = egret_node_get(tls, "subjectAltNames");
	const char *sni = egret_node_get_text(tls, "sni"), *server = sni[0] ? sni : one->host, *only;

	if (!egret_node_count(names))
		names = egret_node_get(one->service->spec, "subjectAltNames");
	only = egret_node_is_list(names) && egret_node_count(names) == 1 ? egret_node_text(egret_node_item(names, 0)) : NULL;
	if (!egret_node_count(names) || egret_node_has(names, server)) {
		if (sni[0] && strcasecmp(sni, one->host) != 0)
			put(one, to, tls, "tls_server_name", sni);
	} else if (only && !strpbrk(only, "*/:")) {
		egret_import_warn(one->all, names, "subjectAltNames: SNI and verified name are one in a policy; both are %s", only);
		put(one, to, names, "tls_server_name", only);
	} else {
		egret_import_leave_out(one, names, "its subjectAltNames are not the server's name, which is the one that a policy verifies");
	}
}

static void originate(struct egret_import *one, FILE *to, struct egret_node tls, bool mutual)
{
	if (!strcmp(one->protocol, "tls") || !strcmp(one->protocol, "udp")) {
		egret_import_leave_out(one, tls, "its port's protocol is TLS already, and the DestinationRule opens TLS around it; protocol HTTP or TCP is meant?");
		return;
	}
	fprintf(to, "tls = originate\n");
	put_name(one, to, tls);
	put_files(one, to, tls, mutual);
	if (!strcmp(egret_node_get_text(tls, "insecureSkipVerify"), "true")) {
		egret_import_warn(one->all, egret_node_get(tls, "insecureSkipVerify"), "tls_verify = none: anybody on the way can read and change it");
		fprintf(to, "tls_verify = none\n");
	}
}

static void check_tls_fields(struct egret_import *one, struct egret_node tls)
{
	static const char *const known[] = { "mode", "sni", "caCertificates", "caCrl", "clientCertificate", "privateKey", "insecureSkipVerify",
					     "credentialName", "subjectAltNames" };
	struct egret_node value;

	for (size_t i = 0; egret_node_is_map(tls) && i < egret_node_count(tls); i++) {
		struct egret_node key = egret_node_pair(tls, i, &value);
		const char *name = egret_node_text(key);
		bool found = false;

		for (size_t k = 0; name && k < sizeof(known) / sizeof(known[0]); k++)
			found |= !strcmp(known[k], name);
		if (!found)
			egret_import_warn(one->all, key, "tls.%s has no counterpart in a policy; it is ignored", name ? name : "(no text)");
	}
}

void egret_import_tls(struct egret_import *one, FILE *to)
{
	const struct egret_manifest *rule = find_rule(one);
	struct egret_node tls = { 0 };
	const char *mode;

	if (!rule || (!tls_of(subset_policy(rule, one->subset), one->service_port, &tls) &&
		      !tls_of(egret_node_get(rule->spec, "trafficPolicy"), one->service_port, &tls)))
		return;
	check_tls_fields(one, tls);
	mode = egret_node_get_text(tls, "mode");
	if (!strcmp(mode, "SIMPLE") || !strcmp(mode, "MUTUAL"))
		originate(one, to, tls, mode[0] == 'M');
	else if (!strcmp(mode, "ISTIO_MUTUAL"))
		egret_import_error(one->all, tls, "mode ISTIO_MUTUAL uses the mesh's own certificates, which do not exist outside it; write SIMPLE or MUTUAL with files");
	else if (mode[0] && strcmp(mode, "DISABLE") != 0)
		egret_import_error(one->all, tls, "mode: expected DISABLE, SIMPLE or MUTUAL, got %s", mode);
}
