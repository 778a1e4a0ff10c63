#include "internal.h"

#include <openssl/sha.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

int egret_verify_seen(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct egret_tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;
	X509 *current = X509_STORE_CTX_get_current_cert(store);
	/* tls_crl_file need not speak of every CA of the chain; of the server's certificate it must. */
	if (!good && X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL && X509_STORE_CTX_get_error_depth(store) > 0) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (!good && tls && current && !tls->rejected && X509_up_ref(current))
		tls->rejected = current;
	return good;
}

static bool pin_of(X509 *certificate, uint8_t digest[EGRET_PIN_BYTES])
{
	unsigned char *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (length <= 0)
		return false;
	SHA256(der, (size_t)length, digest);
	OPENSSL_free(der);
	return true;
}

static bool pinned(const struct egret_tls *tls, X509 *peer)
{
	uint8_t digest[EGRET_PIN_BYTES];
	if (tls->ctx->pin_count == 0)
		return true;
	if (!peer || !pin_of(peer, digest))
		return false;
	for (size_t i = 0; i < tls->ctx->pin_count; i++)
		if (CRYPTO_memcmp(digest, tls->ctx->pins[i].sha256, sizeof digest) == 0)
			return true;
	return false;
}

/* Resumption skips the chain (the session was verified when it was made); name and pins are checked again in any case. */
static bool named(const struct egret_tls *tls, X509 *peer)
{
	if (tls->ctx->verify != EGRET_VERIFY_FULL)
		return true;
	if (!peer)
		return false;
	return tls->is_address ? X509_check_ip_asc(peer, tls->name, 0) == 1
			       : X509_check_host(peer, tls->name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static void report_pin(const struct egret_tls *tls, X509 *peer, struct egret_tls_error *error)
{
	uint8_t digest[EGRET_PIN_BYTES];
	unsigned char text[64] = "unknown";
	if (peer && pin_of(peer, digest))
		EVP_EncodeBlock(text, digest, sizeof digest);
	egret_failure(error, EGRET_TLS_UNVERIFIED,
		      "the public key of %s is none of tls_pin_sha256, its SHA-256 is %s; if the server changed its key, add that to tls_pin_sha256",
		      tls->name, (char *)text);
}

bool egret_verify_certificate(struct egret_tls *tls, X509 *peer, struct egret_tls_error *error)
{
	if (peer && peer == tls->accepted)
		return true;
	if (!named(tls, peer)) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate is not for %s; if the server is the right one, set tls_server_name", tls->name);
		return false;
	}
	if (!pinned(tls, peer)) {
		report_pin(tls, peer, error);
		return false;
	}
	if (peer && X509_up_ref(peer)) {
		X509_free(tls->accepted);
		tls->accepted = peer;
	}
	return true;
}

bool egret_verify_peer(struct egret_tls *tls, struct egret_tls_error *error)
{
	if (!egret_verify_certificate(tls, SSL_get0_peer_certificate(tls->ssl), error))
		return false;
	if (tls->ctx->verify != EGRET_VERIFY_NONE && SSL_get_verify_result(tls->ssl) != X509_V_OK) {
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate of %s was not verified", tls->name);
		return false;
	}
	return true;
}
