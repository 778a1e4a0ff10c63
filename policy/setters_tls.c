#include "setters.h"

#include "name.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A path whose file must be readable; watched from here on. NULL after adding an error. */
static const char *readable(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, int flags,
			    struct stat *seen)
{
	const char *path = value->len ? egret_resolve_path(build, value->text, value->len) : NULL;
	long fd;

	if (!path) {
		egret_bad_value(build, key, value, value->text, value->len);
		return NULL;
	}
	fd = egret_raw_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, 0);
	if (fd < 0 || fstat((int)fd, seen) < 0) {
		egret_err_add(build->err, build->file, value->line, "%s: %s cannot be read: %s", key->name, path,
			      strerror(fd < 0 ? (int)-fd : errno));
		path = NULL;
	}
	if (fd >= 0)
		egret_raw_close((int)fd);
	if (path)
		egret_watch(build->policy, path, seen);
	if (path && (seen->st_mode & S_IWOTH) && build->warn && strcmp(key->name, "tls_client_key") != 0)
		egret_err_add(build->warn, build->file, value->line, "%s: everybody may write %s, and so decide whom to trust; chmod o-w it", key->name, path);
	return path;
}

static const char *readable_file(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
				 struct stat *seen)
{
	const char *path = readable(build, key, value, 0, seen);

	if (path && S_ISDIR(seen->st_mode)) {
		egret_err_add(build->err, build->file, value->line, "%s: %s is a directory; expected a file", key->name, path);
		return NULL;
	}
	return path;
}

void egret_set_tls_ca_file(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct stat seen;

	build->tls.ca_file = readable_file(build, key, value, &seen);
}

void egret_set_tls_crl_file(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct stat seen;

	build->tls.crl_file = readable_file(build, key, value, &seen);
}

void egret_set_tls_client_cert(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct stat seen;

	build->tls.client_cert = readable_file(build, key, value, &seen);
}

void egret_set_tls_client_key(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct stat seen;
	const char *path = readable_file(build, key, value, &seen);

	build->tls.client_key = path;
	if (path && (seen.st_mode & S_IWOTH))
		egret_err_add(build->err, build->file, value->line, "%s: everybody may write %s; chmod o-w it", key->name, path);
	else if (path && (seen.st_mode & S_IROTH) && build->warn)
		egret_err_add(build->warn, build->file, value->line, "%s: everybody may read %s; chmod 600 it", key->name, path);
}

void egret_set_tls_ca_path(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct stat seen;

	build->tls.ca_path = readable(build, key, value, O_DIRECTORY, &seen);
}

void egret_set_tls_server_name(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	struct egret_host host = egret_host_parse(build, key, value, value->text, value->len);

	if (host.kind == EGRET_HOST_SUFFIX || strchr(host.text, '/'))
		egret_bad_value(build, key, value, value->text, value->len);
	else if (host.kind != EGRET_HOST_BAD)
		build->tls.server_name = egret_intern_text(&build->intern, host.text, strlen(host.text));
}

void egret_set_tls_verify(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"full", EGRET_VERIFY_FULL}, {"chain", EGRET_VERIFY_CHAIN}, {"none", EGRET_VERIFY_NONE}, {"", 0}};
	int verify = egret_word_value(build, key, value, words);

	if (verify >= 0)
		build->tls.verify = (enum egret_tls_verify)verify;
}

static const struct egret_word versions[] = {{"1.2", EGRET_TLS_1_2}, {"1.3", EGRET_TLS_1_3}, {"", 0}};

void egret_set_tls_min_version(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	int version = egret_word_value(build, key, value, versions);

	if (version > 0)
		build->tls.min_version = (enum egret_tls_version)version;
}

void egret_set_tls_max_version(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	int version = egret_word_value(build, key, value, versions);

	if (version > 0)
		build->tls.max_version = (enum egret_tls_version)version;
}

/* Text that only OpenSSL can judge; the engine does so when it makes the context. */
static const char *plain_text(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	if (value->len == 0) {
		egret_bad_value(build, key, value, "", 0);
		return NULL;
	}
	return egret_intern_text(&build->intern, value->text, value->len);
}

void egret_set_tls_ciphers(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	build->tls.ciphers = plain_text(build, key, value);
}

void egret_set_tls_ciphersuites(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	build->tls.ciphersuites = plain_text(build, key, value);
}

void egret_set_tls_groups(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	build->tls.groups = plain_text(build, key, value);
}

void egret_set_tls_alpn(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len))
		if (len > 255) /* RFC 7301 3.1 */
			egret_bad_value(build, key, value, item, len);
	build->tls.alpn = plain_text(build, key, value);
}

/* RFC 4648 4: 43 digits and one '=' are 32 bytes. The last digit's two spare bits must be zero. */
static bool parse_pin(const char *text, size_t len, struct egret_pin *pin)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned held = 0, out = 0;

	if (len != 44 || text[43] != '=')
		return false;
	for (size_t i = 0; i < 43; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		bits = (bits << 6 | (uint32_t)(digit - digits)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			pin->sha256[out++] = (uint8_t)(bits >> held);
		}
	}
	return (bits & 3) == 0;
}

void egret_set_tls_pin_sha256(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len)) {
		struct egret_pin pin;

		if (len > 7 && memcmp(item, "sha256/", 7) == 0) { /* as curl writes it */
			item += 7;
			len -= 7;
		}
		if (parse_pin(item, len, &pin))
			egret_push(build, &build->pins, &pin, sizeof(pin));
		else
			egret_bad_value(build, key, value, item, len);
	}
}

void egret_set_tls_starttls(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"smtp", EGRET_SMTP}, {"imap", EGRET_IMAP}, {"pop3", EGRET_POP3}, {"ldap", EGRET_LDAP},
		{"postgres", EGRET_POSTGRES}, {"mysql", EGRET_MYSQL}, {"", 0}};
	int dialogue = egret_word_value(build, key, value, words);

	if (dialogue > 0)
		build->tls.starttls = (enum egret_starttls)dialogue;
}

void egret_set_tls_handshake_timeout(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	uint32_t ms;

	if (egret_parse_duration(value->text, value->len, &ms) && ms)
		build->tls.handshake_timeout_ms = ms;
	else
		egret_bad_value(build, key, value, value->text, value->len);
}

void egret_set_tls_truncation(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"error", EGRET_TRUNCATION_ERROR}, {"eof", EGRET_TRUNCATION_EOF}, {"", 0}};
	int truncation = egret_word_value(build, key, value, words);

	if (truncation >= 0)
		build->tls.truncation = (enum egret_truncation)truncation;
}

void egret_set_tls_session_cache(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"on", 1}, {"off", 0}, {"", 0}};

	build->tls.session_cache = egret_word_value(build, key, value, words) == 1;
}
