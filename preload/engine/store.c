/* Which CAs are trusted, and what they have revoked. What cannot be used is an error, never skipped. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where distributions keep their CAs: Debian, Alpine and SUSE, Fedora (and its newer layout), OpenWrt. A hashed directory costs one file
 * where the bundle costs them all. */
static const char *const store_dirs[] = { "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash",
					  "/var/lib/ca-certificates/openssl" };
const char *const egret_store_files[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
					   "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", NULL };

#define WHOLE 32 /* hashed names that make a directory a system's store, and not somebody's few additions */

/* How many files are named by the hash of a subject (openssl-rehash(1)), counted up to MOST? */
static size_t hashed_names(const char *path, size_t most)
{
	size_t count = 0;
	DIR *dir = opendir(path);
	for (struct dirent *file = dir ? readdir(dir) : NULL; file && count < most; file = readdir(dir))
		count += strspn(file->d_name, "0123456789abcdef") == 8 && file->d_name[8] == '.';
	if (dir)
		closedir(dir);
	return count;
}

/* The hashed directory that is whole, else the bundle, else a directory that has at least something. */
static const char *system_store(bool *directory)
{
	*directory = true;
	for (size_t i = 0; i < sizeof store_dirs / sizeof store_dirs[0]; i++)
		if (hashed_names(store_dirs[i], WHOLE) == WHOLE)
			return store_dirs[i];
	for (const char *const *file = egret_store_files; *file; file++)
		if (access(*file, R_OK) == 0) {
			*directory = false;
			return *file;
		}
	for (size_t i = 0; i < sizeof store_dirs / sizeof store_dirs[0]; i++)
		if (hashed_names(store_dirs[i], 1))
			return store_dirs[i];
	return NULL;
}

/* Adds what the PEM text holds: certificates, or revocation lists. Returns how many. */
static size_t add_pem(X509_STORE *store, const struct egret_buf *text, bool lists)
{
	size_t count = 0;
	BIO *bio = egret_buf_len(text) ? BIO_new_mem_buf(egret_buf_head(text), (int)egret_buf_len(text)) : NULL;
	STACK_OF(X509_INFO) *all = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
	for (int i = 0; all && i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *one = sk_X509_INFO_value(all, i);
		if (lists ? one->crl && X509_STORE_add_crl(store, one->crl) : one->x509 && X509_STORE_add_cert(store, one->x509))
			count++;
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	return count;
}

/* Loads the file of KEY and adds its very bytes to the digest of the settings. */
static bool load(struct egret_tls_ctx *ctx, EVP_MD_CTX *sha, const char *key, const char *path, bool lists, struct egret_tls_error *error)
{
	struct egret_buf text = { 0 };
	bool read = egret_source_add(ctx, path) && egret_source_read(path, &text);
	size_t count = read ? add_pem(SSL_CTX_get_cert_store(ctx->ssl_ctx), &text, lists) : 0;
	if (!read)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "%s %s cannot be read: %s", key, path, strerror(errno));
	else if (count == 0)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "%s %s holds no %s that can be used; expected PEM", key, path,
			      lists ? "revocation list" : "certificate");
	else
		EVP_DigestUpdate(sha, egret_buf_head(&text), egret_buf_len(&text));
	egret_buf_free(&text);
	return count > 0;
}

static bool use_directory(struct egret_tls_ctx *ctx, EVP_MD_CTX *sha, const char *path)
{
	const uint8_t *identity = egret_source_add(ctx, path);
	if (!identity)
		return false;
	EVP_DigestUpdate(sha, identity, KEY_SIZE);
	return SSL_CTX_load_verify_dir(ctx->ssl_ctx, path) == 1;
}

static bool use_system(struct egret_tls_ctx *ctx, EVP_MD_CTX *sha, struct egret_tls_error *error)
{
	bool directory;
	const char *path = system_store(&directory);
	if (!path) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "no CA store was found on this machine; install ca-certificates or set tls_ca_file");
		return false;
	}
	ctx->ca_from = strdup(path);
	if (!ctx->ca_from)
		return false;
	return directory ? use_directory(ctx, sha, path) : load(ctx, sha, "the system's CA store", path, false, error);
}

bool egret_store_set(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, EVP_MD_CTX *sha, struct egret_tls_error *error)
{
	if (s->verify == EGRET_VERIFY_NONE)
		return (ctx->ca_from = strdup("nowhere")) != NULL;
	if (!s->ca_file && !s->ca_path)
		return use_system(ctx, sha, error);
	if (s->ca_file && !load(ctx, sha, "tls_ca_file", s->ca_file, false, error))
		return false;
	if (s->ca_path && (!hashed_names(s->ca_path, 1) || !use_directory(ctx, sha, s->ca_path))) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_ca_path %s holds no certificate by its hash; run openssl rehash on it", s->ca_path);
		return false;
	}
	ctx->ca_from = strdup(s->ca_file ? s->ca_file : s->ca_path);
	return ctx->ca_from != NULL;
}

bool egret_store_set_crl(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, EVP_MD_CTX *sha, struct egret_tls_error *error)
{
	if (!s->crl_file || s->verify == EGRET_VERIFY_NONE)
		return true;
	if (!load(ctx, sha, "tls_crl_file", s->crl_file, true, error))
		return false;
	/* The whole chain; egret_verify_seen forgives CAs that have no list, never the server's certificate. */
	X509_STORE_set_flags(SSL_CTX_get_cert_store(ctx->ssl_ctx), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return true;
}
