/* A TLS server of OpenSSL's own in the test's process, between memory BIOs: the test carries every byte itself. */
#ifndef EGRET_TESTS_TLS_PEER_H
#define EGRET_TESTS_TLS_PEER_H

#include "preload/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <limits.h>
#include <openssl/ssl.h>

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static const struct egret_engine *engine;

static const char *build_dir(void)
{
	const char *build = getenv("EGRET_BUILD");
	return build ? build : "build";
}

/* The path of a test certificate, in one of many buffers in turn. */
static inline const char *cert(const char *name)
{
	static char paths[32][PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 32];
	snprintf(path, PATH_MAX, "%s/tests/certs/%s", build_dir(), name);
	return path;
}

static inline int load_engine(void **state)
{
	char path[PATH_MAX + 64];
	(void)state;
	snprintf(path, sizeof path, "%s/lib/egret/libegret-tls.so", build_dir());
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		print_error("%s\n", dlerror());
		return -1;
	}
	engine = dlsym(handle, EGRET_ENGINE_SYMBOL);
	snprintf(path, sizeof path, "bash tests/certs/make.sh '%s/tests/certs' >/dev/null 2>&1", build_dir());
	return system(path);
}

/* A server with the certificate NAME; VERSION 0: the newest. */
static inline void peer_open(struct peer *peer, const char *name, int version)
{
	char file[64];
	peer->ctx = SSL_CTX_new(TLS_server_method());
	snprintf(file, sizeof file, "%s.pem", name);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(peer->ctx, cert(file)), 1);
	snprintf(file, sizeof file, "%s.key", name);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(peer->ctx, cert(file), SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_session_id_context(peer->ctx, (const unsigned char *)"test", 4);
	if (version) {
		SSL_CTX_set_min_proto_version(peer->ctx, version);
		SSL_CTX_set_max_proto_version(peer->ctx, version);
		if (version < TLS1_2_VERSION)
			SSL_CTX_set_security_level(peer->ctx, 0);
	}
	peer->ssl = NULL;
}

static inline void peer_accept(struct peer *peer)
{
	SSL_free(peer->ssl);
	peer->ssl = SSL_new(peer->ctx);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(peer->in, -1);
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	SSL_set_accept_state(peer->ssl);
}

static inline void peer_close(struct peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	peer->ssl = NULL;
}

static inline struct egret_tls_settings trusting(void)
{
	return (struct egret_tls_settings){ .ca_file = cert("ca.pem"), .session_cache = true };
}

#endif
