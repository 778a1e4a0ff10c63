/* What the files of the engine share. OpenSSL 3.0, linked statically, its symbols hidden. */
#ifndef EGRET_ENGINE_INTERNAL_H
#define EGRET_ENGINE_INTERNAL_H

#include "preload/engine.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#define KEY_SIZE 32 /* bytes of a session key: SHA-256 over all that verification depends on */

/* A file or directory, as it was when it was looked at. */
struct egret_source {
	char *path; /* owned */
	uint8_t identity[KEY_SIZE];
};

struct egret_tls_ctx {
	_Atomic unsigned refs;
	SSL_CTX *ssl_ctx;
	enum egret_tls_verify verify;
	struct egret_pin *pins; /* owned */
	size_t pin_count;
	char *server_name; /* owned; NULL: the host asked for */
	char *ca_from;     /* owned; which key or store the CAs came from, for messages */
	bool cache;
	char *ticket_dir; /* owned; NULL: sessions stay in this process */
	struct egret_source sources[6];
	size_t source_count;
	uint8_t settings_digest[KEY_SIZE]; /* every setting and the content of every file; of a directory each file's identity */
};

struct egret_tls {
	struct egret_tls_ctx *ctx; /* referenced */
	SSL *ssl;
	const uint8_t *in; /* window over the caller's ciphertext during a call */
	size_t in_len, in_at;
	struct egret_buf *out; /* the caller's, during a call */
	bool out_failed;       /* memory ran out in the middle of a record: the connection is dead */
	char *name; /* owned; sent as SNI and verified; an address for IP literals */
	bool is_address;
	uint8_t session_key[KEY_SIZE];
	uint8_t first[16]; /* the first bytes that the server sent, for the message when they are no TLS */
	size_t first_len;
	char *alpn; /* owned; what the server chose, once it was asked for */
	X509 *accepted; /* owned: this certificate's name and pin were found right; it is the same object in a session and after resuming it */
	X509 *rejected; /* owned: the certificate that verification stumbled over, for the message */
};

/* lean.c */
/* OpenSSL's start, once: no configuration, nothing at exit, and none of what TLS does not ask for. */
void egret_lean_start(void);
/* What it leaves for later: before ERR_reason_error_string, and before a private key is read. */
void egret_lean_error_texts(void);
void egret_lean_keys(void);

/* pid.c */
void egret_pid_use(egret_pid_known function);

/* blocks.c: before OpenSSL is first used; not where it is shared with the program. */
void egret_blocks_use(void);

/* ctx.c */
struct egret_tls_ctx *egret_ctx_new(const struct egret_tls_settings *settings, const char *ticket_dir, struct egret_tls_error *error);
void egret_ctx_unref(struct egret_tls_ctx *ctx);

/* sources.c */
/* Appends what PATH holds; false: errno says why not. */
bool egret_source_read(const char *path, struct egret_buf *content);
/* Remembers PATH as it is now, before it is read, and returns that (KEY_SIZE bytes); NULL: memory is out. */
const uint8_t *egret_source_add(struct egret_tls_ctx *ctx, const char *path);
bool egret_sources_changed(const struct egret_tls_ctx *ctx);
void egret_sources_free(struct egret_tls_ctx *ctx);

/* store.c: what is loaded is added to the digest as well. */
bool egret_store_set(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, EVP_MD_CTX *sha, struct egret_tls_error *error);
bool egret_store_set_crl(struct egret_tls_ctx *ctx, const struct egret_tls_settings *s, EVP_MD_CTX *sha, struct egret_tls_error *error);

/* session.c: sessions of verified connections only, under a key that covers all verification depends on (design section 6). */
void egret_session_offer(struct egret_tls *tls, uint16_t port); /* of the server that listens on PORT */
void egret_session_enable(SSL_CTX *ssl_ctx);

/* tickets.c: the run's directory of sessions. Put: false when it cannot be kept there. Take: NULL when there is none; the caller owns it. */
bool egret_ticket_put(const struct egret_tls_ctx *ctx, const uint8_t *key, SSL_SESSION *session);
SSL_SESSION *egret_ticket_take(const struct egret_tls_ctx *ctx, const uint8_t *key);

/* failure.c: OpenSSL's error queue as one sentence a user can act on. */
void egret_failure_of_handshake(const struct egret_tls *tls, struct egret_tls_error *error);
void egret_failure_of_record(struct egret_tls_error *error);
__attribute__((format(printf, 3, 4))) void egret_failure(struct egret_tls_error *error, enum egret_tls_failure failure, const char *format, ...);
/* The newest reason in OpenSSL's queue as text, "unknown" when it is empty. Leaves the queue as it is. */
const char *egret_failure_reason(void);

/* bio.c: a BIO over the windows of struct egret_tls. */
BIO *egret_bio_new(struct egret_tls *tls);

/* verify.c: what holds after the handshake, resumed or not: the name and the pins. */
/* OpenSSL's verify callback: remembers what was rejected; forgives a CA of which there is no revocation list. */
int egret_verify_seen(int good, X509_STORE_CTX *store);
/* Is CERTIFICATE for the name, and its key one of the pins, as far as the settings ask? */
bool egret_verify_certificate(struct egret_tls *tls, X509 *certificate, struct egret_tls_error *error);
bool egret_verify_peer(struct egret_tls *tls, struct egret_tls_error *error);

extern const char *const egret_store_files[]; /* NULL at the end */

#endif
