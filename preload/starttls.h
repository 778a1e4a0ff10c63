/* STARTTLS: the plain dialogue in front of the handshake, egret's part of it. The program never sees it: it speaks as to a server that
 * offers no TLS, and reads the greeting that it would have read.
 *
 * A state machine without I/O: bytes in, bytes out (starttls.c); starttls_run.c drives it on a wire. A protocol is a row of `protocols`,
 * its steps are a table in starttls_NAME.c: what is sent, and which answer is awaited. After an answer the server is silent until it is
 * spoken to: a byte more was injected (CVE-2021-23222) and ends the connection. Nothing that came before the handshake is ever taken for
 * the server's word within TLS, except the greeting.
 *
 * Two protocols hear the program, too: one of postgres may ask for TLS by itself, and is told that there is none; the request for TLS of
 * mysql carries what the program is able to, so that TLS begins with the program's first packet, of which nothing leaves before it.
 *
 * Owner: the connection. Lock: the caller's; one thread at a time.
 */
#ifndef EGRET_STARTTLS_H
#define EGRET_STARTTLS_H

#include "wire.h"

enum egret_starttls_step {
	EGRET_STARTTLS_FAILED = 0, /* see the error; nothing may be sent any more */
	EGRET_STARTTLS_MORE,       /* send what was appended, then wait for the server */
	EGRET_STARTTLS_UPGRADE,    /* the server awaits a ClientHello */
	EGRET_STARTTLS_LISTEN      /* the program reads the greeting and speaks: egret_starttls_word */
};

/* What the program's first words mean. */
enum egret_starttls_word {
	EGRET_WORD_REFUSED = 0, /* see the error; nothing may be sent any more */
	EGRET_WORD_PASSES,      /* words for the server, like all that follow */
	EGRET_WORD_KEPT,        /* they count as said; SAY: what the program shall read. Or more of them is needed */
	EGRET_WORD_BEGINS       /* TLS begins with them; SAY: what the server is to be told before */
};

struct egret_starttls_dialogue;

/* LOCAL: this end's address, for protocols that introduce themselves. NULL: memory is out, or PROTOCOL is not spoken. */
struct egret_starttls_dialogue *egret_starttls_new(enum egret_starttls protocol, const struct egret_addr *local);
void egret_starttls_free(struct egret_starttls_dialogue *dialogue);

/* Takes LEN bytes of the server (0 at first) and appends to OUT what is to be sent. */
enum egret_starttls_step egret_starttls_step(struct egret_starttls_dialogue *dialogue, const uint8_t *in, size_t len, struct egret_buf *out,
					     struct egret_tls_error *error);

/* After UPGRADE or LISTEN: what the program shall read first; LEN 0: nothing. */
const uint8_t *egret_starttls_greeting(const struct egret_starttls_dialogue *dialogue, size_t *len);

/* Does the protocol hear the program's first words? */
bool egret_starttls_hears(const struct egret_starttls_dialogue *dialogue);
/* DATA: the program's words so far, EGRET_WORDS_MOST bytes of them at most. Appends to SAY. */
enum egret_starttls_word egret_starttls_word(const struct egret_starttls_dialogue *dialogue, const uint8_t *data, size_t len, struct egret_buf *say,
					     struct egret_tls_error *error);
#define EGRET_WORDS_MOST 36

/* May TCP's end stand for close_notify? Where tls_truncation says so; servers of mysql never send one, and their packets tell their length. */
bool egret_starttls_eof_is_close(const struct egret_tls_settings *settings);

/* ---- on a wire: starttls_run.c ---- */

#define EGRET_STARTTLS_LISTENS 1
/* The dialogue (NULL: none) and the handshake, as far as they can go on: 0 when TLS stands; EGRET_STARTTLS_LISTENS: the program reads the
 * greeting from WIRE and speaks; -EAGAIN, wire->wants says for what; else a negative errno, wire->failure filled. */
int egret_starttls_shake(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire);
/* Then: must egret_starttls_hear be asked of what the program says? */
bool egret_starttls_asks(const struct egret_starttls_dialogue *dialogue, const struct egret_wire *wire);
/* The program says IOV. PASSES: this was the last time to ask. KEPT: counts as sent. BEGINS: none of it was taken; drive
 * egret_starttls_shake, then it may be said again. REFUSED: wire->failure. */
enum egret_starttls_word egret_starttls_hear(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire, const struct iovec *iov, int count);

/* ---- what the protocols' files share ---- */

enum egret_starttls_answer { EGRET_ANSWER_NO = 0, EGRET_ANSWER_MORE, EGRET_ANSWER_YES };

struct egret_starttls_row {
	const char *send; /* '%' stands for the local address; NULL: nothing, the server speaks first */
	size_t send_len;  /* 0: it is text */
	/* Is DATA the answer? *USED: its bytes, when it is complete. */
	enum egret_starttls_answer (*answer)(const struct egret_starttls_row *row, const uint8_t *data, size_t len, size_t *used);
	const char *expects;  /* how a good answer starts, for ANSWER and for messages */
	const char *needs;    /* what it must offer, a word for messages; NULL: nothing */
	bool (*offers)(const struct egret_starttls_row *row, const uint8_t *data, size_t len); /* does it? */
	/* Keeps of a greeting what the program shall read; NULL: it is none. */
	bool (*keep)(struct egret_buf *greeting, const uint8_t *data, size_t len);
};

/* The line at DATA with its end, bytes; 0: not complete. */
size_t egret_starttls_line(const uint8_t *data, size_t len);
bool egret_starttls_begins(const uint8_t *data, size_t len, const char *word);
/* Is row->needs, alone or before a space, what follows the code of some line? */
bool egret_starttls_has_word(const struct egret_starttls_row *row, const uint8_t *data, size_t len);
bool egret_starttls_keep_all(struct egret_buf *greeting, const uint8_t *data, size_t len);

#define EGRET_STARTTLS_ROWS 4
extern const struct egret_starttls_row egret_starttls_smtp[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_imap[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_pop3[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_ldap[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_postgres[EGRET_STARTTLS_ROWS];
extern const struct egret_starttls_row egret_starttls_mysql[EGRET_STARTTLS_ROWS];

enum egret_starttls_word egret_starttls_postgres_word(const uint8_t *data, size_t len, struct egret_buf *say, struct egret_tls_error *error);
enum egret_starttls_word egret_starttls_mysql_word(const uint8_t *data, size_t len, struct egret_buf *say, struct egret_tls_error *error);

#endif
