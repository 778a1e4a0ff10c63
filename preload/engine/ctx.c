/* Settings → SSL_CTX. Verification is on unless a key says otherwise; whatever cannot be used is an error, never skipped. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/x509err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a server's certificates that are read at most: 60 large ones. What is longer is refused at its first bytes, before it takes memory. */
#define CHAIN_MOST (100 * 1024)

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
	egret_lean_keys(); /* an encrypted key is told from a broken one */
	const char *key = s->client_key ? s->client_key : s->client_cert;
	SSL_CTX_set_default_passwd_cb(ctx->ssl_ctx, no_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx->ssl_ctx, &asked);
	if (SSL_CTX_use_certificate_chain_file(ctx->ssl_ctx, s->client_cert) != 1)
		egret_failure(error, EGRET_TLS_UNVERIFIED, "tls_client_cert %s cannot be used: %s", s->client_cert, egret_failure_reason());
	else if (SSL_CTX_use_PrivateKey_file(ctx->ssl_ctx, key, SSL_FILETYPE_PEM) != 1 &&
		 (ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_X509 || ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH))
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

/* Every setting; the content of CAs and lists is added as it is loaded (store.c). */
static void digest_settings(EVP_MD_CTX *sha, const struct egret_tls_settings *s)
{
	int32_t numbers[] = { s->verify, (int32_t)s->min_version, (int32_t)s->max_version, s->starttls, (int32_t)s->pin_count };
	EVP_DigestUpdate(sha, numbers, sizeof numbers);
	EVP_DigestUpdate(sha, s->pins, s->pin_count * sizeof *s->pins);
	const char *const texts[] = { s->server_name, s->ciphers, s->ciphersuites, s->groups, s->alpn, s->ca_file,
				      s->ca_path, s->crl_file, s->client_cert, s->client_key };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		digest_text(sha, texts[i]);
}

/* The client's certificate and key are files of their own: a session belongs to the one that was shown. */
static bool digest_client(EVP_MD_CTX *sha, const struct egret_tls_settings *s)
{
	const char *const files[] = { s->client_cert, s->client_key };
	struct egret_buf text = { 0 };
	bool good = true;
	for (size_t i = 0; good && i < 2; i++)
		good = !files[i] || egret_source_read(files[i], &text);
	if (egret_buf_len(&text)) {
		EVP_DigestUpdate(sha, egret_buf_head(&text), egret_buf_len(&text));
		OPENSSL_cleanse(egret_buf_head(&text), egret_buf_len(&text));
	}
	egret_buf_free(&text);
	return good;
}

/* Before they are read: a change meanwhile is found at the next look. */
static bool add_client(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s)
{
	return (!s->client_cert || egret_source_add(ctx, s->client_cert)) && (!s->client_key || egret_source_add(ctx, s->client_key));
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

static bool fill_digested(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, EVP_MD_CTX *sha, struct egret_tls_error *error)
{
	digest_settings(sha, s);
	return set_protocol(ctx, s, error) && egret_store_set(ctx, s, sha, error) && egret_store_set_crl(ctx, s, sha, error) &&
	       add_client(ctx, s) && set_client(ctx, s, error) && digest_client(sha, s) && EVP_DigestFinal_ex(sha, ctx->settings_digest, NULL) == 1;
}

/* False without an error: memory is out. */
static bool fill(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, struct egret_tls_error *error)
{
	SSL_CTX_set_options(ctx->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_max_cert_list(ctx->ssl_ctx, CHAIN_MOST);
	SSL_CTX_set_mode(ctx->ssl_ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx->ssl_ctx, s->verify == EGRET_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, egret_verify_seen);
	egret_session_enable(ctx->ssl_ctx);
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool good = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) && fill_digested(ctx, s, sha, error);
	EVP_MD_CTX_free(sha);
	return good;
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
	if (fill(ctx, s, error))
		return ctx;
	if (error && error->failure == EGRET_TLS_OK)
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
	egret_sources_free(ctx);
	free(ctx);
}
