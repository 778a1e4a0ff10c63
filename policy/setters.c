#include "setters.h"

#include "name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void egret_push(struct egret_build *build, struct egret_vector *vector, const void *item, size_t size)
{
	if (!egret_grow(&vector->items, &vector->room, vector->count, size)) {
		build->policy->arena.failed = true;
		return;
	}
	memcpy((char *)vector->items + vector->count++ * size, item, size);
}

void egret_bad_value(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, const char *text,
		     size_t len)
{
	egret_err_add(build->err, build->file, value->line, "%s: expected %s, got \"%.*s\"", key->name, key->values,
		      (int)(len < 200 ? len : 200), text);
}

int egret_word_value(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
		     const struct egret_word *words)
{
	for (; words->text[0]; words++)
		if (strlen(words->text) == value->len && memcmp(words->text, value->text, value->len) == 0)
			return words->value;
	egret_bad_value(build, key, value, value->text, value->len);
	return -1;
}

bool egret_next_item(const struct egret_value *value, size_t *at, const char **item, size_t *len)
{
	while (*at < value->len) {
		const char *start = value->text + *at;
		const char *comma = memchr(start, ',', value->len - *at);
		size_t size = comma ? (size_t)(comma - start) : value->len - *at;

		*at += size + 1;
		for (; size > 0 && (*start == ' ' || *start == '\t'); start++)
			size--;
		while (size > 0 && (start[size - 1] == ' ' || start[size - 1] == '\t'))
			size--;
		if (size > 0) {
			*item = start;
			*len = size;
			return true;
		}
	}
	return false;
}

bool egret_parse_number(const char *text, size_t len, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*number = value;
	return value <= max;
}

bool egret_parse_duration(const char *text, size_t len, uint32_t *ms)
{
	static const struct { const char *unit; uint64_t ms; } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	size_t digits = 0;
	uint64_t number = 0;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].unit) != len - digits || memcmp(units[i].unit, text + digits, len - digits) != 0)
			continue;
		*ms = 0;
		if (!egret_parse_number(text, digits, 3600000 / units[i].ms, &number))
			return false;
		*ms = (uint32_t)(number * units[i].ms);
		return true;
	}
	return false;
}

const char *egret_resolve_path(struct egret_build *build, const char *text, size_t len)
{
	const char *slash = strrchr(build->file, '/');
	size_t dir = slash && text[0] != '/' ? (size_t)(slash + 1 - build->file) : 0;
	char path[PATH_MAX];

	if (dir + len >= sizeof(path))
		return egret_intern_text(&build->intern, text, len);
	memcpy(path, build->file, dir);
	memcpy(path + dir, text, len);
	return egret_intern_text(&build->intern, path, dir + len);
}

void egret_set_policy_mode(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"enforce", EGRET_ENFORCE}, {"audit", EGRET_AUDIT}, {"off", EGRET_OFF}, {"", 0}};
	int mode = egret_word_value(build, key, value, words);

	if (mode > 0)
		build->policy->defaults.mode = (enum egret_mode)mode;
}

void egret_set_unmatched(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"deny", 0}, {"allow", 1}, {"", 0}};

	build->policy->defaults.unmatched_allow = egret_word_value(build, key, value, words) == 1;
}

void egret_set_dns(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"filter", 1}, {"open", 0}, {"", 0}};

	build->policy->defaults.dns_filter = egret_word_value(build, key, value, words) != 0;
}

void egret_set_dns_min_ttl(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	if (!egret_parse_duration(value->text, value->len, &build->policy->defaults.dns_min_ttl_ms))
		egret_bad_value(build, key, value, value->text, value->len);
}

void egret_set_deny_errno(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"EACCES", EACCES}, {"EPERM", EPERM}, {"ECONNREFUSED", ECONNREFUSED},
		{"ENETUNREACH", ENETUNREACH}, {"ETIMEDOUT", ETIMEDOUT}, {"", 0}};
	int number = egret_word_value(build, key, value, words);

	if (number > 0)
		build->policy->defaults.deny_errno = number;
}

/* A log that cannot be opened is told by each process that runs into it; here it is told before. */
static void warn_of_log(struct egret_build *build, const struct egret_value *value)
{
	const char *log = build->policy->defaults.log, *slash = log ? strrchr(log, '/') : NULL;
	char folder[PATH_MAX];
	struct stat st;

	if (!build->warn || !slash || slash == log || (size_t)(slash - log) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - log), log);
	if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
		egret_err_add(build->warn, build->file, value->line, "log: there is no directory %s: nothing will be logged", folder);
}

void egret_set_log(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	const char **log = &build->policy->defaults.log;

	if (value->len == 0)
		egret_bad_value(build, key, value, "", 0);
	else if (value->len == 4 && memcmp(value->text, "none", 4) == 0)
		*log = NULL;
	else if (value->len == 6 && memcmp(value->text, "stderr", 6) == 0)
		*log = "stderr";
	else
		*log = egret_resolve_path(build, value->text, value->len);
	warn_of_log(build, value);
}

void egret_set_log_format(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"json", EGRET_LOG_JSON}, {"text", EGRET_LOG_TEXT}, {"envoy", EGRET_LOG_ENVOY}, {"", 0}};
	int format = egret_word_value(build, key, value, words);

	if (format > 0)
		build->policy->defaults.log_format = (enum egret_log_format)format;
}

void egret_set_include(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	const char *item;
	size_t at = 0, len;

	(void)key;
	while (egret_next_item(value, &at, &item, &len)) {
		struct egret_include include = {.pattern = egret_resolve_path(build, item, len), .line = value->line};

		if (include.pattern)
			egret_push(build, &build->includes, &include, sizeof(include));
	}
}

static bool is_word(const char *item, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(item, word, len) == 0;
}

/* 169.254.0.0/16 and fe80::/10 are internal to nobody; larger networks leave them out when it comes to the decision. */
static void add_internal(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, const char *item,
			 size_t len)
{
	struct egret_host host = egret_host_parse(build, key, value, item, len);
	struct egret_policy *policy = build->policy;
	bool good = true;

	switch (host.kind) {
	case EGRET_HOST_NAME:
	case EGRET_HOST_SUFFIX:
		good = egret_index_add_name(policy, host.text, host.kind == EGRET_HOST_SUFFIX, EGRET_REF_INTERNAL);
		break;
	case EGRET_HOST_NET:
		if (egret_addr_is_link_local(&host.net) && host.bits >= (host.net.family == EGRET_IPV4 ? 16 : 10))
			egret_err_add(build->err, build->file, value->line,
				      "internal: %.*s is a link-local or metadata address, internal to nobody; name it in an entry", (int)len, item);
		else
			good = egret_index_add_net(policy, &host.net, host.bits, EGRET_REF_INTERNAL);
		break;
	case EGRET_HOST_BAD:
	case EGRET_HOST_PATH:
		break;
	}
	if (!good)
		policy->arena.failed = true;
}

void egret_set_internal(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct egret_policy *policy = build->policy;
	const char *item;
	size_t at = 0, len;

	if (!build->internal_given)
		policy->internal_loopback = policy->internal_private = false;
	build->internal_given = true;
	while (egret_next_item(value, &at, &item, &len)) {
		if (is_word(item, len, "loopback"))
			policy->internal_loopback = true;
		else if (is_word(item, len, "private"))
			policy->internal_private = true;
		else if (!is_word(item, len, "none"))
			add_internal(build, key, value, item, len);
		else if (len != value->len)
			egret_err_add(build->err, build->file, value->line, "internal: none stands alone");
	}
}
