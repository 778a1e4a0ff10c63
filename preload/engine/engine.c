/* The table that libegret-tls.so exports: connections, and the lock that lets a fork find OpenSSL at rest. */
#include "internal.h"

#include "policy/raw.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Readers are inside OpenSSL; quiesce is the writer. Nothing inside waits for anything, so the writer never waits long. */
static pthread_rwlock_t inside = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static long quiesced_by; /* thread that holds the lock as the writer */

/* Looked at first: clearing an empty queue walks through all of it. */
static void forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

static void enter(void)
{
	pthread_rwlock_rdlock(&inside);
}

/* What an earlier call of this thread left in the queue would be taken for the reason of this one (SSL_get_error(3)). */
static void enter_asking_why(void)
{
	enter();
	forget_errors();
}

static void leave(void)
{
	pthread_rwlock_unlock(&inside);
}

/* A program that has the same OpenSSL (TLS_LINK=shared) would take what is left in the queue for the reason of its own. */
static void leave_forgetting(void)
{
	forget_errors();
	leave();
}

static struct egret_tls_ctx *ctx_new(const struct egret_tls_settings *settings, const char *ticket_dir, struct egret_tls_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, egret_lean_start);
	enter_asking_why();
	struct egret_tls_ctx *ctx = egret_ctx_new(settings, ticket_dir, error);
	leave();
	return ctx;
}

static void ctx_ref(struct egret_tls_ctx *ctx) { atomic_fetch_add(&ctx->refs, 1); }

static void ctx_unref(struct egret_tls_ctx *ctx)
{
	enter();
	egret_ctx_unref(ctx);
	leave();
}

static bool ctx_changed(const struct egret_tls_ctx *ctx)
{
	enter();
	bool changed = egret_sources_changed(ctx);
	leave();
	return changed;
}

static void free_tls(struct egret_tls *tls)
{
	if (!tls)
		return;
	/* Freed without a shutdown, OpenSSL would call the session bad and not resume it. One that failed is "in init" again. */
	if (tls->ssl && SSL_is_init_finished(tls->ssl))
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	X509_free(tls->accepted);
	X509_free(tls->rejected);
	free(tls->name);
	free(tls->alpn);
	egret_ctx_unref(tls->ctx);
	free(tls);
}

static bool is_address(const char *text)
{
	struct in6_addr buf;
	return inet_pton(AF_INET, text, &buf) == 1 || inet_pton(AF_INET6, text, &buf) == 1;
}

/* The name goes out as SNI (never for an address, RFC 6066 3) and into OpenSSL's own check of the certificate. */
static bool set_name(struct egret_tls *tls, const char *host)
{
	const char *name = tls->ctx->server_name ? tls->ctx->server_name : host;
	tls->name = strlen(name) < EGRET_NAME_MAX ? strdup(name) : NULL;
	if (!tls->name)
		return false;
	tls->is_address = is_address(tls->name);
	if (!tls->is_address && !SSL_set_tlsext_host_name(tls->ssl, tls->name))
		return false;
	if (tls->ctx->verify != EGRET_VERIFY_FULL)
		return true;
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return tls->is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, tls->name) == 1 : X509_VERIFY_PARAM_set1_host(param, tls->name, 0) == 1;
}

static struct egret_tls *open_locked(struct egret_tls_ctx *ctx, const char *host, uint16_t port)
{
	struct egret_tls *tls = calloc(1, sizeof *tls);
	if (!tls)
		return NULL;
	atomic_fetch_add(&ctx->refs, 1);
	tls->ctx = ctx;
	tls->ssl = SSL_new(ctx->ssl_ctx);
	BIO *bio = tls->ssl ? egret_bio_new(tls) : NULL;
	if (!bio || !set_name(tls, host)) {
		BIO_free(bio);
		free_tls(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_connect_state(tls->ssl);
	egret_session_offer(tls, port);
	return tls;
}

static struct egret_tls *open_tls(struct egret_tls_ctx *ctx, const char *host, uint16_t port, struct egret_tls_error *error)
{
	enter_asking_why();
	struct egret_tls *tls = open_locked(ctx, host, port);
	if (!tls)
		egret_failure(error, EGRET_TLS_MEMORY, "a TLS connection to %s could not be prepared: %s", host, egret_failure_reason());
	leave_forgetting();
	return tls;
}

static void free_entered(struct egret_tls *tls)
{
	enter();
	free_tls(tls);
	leave();
}

static void look_through(struct egret_tls *tls, const uint8_t *in, size_t in_len, struct egret_buf *out)
{
	tls->in = in;
	tls->in_len = in_len;
	tls->in_at = 0;
	tls->out = out;
}

static void remember_first(struct egret_tls *tls, const uint8_t *in, size_t len)
{
	while (tls->first_len < sizeof tls->first && len > 0) {
		tls->first[tls->first_len++] = *in++;
		len--;
	}
}

static enum egret_tls_step handshake(struct egret_tls *tls, const uint8_t *in, size_t in_len, size_t *consumed, struct egret_buf *out,
				     struct egret_tls_error *error)
{
	enter_asking_why();
	enum egret_tls_step step = EGRET_STEP_FAILED;
	look_through(tls, in, in_len, out);
	remember_first(tls, in, in_len);
	int result = SSL_do_handshake(tls->ssl);
	*consumed = tls->in_at;
	if (result == 1)
		step = egret_verify_peer(tls, error) ? EGRET_STEP_DONE : EGRET_STEP_FAILED;
	else if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ)
		step = EGRET_STEP_WANT_INPUT;
	else
		egret_failure_of_handshake(tls, error);
	tls->out = NULL;
	leave_forgetting();
	return step;
}

static enum egret_tls_step step_of_read(struct egret_tls *tls, int result, struct egret_tls_error *error)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return EGRET_STEP_WANT_INPUT;
	case SSL_ERROR_ZERO_RETURN:
		return EGRET_STEP_CLOSED;
	}
	egret_failure_of_record(error);
	return EGRET_STEP_FAILED;
}

/* How many bytes of IN belong to whole records: OpenSSL must not swallow the head of a record whose rest is still in the kernel. */
static size_t whole_records(const uint8_t *in, size_t len)
{
	size_t at = 0;
	while (len - at >= 5) {
		size_t length = 5 + ((size_t)in[at + 3] << 8 | in[at + 4]);
		if (length > len - at && length <= EGRET_RECORD_WIRE_MAX)
			break;
		at = length > len - at ? len : at + length; /* over-long: let OpenSSL see and refuse it */
	}
	return at;
}

static enum egret_tls_step decrypt_locked(struct egret_tls *tls, size_t whole, uint8_t *plain, size_t size, size_t *produced,
					  struct egret_tls_error *error)
{
	while (*produced < size) {
		if (tls->in_at == whole && SSL_pending(tls->ssl) == 0)
			return *produced ? EGRET_STEP_DONE : EGRET_STEP_WANT_INPUT;
		size_t left = size - *produced;
		int result = SSL_read(tls->ssl, plain + *produced, left > INT32_MAX ? INT32_MAX : (int)left);
		if (result <= 0) {
			enum egret_tls_step step = step_of_read(tls, result, error);
			return step == EGRET_STEP_WANT_INPUT && *produced ? EGRET_STEP_DONE : step;
		}
		*produced += (size_t)result;
	}
	if (size == 0 && SSL_pending(tls->ssl) == 0) {
		uint8_t byte;
		int result = SSL_peek(tls->ssl, &byte, 1);
		if (result <= 0)
			return step_of_read(tls, result, error);
	}
	return EGRET_STEP_DONE;
}

static enum egret_tls_step decrypt(struct egret_tls *tls, const uint8_t *in, size_t in_len, size_t *consumed, uint8_t *plain, size_t plain_size,
				   size_t *produced, struct egret_buf *out, struct egret_tls_error *error)
{
	enter_asking_why();
	size_t whole = whole_records(in, in_len);
	look_through(tls, in, whole, out);
	*produced = 0;
	enum egret_tls_step step = decrypt_locked(tls, whole, plain, plain_size, produced, error);
	*consumed = tls->in_at;
	tls->out = NULL;
	if (step == EGRET_STEP_FAILED)
		forget_errors();
	leave();
	return step;
}

/* TLS 1.3: header 5, type 1, tag 16. TLS 1.2 with GCM, the least of its suites: header 5, nonce 8 or none (ChaCha20), tag 16. */
static size_t record_overhead(const struct egret_tls *tls)
{
	return SSL_version(tls->ssl) >= TLS1_3_VERSION ? 22 : 21;
}

static size_t pending(const struct egret_tls *tls)
{
	return (size_t)SSL_pending(tls->ssl);
}

static enum egret_tls_step encrypt_locked(struct egret_tls *tls, const uint8_t *plain, size_t count, struct egret_buf *out,
					  struct egret_tls_error *error)
{
	/* Room for all records at once: growing in the middle would copy what is there. */
	size_t records = count / EGRET_RECORD_PLAIN + 1;
	bool good = egret_buf_room(out, count + records * 96) != NULL;
	look_through(tls, NULL, 0, out);
	for (size_t done = 0; good && done < count;) {
		size_t written = 0, left = count - done;
		good = SSL_write_ex(tls->ssl, plain + done, left > EGRET_RECORD_PLAIN ? EGRET_RECORD_PLAIN : left, &written) == 1;
		done += written;
	}
	if (!good) {
		egret_failure(error, tls->out_failed ? EGRET_TLS_MEMORY : EGRET_TLS_CONNECTION, "a record could not be written: %s", egret_failure_reason());
		forget_errors();
	}
	tls->out = NULL;
	return good ? EGRET_STEP_DONE : EGRET_STEP_FAILED;
}

static enum egret_tls_step encrypt(struct egret_tls *tls, const uint8_t *plain, size_t count, struct egret_buf *out, struct egret_tls_error *error)
{
	enter();
	enum egret_tls_step step = encrypt_locked(tls, plain, count, out, error);
	leave();
	return step;
}

/* Does a record need nothing but the connection's own keys: no random bytes (CBC), no new keys? */
static bool is_simple(const struct egret_tls *tls)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	return cipher && SSL_CIPHER_is_aead(cipher) && SSL_get_key_update_type(tls->ssl) == SSL_KEY_UPDATE_NONE && SSL_is_init_finished(tls->ssl);
}

/* Waiting for the lock might be for a fork that waits for the very thread that was interrupted. */
static enum egret_tls_step encrypt_within(struct egret_tls *tls, const uint8_t *plain, size_t count, struct egret_buf *out,
					  struct egret_tls_error *error)
{
	if (!is_simple(tls) || pthread_rwlock_tryrdlock(&inside) != 0)
		return EGRET_STEP_WANT_INPUT;
	enum egret_tls_step step = encrypt_locked(tls, plain, count, out, error);
	leave();
	return step;
}

static enum egret_tls_step close_notify(struct egret_tls *tls, struct egret_buf *out)
{
	enter_asking_why();
	look_through(tls, NULL, 0, out);
	int result = SSL_shutdown(tls->ssl);
	tls->out = NULL;
	leave_forgetting();
	return result >= 0 ? EGRET_STEP_DONE : EGRET_STEP_FAILED;
}

static void fill_peer(const struct egret_tls *tls, struct egret_tls_info *info)
{
	X509 *peer = SSL_get0_peer_certificate(tls->ssl);
	struct tm tm;
	if (!peer)
		return;
	BIO *text = BIO_new(BIO_s_mem());
	char *data;
	if (text && X509_NAME_print_ex(text, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0) {
		long length = BIO_get_mem_data(text, &data);
		snprintf(info->peer, sizeof info->peer, "%.*s", (int)length, data);
	}
	BIO_free(text);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(peer), &tm))
		strftime(info->not_after, sizeof info->not_after, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void fill_info(struct egret_tls *tls, struct egret_tls_info *info)
{
	const unsigned char *alpn;
	unsigned length;
	enter();
	memset(info, 0, sizeof *info);
	info->version = SSL_get_version(tls->ssl);
	info->cipher = SSL_get_cipher_name(tls->ssl);
	info->server_name = tls->name;
	info->resumed = SSL_session_reused(tls->ssl);
	SSL_get0_alpn_selected(tls->ssl, &alpn, &length);
	if (length > 0 && !tls->alpn)
		tls->alpn = strndup((const char *)alpn, length);
	info->alpn = tls->alpn;
	fill_peer(tls, info);
	leave_forgetting();
}

static bool agreed(struct egret_tls *tls, const char *protocol)
{
	const unsigned char *alpn;
	unsigned length;
	enter();
	SSL_get0_alpn_selected(tls->ssl, &alpn, &length);
	bool same = length == strlen(protocol) && memcmp(alpn, protocol, length) == 0;
	leave();
	return same;
}

static void quiesce(void)
{
	pthread_rwlock_wrlock(&inside);
	quiesced_by = egret_raw(SYS_gettid, 0, 0, 0, 0);
}

static void resume(void)
{
	if (quiesced_by == egret_raw(SYS_gettid, 0, 0, 0, 0)) {
		pthread_rwlock_unlock(&inside);
		return;
	}
	/* The child of a fork: its thread has another number, which the lock would take for a reader's. */
	static const pthread_rwlock_t unlocked = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
	memcpy(&inside, &unlocked, sizeof inside);
}

__attribute__((visibility("default"))) const struct egret_engine egret_engine = {
	.abi = EGRET_ENGINE_ABI,
	.ctx_new = ctx_new,
	.ctx_ref = ctx_ref,
	.ctx_unref = ctx_unref,
	.ctx_changed = ctx_changed,
	.open = open_tls,
	.free = free_entered,
	.handshake = handshake,
	.decrypt = decrypt,
	.record_overhead = record_overhead,
	.pending = pending,
	.encrypt = encrypt,
	.encrypt_within = encrypt_within,
	.close_notify = close_notify,
	.info = fill_info,
	.agreed = agreed,
	.quiesce = quiesce,
	.resume = resume,
	.use_memory = egret_memory_use,
	.use_pid = egret_pid_use,
	.ca_bundles = egret_store_files,
};
