#include "explain_tls.h"

#include "policy/keys.h"
#include "policy/log.h"
#include "policy/said.h"
#include "tools/json.h"

#include <string.h>

struct setting {
	const char *key, *file; /* FILE NULL: the default */
	struct egret_said said;
};

/* What a default that is no word of the file means. */
static const char *fallback_of(const struct egret_key *key, const char *host)
{
	if (strcmp(key->name, "tls_server_name") == 0)
		return host;
	if (strcmp(key->name, "tls_ca_file") == 0)
		return "the system's store";
	return key->fallback[0] ? key->fallback : NULL;
}

/* The setting of KEY; false: it is not set, and its absence means nothing. */
static bool look_up(const struct egret_key *key, const struct egret_entry *entry, const char *policy_file, const char *host,
		    struct setting *setting)
{
	const char *fallback;

	setting->key = key->name;
	setting->file = entry->file;
	if (egret_policy_said(entry->file, entry->line, key->name, &setting->said))
		return true;
	setting->file = policy_file;
	if (egret_policy_said(policy_file, 0, key->name, &setting->said))
		return true;
	fallback = fallback_of(key, host);
	setting->file = NULL;
	if (!fallback || (strcmp(key->name, "tls_ca_file") == 0 && entry->settings->ca_path))
		return false;
	snprintf(setting->said.value, sizeof(setting->said.value), "%s", fallback);
	return true;
}

static bool is_tls(const struct egret_key *key)
{
	return key->where == EGRET_IN_BOTH && strncmp(key->name, "tls_", 4) == 0;
}

void egret_explain_tls_text(const struct egret_entry *entry, const char *policy_file, const char *host)
{
	char value[1024], file[1024];
	struct setting setting;

	for (size_t i = 0; i < egret_key_count; i++) {
		if (!is_tls(&egret_keys[i]) || !look_up(&egret_keys[i], entry, policy_file, host, &setting))
			continue;
		printf("  %-21s = %s", setting.key, egret_escape(setting.said.value, strlen(setting.said.value), value, sizeof(value)));
		if (setting.file)
			printf("  (%s:%u)\n", egret_escape(setting.file, strlen(setting.file), file, sizeof(file)), setting.said.line);
		else
			puts("  (default)");
	}
}

void egret_explain_tls_json(const struct egret_entry *entry, const char *policy_file, const char *host)
{
	struct setting setting;
	const char *before = "";

	putchar('[');
	for (size_t i = 0; i < egret_key_count; i++) {
		if (!is_tls(&egret_keys[i]) || !look_up(&egret_keys[i], entry, policy_file, host, &setting))
			continue;
		printf("%s{", before);
		before = ", ";
		egret_json_member(stdout, 1, "key", setting.key);
		egret_json_member(stdout, 0, "value", setting.said.value);
		egret_json_member(stdout, 0, "file", setting.file);
		egret_json_number(stdout, 0, "line", setting.file ? (long)setting.said.line : -1);
		putchar('}');
	}
	putchar(']');
}
