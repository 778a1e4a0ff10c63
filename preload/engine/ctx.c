/* Settings → SSL_CTX. Verification is on unless a key says otherwise; whatever cannot be used is an error, never skipped. */
#include "internal.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where distributions keep their CAs: the hashed directory first, it costs one file instead of the whole bundle. */
static const char *const store_dirs[] = { "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/openssl/certs", "/system/etc/security/cacerts" };
const char *const egret_store_files[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
					   "/etc/ssl/cert.pem", NULL };

/* Does DIR hold files named by the hash of a subject (openssl-rehash(1)), or only bundles? */
static bool is_hashed(const char *path)
{
	bool hashed = false;
	DIR *dir = opendir(path);
	for (struct dirent *file = dir ? readdir(dir) : NULL; file && !hashed; file = readdir(dir))
		hashed = strspn(file->d_name, "0123456789abcdef") == 8 && file->d_name[8] == '.';
	if (dir)
		closedir(dir);
	return hashed;
}

static bool add_system_store(struct egret_tls_ctx *ctx)
{
	for (size_t i = 0; i < sizeof store_dirs / sizeof store_dirs[0]; i++)
		if (is_hashed(store_dirs[i]) && SSL_CTX_load_verify_dir(ctx->ssl_ctx, store_dirs[i])) {
			ctx->ca_from = strdup(store_dirs[i]);
			return ctx->ca_from != NULL;
		}
	for (const char *const *file = egret_store_files; *file; file++)
		if (SSL_CTX_load_verify_file(ctx->ssl_ctx, *file)) {
			ctx->ca_from = strdup(*file);
			return ctx->ca_from != NULL;
		}
	return false;
}

static bool set_store(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, struct egret_tls_error *error)
{
	if (s->verify == EGRET_VERIFY_NONE)
		return (ctx->ca_from = strdup("nowhere")) != NULL;
	if (!s->ca_file && !s->ca_path && !add_system_store(ctx)) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "no CA store was found on this machine; install ca-certificates or set tls_ca_file");
		return false;
	}
	if (s->ca_file && !SSL_CTX_load_verify_file(ctx->ssl_ctx, s->ca_file)) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_ca_file %s holds no certificate that can be used: %s", s->ca_file, egret_failure_reason());
		return false;
	}
	if (s->ca_path && (!is_hashed(s->ca_path) || !SSL_CTX_load_verify_dir(ctx->ssl_ctx, s->ca_path))) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_ca_path %s holds no certificate by its hash; run openssl rehash on it", s->ca_path);
		return false;
	}
	if (!ctx->ca_from)
		ctx->ca_from = strdup(s->ca_file ? s->ca_file : s->ca_path);
	return ctx->ca_from != NULL;
}

static bool set_crl(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, struct egret_tls_error *error)
{
	if (!s->crl_file)
		return true;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl_ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (!lookup || X509_load_crl_file(lookup, s->crl_file, X509_FILETYPE_PEM) < 1) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_crl_file %s holds no CRL that can be used: %s", s->crl_file, egret_failure_reason());
		return false;
	}
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return true;
}

static int no_password(char *buf, int size, int writing, void *data)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)data = true;
	return -1;
}

static bool set_client(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, struct egret_tls_error *error)
{
	bool asked = false;
	if (!s->client_cert)
		return true;
	const char *key = s->client_key ? s->client_key : s->client_cert;
	SSL_CTX_set_default_passwd_cb(ctx->ssl_ctx, no_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx->ssl_ctx, &asked);
	if (SSL_CTX_use_certificate_chain_file(ctx->ssl_ctx, s->client_cert) != 1)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_client_cert %s cannot be used: %s", s->client_cert, egret_failure_reason());
	else if (SSL_CTX_use_PrivateKey_file(ctx->ssl_ctx, key, SSL_FILETYPE_PEM) != 1)
		egret_failure(error, EGRET_TLS_UNVERIFIED,
			      asked ? "tls_client_key %s is encrypted and there is nobody to ask for its password; store it decrypted, mode 0600 (%s)"
				    : "tls_client_key %s cannot be used: %s",
			      key, egret_failure_reason());
	else if (SSL_CTX_check_private_key(ctx->ssl_ctx) != 1)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_client_key %s does not belong to tls_client_cert %s", key, s->client_cert);
	else
		return SSL_CTX_set_default_passwd_cb_userdata(ctx->ssl_ctx, NULL), true;
	return false;
}

/* "h2, http/1.1" as RFC 7301 3.1 wants it: each name behind its length. */
static bool set_alpn(struct egret_tls_ctx *ctx, const char *list)
{
	unsigned char wire[256];
	unsigned used = 0;
	while (list && *list) {
		list += strspn(list, ", \t");
		size_t length = strcspn(list, ", \t");
		if (length == 0)
			break;
		if (length > 255 || used + length + 1 > sizeof wire)
			return false;
		wire[used++] = (unsigned char)length;
		memcpy(wire + used, list, length);
		used += (unsigned)length;
		list += length;
	}
	return used == 0 || SSL_CTX_set_alpn_protos(ctx->ssl_ctx, wire, used) == 0;
}

static bool set_protocol(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, struct egret_tls_error *error)
{
	int least = s->min_version ? (int)s->min_version : TLS1_2_VERSION;
	const char *key = NULL;
	if (!SSL_CTX_set_min_proto_version(ctx->ssl_ctx, least) || !SSL_CTX_set_max_proto_version(ctx->ssl_ctx, (int)s->max_version))
		key = "tls_min_version or tls_max_version";
	else if (s->ciphers && !SSL_CTX_set_cipher_list(ctx->ssl_ctx, s->ciphers))
		key = "tls_ciphers";
	else if (s->ciphersuites && !SSL_CTX_set_ciphersuites(ctx->ssl_ctx, s->ciphersuites))
		key = "tls_ciphersuites";
	else if (s->groups && !SSL_CTX_set1_groups_list(ctx->ssl_ctx, s->groups))
		key = "tls_groups";
	else if (!set_alpn(ctx, s->alpn))
		key = "tls_alpn";
	if (key)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the value of %s cannot be used: %s", key, egret_failure_reason());
	return !key;
}

static void digest_text(EVP_MD_CTX *sha, const char *text)
{
	EVP_DigestUpdate(sha, text ? text : "\xff", text ? strlen(text) + 1 : 2);
}

/* A file by its name and its content's identity: another CA file under the same name is another key. */
static void digest_file(EVP_MD_CTX *sha, const char *path)
{
	struct stat st;
	digest_text(sha, path);
	if (path && stat(path, &st) == 0) {
		int64_t identity[] = { (int64_t)st.st_dev,  (int64_t)st.st_ino, st.st_size,	      st.st_mtim.tv_sec,
				       st.st_mtim.tv_nsec, st.st_ctim.tv_sec,   st.st_ctim.tv_nsec };
		EVP_DigestUpdate(sha, identity, sizeof identity);
	}
}

static bool digest_settings(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s)
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	int32_t numbers[] = { s->verify, (int32_t)s->min_version, (int32_t)s->max_version, s->starttls, (int32_t)s->pin_count };
	if (!sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(sha);
		return false;
	}
	EVP_DigestUpdate(sha, numbers, sizeof numbers);
	EVP_DigestUpdate(sha, s->pins, s->pin_count * sizeof *s->pins);
	const char *const texts[] = { s->server_name, s->ciphers, s->ciphersuites, s->groups, s->alpn };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		digest_text(sha, texts[i]);
	const char *const files[] = { s->ca_file, s->ca_path, s->crl_file, s->client_cert, s->client_key, ctx->ca_from };
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		digest_file(sha, files[i]);
	bool good = EVP_DigestFinal_ex(sha, ctx->settings_digest, NULL) == 1;
	EVP_MD_CTX_free(sha);
	return good;
}

static bool copy_settings(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s)
{
	ctx->verify = s->verify;
	ctx->cache = s->session_cache;
	if (s->server_name && !(ctx->server_name = strdup(s->server_name)))
		return false;
	if (s->pin_count && !(ctx->pins = calloc(s->pin_count, sizeof *ctx->pins)))
		return false;
	if (s->pin_count)
		memcpy(ctx->pins, s->pins, s->pin_count * sizeof *s->pins);
	ctx->pin_count = s->pin_count;
	return true;
}

struct egret_tls_ctx *egret_ctx_new(const struct egret_tls_settings *s, const char *ticket_dir, struct egret_tls_error *error)
{
	ERR_clear_error();
	struct egret_tls_ctx *ctx = calloc(1, sizeof *ctx);
	if (ctx)
		ctx->refs = 1;
	if (!ctx || !(ctx->ssl_ctx = SSL_CTX_new(TLS_client_method())) || !copy_settings(ctx, s) ||
	    (ticket_dir && !(ctx->ticket_dir = strdup(ticket_dir)))) {
		egret_failure(error, EGRET_TLS_MEMORY, "out of memory");
		egret_ctx_unref(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx->ssl_ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx->ssl_ctx, s->verify == EGRET_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, egret_verify_seen);
	egret_session_enable(ctx->ssl_ctx);
	if (!set_protocol(ctx, s, error) || !set_store(ctx, s, error) || !set_crl(ctx, s, error) || !set_client(ctx, s, error)) {
		egret_ctx_unref(ctx);
		return NULL;
	}
	if (digest_settings(ctx, s))
		return ctx;
	egret_failure(error, EGRET_TLS_MEMORY, "out of memory");
	egret_ctx_unref(ctx);
	return NULL;
}

void egret_ctx_unref(struct egret_tls_ctx *ctx)
{
	if (!ctx || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	SSL_CTX_free(ctx->ssl_ctx);
	free(ctx->pins);
	free(ctx->server_name);
	free(ctx->ca_from);
	free(ctx->ticket_dir);
	free(ctx);
}
