/* Session resumption (RFC 8446 2.2, RFC 5077). Resumption skips certificate verification, so a session is stored only after the
 * peer was verified, and found only under a key over everything that verification depended on. Each is used once (RFC 8446 C.4). */
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 256 /* sessions kept by a process; a newer one takes the slot of an older */

static struct {
	uint8_t key[KEY_SIZE];
	SSL_SESSION *session; /* owned */
} slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void make_key(struct egret_tls *tls, uint16_t port)
{
	struct {
		uint8_t settings[KEY_SIZE];
		uint32_t user, port, is_address;
		char name[EGRET_NAME_MAX]; /* last, and as far as it goes: each block of the digest takes its time */
	} all = { .user = geteuid(), .port = port, .is_address = tls->is_address };
	size_t length = strlen(tls->name);
	memcpy(all.settings, tls->ctx->settings_digest, KEY_SIZE);
	memcpy(all.name, tls->name, length);
	SHA256((const unsigned char *)&all, offsetof(__typeof__(all), name) + length, tls->session_key);
}

/* Two slots a key: parallel connections find one each. */
static size_t slot_of(const uint8_t *key, unsigned i) { return (key[0] + i) % SLOTS; }

static int store(SSL *ssl, SSL_SESSION *session)
{
	struct egret_tls *tls = SSL_get_app_data(ssl);
	if (!tls || !tls->ctx->cache || !SSL_SESSION_is_resumable(session))
		return 0;
	/* A ticket can come before the handshake's end is known to us (TLS 1.2): verify_result and the name are checked here. */
	if (!egret_verify_peer(tls, NULL))
		return 0;
	if (egret_ticket_put(tls->ctx, tls->session_key, session))
		return 0;
	pthread_mutex_lock(&lock);
	size_t slot = slot_of(tls->session_key, 0);
	if (slots[slot].session && memcmp(slots[slot].key, tls->session_key, KEY_SIZE) == 0)
		slot = slot_of(tls->session_key, 1);
	SSL_SESSION *old = slots[slot].session;
	memcpy(slots[slot].key, tls->session_key, KEY_SIZE);
	slots[slot].session = session;
	pthread_mutex_unlock(&lock);
	SSL_SESSION_free(old);
	return 1; /* the reference is ours now */
}

/* A resumption must not outlive the certificate that it rests on, nor rest on one that would not be accepted now. */
static bool still_good(struct egret_tls *tls, SSL_SESSION *session)
{
	X509 *peer = SSL_SESSION_get0_peer(session);
	const char *asked = SSL_SESSION_get0_hostname(session);
	return peer && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0 && (!asked || strcmp(asked, tls->name) == 0) &&
	       egret_verify_certificate(tls, peer, NULL);
}

void egret_session_offer(struct egret_tls *tls, uint16_t port)
{
	SSL_SESSION *session = NULL;
	if (!tls->ctx->cache)
		return;
	make_key(tls, port);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < 2 && !session; i++) {
		size_t slot = slot_of(tls->session_key, i);
		if (slots[slot].session && memcmp(slots[slot].key, tls->session_key, KEY_SIZE) == 0) {
			session = slots[slot].session;
			slots[slot].session = NULL;
		}
	}
	pthread_mutex_unlock(&lock);
	if (!session)
		session = egret_ticket_take(tls->ctx, tls->session_key);
	if (session && still_good(tls, session))
		SSL_set_session(tls->ssl, session);
	SSL_SESSION_free(session);
}

void egret_session_enable(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl_ctx, store);
}
