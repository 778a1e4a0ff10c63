/* The TLS engine: bytes in, bytes out, verdict (RFC 8446, RFC 5246, RFC 9525). It does no I/O.
 *
 * It lives in libegret-tls.so, which holds OpenSSL with hidden symbols and exports one symbol, `egret_engine`: the table below.
 * The small library opens it at the first origination (engine_load.h). Nothing of OpenSSL appears in this header.
 *
 * Threads: a context may be used by any number of threads; one connection by one thread at a time (the caller's lock). Memory
 * comes from the program's malloc until use_memory says otherwise. quiesce/resume let a fork copy a consistent engine.
 */
#ifndef EGRET_ENGINE_H
#define EGRET_ENGINE_H

#include "buf.h"
#include "memory.h"
#include "policy/policy.h"

#include <sys/uio.h>

#define EGRET_ENGINE_ABI 5
#define EGRET_ENGINE_SYMBOL "egret_engine"
#define EGRET_RECORD_PLAIN 16384                    /* bytes of plaintext in one record at most, RFC 8446 5.1 */
#define EGRET_RECORD_WIRE_MAX (5 + 16384 + 2048)    /* bytes of one record on the wire at most, RFC 5246 6.2.3 */

/* What went wrong, by the classes of design section 5; egret_tls_errno maps them. */
enum egret_tls_failure {
	EGRET_TLS_OK = 0,
	EGRET_TLS_UNVERIFIED, /* EACCES: certificate, name, pin, CRL; unusable CA, certificate or key */
	EGRET_TLS_PROTOCOL,   /* EPROTO: alert, version, cipher; the server speaks plaintext */
	EGRET_TLS_TIMEOUT,    /* ETIMEDOUT */
	EGRET_TLS_CONNECTION, /* ECONNRESET: EOF or reset in the handshake, bad record, truncation */
	EGRET_TLS_MEMORY      /* ENOMEM */
};

struct egret_tls_error {
	enum egret_tls_failure failure;
	char text[512]; /* one sentence: what was expected, what came, the key that would change it; no newline */
};

enum egret_tls_step {
	EGRET_STEP_FAILED = 0, /* zeroed: failed; see the error. The connection is dead; what is in OUT (an alert) may still be sent */
	EGRET_STEP_DONE,       /* progress was made; for handshake: it ended and the peer is verified */
	EGRET_STEP_WANT_INPUT, /* needs more ciphertext than there was */
	EGRET_STEP_CLOSED      /* decrypt only: close_notify was received, perhaps behind data that was produced */
};

struct egret_tls_info {
	const char *version, *cipher, *alpn; /* borrowed from the connection; alpn NULL: none negotiated */
	const char *server_name;             /* what was sent as SNI and verified */
	char peer[256];                      /* subject of the server's certificate */
	char not_after[32];                  /* RFC 3339 */
	bool resumed;
};

struct egret_tls_ctx; /* settings, CA store, client certificate, sessions: shared by connections, immutable, counted */
struct egret_tls;     /* one connection */

/* The number of the process that calls; of a copy (fork) never that of its original. */
typedef long (*egret_pid_known)(void);

struct egret_engine {
	unsigned abi;

	/* A context for SETTINGS (copied as far as needed; the files are read now). TICKET_DIR: the run's private directory for
	 * session tickets, NULL for this process only. NULL on error. */
	struct egret_tls_ctx *(*ctx_new)(const struct egret_tls_settings *settings, const char *ticket_dir, struct egret_tls_error *error);
	void (*ctx_ref)(struct egret_tls_ctx *ctx);
	void (*ctx_unref)(struct egret_tls_ctx *ctx);
	/* Is a file that CTX was made of (CAs, the system's store, lists, the client's certificate and key) not what it was? One stat each. */
	bool (*ctx_changed)(const struct egret_tls_ctx *ctx);

	/* A client connection to HOST (a canonical name or the text of an address; settings->server_name wins) and PORT, for the
	 * session key. Holds a reference to CTX. NULL on error. */
	struct egret_tls *(*open)(struct egret_tls_ctx *ctx, const char *host, uint16_t port, struct egret_tls_error *error);
	void (*free)(struct egret_tls *tls); /* sends nothing */

	/* One step of the handshake: reads from IN, sets *CONSUMED, appends what must be sent to OUT. */
	enum egret_tls_step (*handshake)(struct egret_tls *tls, const uint8_t *in, size_t in_len, size_t *consumed,
					 struct egret_buf *out, struct egret_tls_error *error);

	/* Decrypts from IN into PLAIN. *CONSUMED ciphertext bytes are done with (bytes of an incomplete record are not consumed:
	 * the caller keeps them and offers them again with more); *PRODUCED plaintext bytes were written. Stops when PLAIN is
	 * full; what is left of an opened record is kept inside (pending). PLAIN may be NULL with 0: opens the next record
	 * without delivering. CLOSED and FAILED may come with *PRODUCED bytes that were before the end: they are good. Answers (KeyUpdate, alerts) are appended to OUT. A record without data is consumed. */
	enum egret_tls_step (*decrypt)(struct egret_tls *tls, const uint8_t *in, size_t in_len, size_t *consumed, uint8_t *plain,
				       size_t plain_size, size_t *produced, struct egret_buf *out, struct egret_tls_error *error);
	size_t (*record_overhead)(const struct egret_tls *tls); /* bytes: a record's ciphertext is at least this much longer than its plaintext */
	size_t (*pending)(const struct egret_tls *tls); /* plaintext bytes of the opened record, not yet delivered */

	/* Encrypts COUNT bytes of PLAIN in records of at most EGRET_RECORD_PLAIN and appends them to OUT. All or failed. */
	enum egret_tls_step (*encrypt)(struct egret_tls *tls, const uint8_t *plain, size_t count, struct egret_buf *out,
				       struct egret_tls_error *error);
	/* The same of one record at most, by a signal handler that may have interrupted encrypt or decrypt of another connection: nothing is
	 * used that two connections share. EGRET_STEP_WANT_INPUT: this cannot be had, nothing was done. */
	enum egret_tls_step (*encrypt_within)(struct egret_tls *tls, const uint8_t *plain, size_t count, struct egret_buf *out,
					      struct egret_tls_error *error);
	enum egret_tls_step (*close_notify)(struct egret_tls *tls, struct egret_buf *out);

	void (*info)(struct egret_tls *tls, struct egret_tls_info *info);
	bool (*agreed)(struct egret_tls *tls, const char *protocol); /* did the server choose it by ALPN (RFC 7301)? */

	/* Waits until no thread is inside the engine and keeps others out until resume (fork, relay). */
	void (*quiesce)(void);
	void (*resume)(void);
	/* In a relay, after resume: memory comes from here from now on (memory.h). */
	void (*use_memory)(const struct egret_memory *memory);

	/* Who tells the process's number from now on; before, the kernel is asked each time. */
	void (*use_pid)(egret_pid_known known);

	/* Where the system's CAs may stand in one file, NULL at the end: for a process that cannot wait until one of them is needed. */
	const char *const *ca_bundles;
};

/* The errno of design section 5 for a failure; 0 for EGRET_TLS_OK. */
int egret_tls_errno(enum egret_tls_failure failure);

#endif
