#include "starttls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MOST 65536 /* bytes of one answer */

static const struct protocol {
	const char *name;
	const struct egret_starttls_row *rows; /* ends with one that awaits no answer */
	/* What the program's first words mean; NULL: they are the server's. */
	enum egret_starttls_word (*word)(const uint8_t *data, size_t len, struct egret_buf *say, struct egret_tls_error *error);
	bool listens; /* the program's first packet comes before TLS begins */
} protocols[] = {
	[EGRET_SMTP] = { "smtp", egret_starttls_smtp, NULL, false },
	[EGRET_IMAP] = { "imap", egret_starttls_imap, NULL, false },
	[EGRET_POP3] = { "pop3", egret_starttls_pop3, NULL, false },
	[EGRET_LDAP] = { "ldap", egret_starttls_ldap, NULL, false },
	[EGRET_POSTGRES] = { "postgres", egret_starttls_postgres, egret_starttls_postgres_word, false },
	[EGRET_MYSQL] = { "mysql", egret_starttls_mysql, egret_starttls_mysql_word, true },
};

static const struct protocol *find(enum egret_starttls protocol)
{
	bool known = protocol > EGRET_STARTTLS_NONE && (size_t)protocol < sizeof protocols / sizeof protocols[0];
	return known && protocols[protocol].rows ? &protocols[protocol] : NULL;
}

struct egret_starttls_dialogue *egret_starttls_new(enum egret_starttls protocol, const struct egret_addr *local)
{
	const struct protocol *spoken = find(protocol);
	struct egret_starttls_dialogue *dialogue = spoken ? calloc(1, sizeof *dialogue) : NULL;
	char text[EGRET_ADDR_TEXT];
	if (!dialogue)
		return NULL;
	dialogue->protocol = spoken;
	dialogue->row = spoken->rows;
	snprintf(dialogue->local, sizeof dialogue->local, "[%s%s]", local->family == EGRET_IPV6 ? "IPv6:" : "", egret_addr_format(local, -1, text));
	return dialogue;
}

void egret_starttls_free(struct egret_starttls_dialogue *dialogue)
{
	if (!dialogue)
		return;
	egret_buf_free(&dialogue->answer);
	egret_buf_free(&dialogue->greeting);
	egret_buf_free(&dialogue->out);
	egret_buf_free(&dialogue->words);
	free(dialogue);
}

/* ---- for the protocols ---- */

size_t egret_starttls_line(const uint8_t *data, size_t len)
{
	const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
	return end ? (size_t)(end - data) + 1 : 0;
}

bool egret_starttls_begins(const uint8_t *data, size_t len, const char *word)
{
	return len >= strlen(word) && strncasecmp((const char *)data, word, strlen(word)) == 0;
}

bool egret_starttls_keep_all(struct egret_buf *greeting, const uint8_t *data, size_t len) { return egret_buf_append(greeting, data, len); }

bool egret_starttls_has_word(const struct egret_starttls_row *row, const uint8_t *data, size_t len)
{
	size_t size = strlen(row->needs);
	for (size_t at = 0, line; at < len; at += line) {
		line = egret_starttls_line(data + at, len - at);
		if (line == 0)
			return false;
		if (line > 4 + size && egret_starttls_begins(data + at + 4, line - 4, row->needs) && strchr(" \r\n", data[at + 4 + size]))
			return true;
	}
	return false;
}

/* ---- the dialogue ---- */

static enum egret_starttls_step fail(struct egret_tls_error *error, enum egret_tls_failure failure, const char *text)
{
	error->failure = failure;
	snprintf(error->text, sizeof error->text, "%s", text);
	return EGRET_STARTTLS_FAILED;
}

static bool say(struct egret_starttls_dialogue *dialogue, struct egret_buf *out)
{
	const struct egret_starttls_row *row = dialogue->row;
	const char *place = row->send && !row->send_len ? strchr(row->send, '%') : NULL;
	dialogue->sent = true;
	if (!row->send)
		return true;
	if (!place)
		return egret_buf_append(out, row->send, row->send_len ? row->send_len : strlen(row->send));
	return egret_buf_append(out, row->send, (size_t)(place - row->send)) &&
	       egret_buf_append(out, dialogue->local, strlen(dialogue->local)) && egret_buf_append(out, place + 1, strlen(place + 1));
}

/* What the server said, as far as a line can show it. */
static enum egret_starttls_step refused(const struct egret_starttls_dialogue *dialogue, struct egret_tls_error *error)
{
	const uint8_t *data = egret_buf_head(&dialogue->answer);
	char shown[81];
	size_t used = 0;
	for (; used < egret_buf_len(&dialogue->answer) && used < sizeof shown - 1 && data[used] != '\r' && data[used] != '\n'; used++)
		shown[used] = data[used] >= 0x20 && data[used] < 0x7f ? (char)data[used] : '.';
	shown[used] = '\0';
	error->failure = EGRET_TLS_PROTOCOL;
	snprintf(error->text, sizeof error->text,
		 "tls_starttls = %s: expected \"%s\" of the server, it answered \"%s\"; does it offer TLS on this port? If it begins with TLS, set "
		 "connect_port and no tls_starttls",
		 dialogue->protocol->name, dialogue->row->expects, shown);
	return EGRET_STARTTLS_FAILED;
}

static enum egret_starttls_step not_offered(const struct egret_starttls_dialogue *dialogue, struct egret_tls_error *error)
{
	error->failure = EGRET_TLS_PROTOCOL;
	snprintf(error->text, sizeof error->text,
		 "tls_starttls = %s: the server does not offer %s, or somebody on the way hides that it does; nothing was sent in the clear",
		 dialogue->protocol->name, dialogue->row->needs);
	return EGRET_STARTTLS_FAILED;
}

/* The answer is complete. */
static enum egret_starttls_step next(struct egret_starttls_dialogue *dialogue, size_t used, struct egret_tls_error *error)
{
	const struct egret_starttls_row *row = dialogue->row;
	const uint8_t *data = egret_buf_head(&dialogue->answer);
	if (used < egret_buf_len(&dialogue->answer))
		return fail(error, EGRET_TLS_PROTOCOL,
			    "the server sent more than its answer before the TLS handshake; somebody on the way may have injected it, so the connection "
			    "was given up");
	if (row->needs && !row->offers(row, data, used))
		return not_offered(dialogue, error);
	if (row->keep && !row->keep(&dialogue->greeting, data, used))
		return fail(error, EGRET_TLS_MEMORY, "out of memory");
	egret_buf_free(&dialogue->answer);
	dialogue->row++;
	dialogue->sent = false;
	if (dialogue->row->answer)
		return EGRET_STARTTLS_MORE;
	return dialogue->protocol->listens ? EGRET_STARTTLS_LISTEN : EGRET_STARTTLS_UPGRADE;
}

enum egret_starttls_step egret_starttls_step(struct egret_starttls_dialogue *dialogue, const uint8_t *in, size_t len, struct egret_buf *out,
					     struct egret_tls_error *error)
{
	size_t used = 0;
	enum egret_starttls_step step = EGRET_STARTTLS_MORE;
	if (len && !egret_buf_append(&dialogue->answer, in, len))
		return fail(error, EGRET_TLS_MEMORY, "out of memory");
	if (len) {
		switch (dialogue->row->answer(dialogue->row, egret_buf_head(&dialogue->answer), egret_buf_len(&dialogue->answer), &used)) {
		case EGRET_ANSWER_NO:
			return refused(dialogue, error);
		case EGRET_ANSWER_MORE:
			if (egret_buf_len(&dialogue->answer) > ANSWER_MOST)
				return refused(dialogue, error);
			break;
		case EGRET_ANSWER_YES:
			step = next(dialogue, used, error);
		}
	}
	if (step == EGRET_STARTTLS_MORE && !dialogue->sent && !say(dialogue, out))
		return fail(error, EGRET_TLS_MEMORY, "out of memory");
	return step;
}

const uint8_t *egret_starttls_greeting(const struct egret_starttls_dialogue *dialogue, size_t *len)
{
	*len = egret_buf_len(&dialogue->greeting);
	return *len ? egret_buf_head(&dialogue->greeting) : NULL;
}

bool egret_starttls_hears(const struct egret_starttls_dialogue *dialogue) { return dialogue->protocol->word != NULL; }

enum egret_starttls_word egret_starttls_word(const struct egret_starttls_dialogue *dialogue, const uint8_t *data, size_t len, struct egret_buf *say,
					     struct egret_tls_error *error)
{
	return dialogue->protocol->word ? dialogue->protocol->word(data, len, say, error) : EGRET_WORD_PASSES;
}

bool egret_starttls_eof_is_close(const struct egret_tls_settings *settings)
{
	return settings->truncation == EGRET_TRUNCATION_EOF || settings->starttls == EGRET_MYSQL;
}
