/* What the engine accepts and what it refuses, and what it says then. No socket anywhere. */
#include "tls_peer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct egret_tls_error error;
static struct egret_tls_info info;

/* Carries bytes to and fro until one side has decided. SPEAKS: what the peer says instead of TLS. */
static enum egret_tls_step shake(struct egret_tls *tls, struct peer *peer, const char *speaks)
{
	struct egret_buf out = { 0 };
	uint8_t in[65536];
	size_t have = 0, consumed = 0;
	enum egret_tls_step step = EGRET_STEP_WANT_INPUT;
	for (int round = 0; round < 10 && step == EGRET_STEP_WANT_INPUT; round++) {
		step = engine->handshake(tls, in, have, &consumed, &out, &error);
		memmove(in, in + consumed, have - consumed);
		have -= consumed;
		if (speaks) {
			have = strlen(speaks);
			memcpy(in, speaks, have);
			continue;
		}
		if (egret_buf_len(&out))
			BIO_write(peer->in, egret_buf_head(&out), (int)egret_buf_len(&out));
		egret_buf_consume(&out, egret_buf_len(&out));
		SSL_do_handshake(peer->ssl);
		int got = BIO_read(peer->out, in + have, (int)(sizeof in - have));
		have += got > 0 ? (size_t)got : 0;
	}
	if (step == EGRET_STEP_DONE) { /* the tickets */
		size_t produced;
		engine->decrypt(tls, in, have, &consumed, NULL, 0, &produced, &out, &error);
		engine->info(tls, &info);
	}
	egret_buf_free(&out);
	return step;
}

/* One connection to HOST of a server with certificate NAME. */
static enum egret_tls_step meet(const struct egret_tls_settings *settings, const char *name, int version, const char *host, const char *speaks)
{
	struct peer peer;
	memset(&error, 0, sizeof error);
	peer_open(&peer, name, version);
	peer_accept(&peer);
	struct egret_tls_ctx *ctx = engine->ctx_new(settings, NULL, &error);
	if (!ctx) {
		peer_close(&peer);
		return EGRET_STEP_FAILED;
	}
	struct egret_tls *tls = engine->open(ctx, host, 443, &error);
	enum egret_tls_step step = tls ? shake(tls, &peer, speaks) : EGRET_STEP_FAILED;
	engine->free(tls);
	engine->ctx_unref(ctx);
	peer_close(&peer);
	return step;
}

static void assert_refused(enum egret_tls_step step, enum egret_tls_failure failure, const char *text)
{
	assert_int_equal(step, EGRET_STEP_FAILED);
	assert_int_equal(error.failure, failure);
	if (!strstr(error.text, text))
		fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

static void a_verified_server_is_accepted(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_int_equal(meet(&s, "right", 0, "good.example", NULL), EGRET_STEP_DONE);
	assert_int_equal(meet(&s, "right-rsa", TLS1_2_VERSION, "good.example", NULL), EGRET_STEP_DONE);
	assert_int_equal(meet(&s, "right", 0, "x.wild.example", NULL), EGRET_STEP_DONE);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_refused(meet(&s, "wrong", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "other.example");
	assert_non_null(strstr(error.text, "tls_server_name"));
	assert_refused(meet(&s, "right", 0, "wild.example", NULL), EGRET_TLS_UNVERIFIED, "tls_server_name");
	assert_refused(meet(&s, "right", 0, "a.b.wild.example", NULL), EGRET_TLS_UNVERIFIED, "tls_server_name");
	assert_refused(meet(&s, "right", 0, "127.0.0.1", NULL), EGRET_TLS_UNVERIFIED, "127.0.0.1");
}

static void tls_server_name_is_what_is_verified(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	s.server_name = "other.example";
	assert_int_equal(meet(&s, "wrong", 0, "good.example", NULL), EGRET_STEP_DONE);
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "other.example");
}

static void a_certificate_of_an_unknown_ca_is_refused(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_refused(meet(&s, "unknown", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_file");
	s.ca_file = NULL; /* the system's store does not know it either */
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_file");
}

static void an_expired_certificate_is_refused(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_refused(meet(&s, "expired", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "expired");
}

static void a_revoked_certificate_is_refused(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	s.crl_file = cert("ca.crl");
	assert_refused(meet(&s, "revoked", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "revoked");
	assert_int_equal(meet(&s, "right", 0, "good.example", NULL), EGRET_STEP_DONE);
}

static void verification_does_only_what_tls_verify_says(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	s.verify = EGRET_VERIFY_CHAIN;
	assert_int_equal(meet(&s, "wrong", 0, "good.example", NULL), EGRET_STEP_DONE);
	assert_refused(meet(&s, "unknown", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_file");
	s.verify = EGRET_VERIFY_NONE;
	assert_int_equal(meet(&s, "unknown", 0, "good.example", NULL), EGRET_STEP_DONE);
}

static struct egret_pin pin_of_file(const char *name)
{
	struct egret_pin pin;
	unsigned char *der = NULL;
	FILE *file = fopen(cert(name), "r");
	assert_non_null(file);
	X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	EVP_Digest(der, (size_t)length, pin.sha256, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	X509_free(x);
	return pin;
}

static void a_pin_is_checked_besides_the_chain(void **state)
{
	struct egret_tls_settings s = trusting();
	struct egret_pin right = pin_of_file("right.pem"), unknown = pin_of_file("unknown.pem");
	(void)state;
	s.pin_count = 1;
	s.pins = &right;
	assert_int_equal(meet(&s, "right", 0, "good.example", NULL), EGRET_STEP_DONE);
	s.pins = &unknown;
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_pin_sha256");
	assert_refused(meet(&s, "unknown", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_file");
	s.verify = EGRET_VERIFY_NONE;
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_pin_sha256");
}

static void a_server_that_speaks_plaintext_is_named_so(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_refused(meet(&s, "right", 0, "good.example", "HTTP/1.1 400 Bad Request\r\n\r\n"), EGRET_TLS_PROTOCOL, "plaintext");
	assert_refused(meet(&s, "right", 0, "good.example", "220 mail.example ESMTP\r\n"), EGRET_TLS_PROTOCOL, "220 mail");
}

static void an_old_version_is_refused(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	assert_refused(meet(&s, "right", TLS1_1_VERSION, "good.example", NULL), EGRET_TLS_PROTOCOL, "tls_min_version");
	s.min_version = EGRET_TLS_1_3;
	assert_refused(meet(&s, "right", TLS1_2_VERSION, "good.example", NULL), EGRET_TLS_PROTOCOL, "tls_min_version");
}

static void what_cannot_be_used_is_an_error(void **state)
{
	struct egret_tls_settings s = trusting();
	(void)state;
	s.ca_file = cert("right.key");
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_file");
	s = trusting();
	s.ca_path = "/nowhere";
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ca_path");
	s = trusting();
	s.crl_file = cert("ca.pem");
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_crl_file");
	s = trusting();
	s.ciphers = "NONSENSE";
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_ciphers");
	s = trusting();
	s.client_cert = cert("client.pem");
	s.client_key = cert("right.key");
	assert_refused(meet(&s, "right", 0, "good.example", NULL), EGRET_TLS_UNVERIFIED, "tls_client_key");
}

static void an_encrypted_key_is_refused_without_asking(void **state)
{
	struct egret_tls_settings s = trusting();
	char path[] = "/tmp/egret-key.XXXXXX", command[PATH_MAX * 2];
	(void)state;
	int fd = mkstemp(path);
	snprintf(command, sizeof command, "openssl ec -in %s -aes128 -passout pass:secret -out %s 2>/dev/null", cert("client.key"), path);
	assert_int_equal(system(command), 0);
	s.client_cert = cert("client.pem");
	s.client_key = path;
	enum egret_tls_step step = meet(&s, "right", 0, "good.example", NULL);
	close(fd);
	unlink(path);
	assert_refused(step, EGRET_TLS_UNVERIFIED, "encrypted");
}

/* Did the connection to HOST:PORT of PEER resume? */
static bool resumes_from(const char *dir, struct peer *peer, const struct egret_tls_settings *settings, const char *host, uint16_t port)
{
	struct egret_tls_ctx *ctx = engine->ctx_new(settings, dir, &error);
	assert_non_null(ctx);
	struct egret_tls *tls = engine->open(ctx, host, port, &error);
	peer_accept(peer);
	assert_int_equal(shake(tls, peer, NULL), EGRET_STEP_DONE);
	engine->free(tls);
	engine->ctx_unref(ctx);
	return info.resumed;
}

static bool resumes(struct peer *peer, const struct egret_tls_settings *settings, const char *host, uint16_t port)
{
	return resumes_from(NULL, peer, settings, host, port);
}

static void a_session_is_resumed_only_for_what_was_verified(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct egret_tls_settings s = trusting(), none = trusting(), off = trusting();
		struct peer peer;
		uint16_t port = (uint16_t)(1000 + i);
		none.verify = EGRET_VERIFY_NONE;
		off.session_cache = false;
		peer_open(&peer, "right", versions[i]);
		assert_false(resumes(&peer, &none, "good.example", port));
		assert_false(resumes(&peer, &s, "good.example", port)); /* not what was never verified */
		assert_true(resumes(&peer, &s, "good.example", port));
		assert_false(resumes(&peer, &s, "localhost", port));
		assert_false(resumes(&peer, &s, "good.example", (uint16_t)(port + 10)));
		assert_false(resumes(&peer, &off, "good.example", port));
		struct egret_pin pin = pin_of_file("right.pem");
		s.pins = &pin;
		s.pin_count = 1;
		assert_false(resumes(&peer, &s, "good.example", port));
		peer_close(&peer);
	}
}

static bool child_resumes(const char *dir, struct peer *peer)
{
	struct egret_tls_settings s = trusting();
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		_exit(resumes_from(dir, peer, &s, "good.example", 2000));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 1;
}

static void processes_of_a_run_share_tickets_and_nobody_else_does(void **state)
{
	char dir[] = "/tmp/egret-tickets.XXXXXX", command[128];
	struct peer peer;
	(void)state;
	assert_non_null(mkdtemp(dir));
	peer_open(&peer, "right", TLS1_3_VERSION);
	assert_false(child_resumes(dir, &peer));
	assert_true(child_resumes(dir, &peer));
	snprintf(command, sizeof command, "test -z \"$(find %s -type f ! -perm 600 -o -name 'taken-*')\"", dir);
	assert_int_equal(system(command), 0);
	chmod(dir, 0755);
	assert_false(child_resumes(dir, &peer));
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	peer_close(&peer);
}

static void a_forked_child_finds_the_engine_usable(void **state)
{
	struct egret_tls_settings s = trusting();
	int status = 0;
	(void)state;
	engine->quiesce();
	pid_t child = fork();
	engine->resume();
	if (child == 0)
		_exit(meet(&s, "right", 0, "good.example", NULL) == EGRET_STEP_DONE ? 0 : 1);
	assert_int_equal(meet(&s, "right", 0, "good.example", NULL), EGRET_STEP_DONE);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The next COUNT bytes of TLS, whose next record is at IN of *LEN bytes, are all WORD. */
static void assert_reads(struct egret_tls *tls, uint8_t *in, size_t *len, size_t count, int word)
{
	static uint8_t plain[EGRET_RECORD_PLAIN], wanted[EGRET_RECORD_PLAIN];
	struct egret_buf answers = { 0 };
	size_t consumed = 0, produced = 0;
	assert_int_equal(engine->decrypt(tls, in, *len, &consumed, plain, count, &produced, &answers, &error), EGRET_STEP_DONE);
	memmove(in, in + consumed, *len - consumed);
	*len -= consumed;
	memset(wanted, word, count);
	assert_int_equal(produced, count);
	assert_memory_equal(plain, wanted, count);
	egret_buf_free(&answers);
}

static void what_is_left_of_a_record_stays_while_other_connections_read_theirs(void **state)
{
	static uint8_t records[3][EGRET_RECORD_WIRE_MAX], text[EGRET_RECORD_PLAIN];
	struct egret_tls_settings s = trusting();
	struct egret_tls_ctx *ctx = engine->ctx_new(&s, NULL, &error);
	struct egret_tls *tls[3];
	struct peer peers[3];
	size_t lens[3];
	(void)state;
	for (int i = 0; i < 3; i++) {
		peer_open(&peers[i], "right", 0);
		peer_accept(&peers[i]);
		assert_non_null(tls[i] = engine->open(ctx, "good.example", 443, &error));
		assert_int_equal(shake(tls[i], &peers[i], NULL), EGRET_STEP_DONE);
		memset(text, 'a' + i, sizeof text);
		assert_int_equal(SSL_write(peers[i].ssl, text, sizeof text), sizeof text);
		lens[i] = (size_t)BIO_read(peers[i].out, records[i], sizeof records[i]);
	}
	for (int i = 0; i < 3; i++)
		assert_reads(tls[i], records[i], &lens[i], 1, 'a' + i);
	for (int i = 0; i < 3; i++)
		assert_reads(tls[i], records[i], &lens[i], EGRET_RECORD_PLAIN - 1, 'a' + i);
	for (int i = 0; i < 3; i++) {
		engine->free(tls[i]);
		peer_close(&peers[i]);
	}
	engine->ctx_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verified_server_is_accepted),
		cmocka_unit_test(a_certificate_for_another_name_is_refused),
		cmocka_unit_test(tls_server_name_is_what_is_verified),
		cmocka_unit_test(a_certificate_of_an_unknown_ca_is_refused),
		cmocka_unit_test(an_expired_certificate_is_refused),
		cmocka_unit_test(a_revoked_certificate_is_refused),
		cmocka_unit_test(verification_does_only_what_tls_verify_says),
		cmocka_unit_test(a_pin_is_checked_besides_the_chain),
		cmocka_unit_test(a_server_that_speaks_plaintext_is_named_so),
		cmocka_unit_test(an_old_version_is_refused),
		cmocka_unit_test(what_cannot_be_used_is_an_error),
		cmocka_unit_test(an_encrypted_key_is_refused_without_asking),
		cmocka_unit_test(a_session_is_resumed_only_for_what_was_verified),
		cmocka_unit_test(processes_of_a_run_share_tickets_and_nobody_else_does),
		cmocka_unit_test(a_forked_child_finds_the_engine_usable),
		cmocka_unit_test(what_is_left_of_a_record_stays_while_other_connections_read_theirs),
	};
	return cmocka_run_group_tests(tests, load_engine, NULL);
}
