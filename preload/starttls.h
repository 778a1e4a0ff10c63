/* STARTTLS: the plain dialogue in front of the handshake, egret's part of it. The program never sees it: it speaks as to a server that
 * offers no TLS, and reads the greeting that it would have read.
 *
 * A state machine without I/O: bytes in, bytes out. A protocol is a row of egret_starttls_protocols (starttls.c), its steps are a table
 * in starttls_NAME.c: what is sent, and which answer is awaited. After an answer the server is silent until it is spoken to: a byte more
 * was injected (CVE-2021-23222) and ends the connection. Nothing that came before the handshake is ever taken for the server's word
 * within TLS, except the greeting.
 *
 * Owner: the connection. Lock: the caller's; one thread at a time.
 */
#ifndef EGRET_STARTTLS_H
#define EGRET_STARTTLS_H

#include "engine.h"

enum egret_starttls_step {
	EGRET_STARTTLS_FAILED = 0, /* see the error; nothing may be sent any more */
	EGRET_STARTTLS_MORE,       /* send what was appended, then wait for the server */
	EGRET_STARTTLS_UPGRADE     /* the server awaits a ClientHello */
};

struct egret_starttls_dialogue;

/* LOCAL: this end's address, for protocols that introduce themselves. NULL: memory is out, or PROTOCOL is not spoken. */
struct egret_starttls_dialogue *egret_starttls_new(enum egret_starttls protocol, const struct egret_addr *local);
void egret_starttls_free(struct egret_starttls_dialogue *dialogue);

/* Takes LEN bytes of the server (0 at first) and appends to OUT what is to be sent. */
enum egret_starttls_step egret_starttls_step(struct egret_starttls_dialogue *dialogue, const uint8_t *in, size_t len, struct egret_buf *out,
					     struct egret_tls_error *error);

/* After UPGRADE: what the program shall read first; LEN 0: nothing. */
const uint8_t *egret_starttls_greeting(const struct egret_starttls_dialogue *dialogue, size_t *len);

/* Does a program of PROTOCOL ask for TLS by itself, before anything else? Then egret answers for the server that there is none. */
bool egret_starttls_may_ask(enum egret_starttls protocol);
/* The answer to DATA, a program's whole first write (LEN bytes), when that is such a request; NULL: it is not. One byte. */
const char *egret_starttls_refusal(enum egret_starttls protocol, const uint8_t *data, size_t len);

/* ---- what the protocols' files share ---- */

enum egret_starttls_answer { EGRET_ANSWER_NO = 0, EGRET_ANSWER_MORE, EGRET_ANSWER_YES };

struct egret_starttls_row {
	const char *send; /* '%' stands for the local address; NULL: nothing, the server speaks first */
	size_t send_len;  /* 0: it is text */
	/* Is DATA the answer? *USED: its bytes, when it is complete. */
	enum egret_starttls_answer (*answer)(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used);
	const char *expects;  /* how a good answer starts, for ANSWER and for messages */
	const char *needs;    /* a word that some line of it must be; NULL: none */
	/* Keeps of a greeting what the program shall read; NULL: it is none. */
	bool (*keep)(struct egret_buf *greeting, const uint8_t *data, size_t len);
};

/* The line at DATA with its end, bytes; 0: not complete. */
size_t egret_starttls_line(const uint8_t *data, size_t len);
bool egret_starttls_begins(const uint8_t *data, size_t len, const char *word);
bool egret_starttls_keep_all(struct egret_buf *greeting, const uint8_t *data, size_t len);

#define EGRET_STARTTLS_ROWS 4
extern const struct egret_starttls_row egret_starttls_smtp[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_imap[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_pop3[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_ldap[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_postgres[EGRET_STARTTLS_ROWS];

#endif
