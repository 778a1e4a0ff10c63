/* The dialogue on a wire: what is sent and received before TLS, for programs and for the sandbox's relay. */
#include "starttls_internal.h"
#include "wire_internal.h"

#include "policy/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The dialogue's words to the server: 0 when all are gone, -EAGAIN, -errno. */
static int send_out(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	struct egret_buf *out = &dialogue->out;
	while (egret_buf_len(out) > 0) {
		long n = egret_raw6(SYS_sendto, wire->fd, (long)egret_buf_head(out), (long)egret_buf_len(out), MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		if (n == -EAGAIN)
			wire->wants = POLLOUT;
		if (n < 0 && n != -EINTR)
			return (int)n;
		if (n > 0)
			egret_buf_consume(out, (size_t)n);
	}
	return 0;
}

static int cut_short(struct egret_wire *wire, int error)
{
	wire->failure.failure = EGRET_TLS_CONNECTION;
	snprintf(wire->failure.text, sizeof wire->failure.text,
		 "expected the server's part of the dialogue before TLS, the connection %s; is tls_starttls what it speaks?", error ? "broke" : "ended");
	return error == 0 || error == EPIPE ? -ECONNRESET : -error;
}

/* What was said before TLS is over: the program's greeting waits where its first read looks. */
static int greet(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire, bool listen)
{
	size_t len;
	const uint8_t *greeting = egret_starttls_greeting(dialogue, &len);
	dialogue->stage = listen ? EGRET_LISTENING : EGRET_UPGRADED;
	if (!(listen ? egret_wire_park(wire, greeting, len) : egret_wire_greet(wire, greeting, len, egret_starttls_hears(dialogue))))
		return -ENOMEM;
	return listen ? EGRET_STARTTLS_LISTENS : 0;
}

static int talk(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	uint8_t in[4096];
	ssize_t have = 0;
	for (;;) {
		enum egret_starttls_step step = egret_starttls_step(dialogue, in, (size_t)have, &dialogue->out, &wire->failure);
		egret_wire_discard(wire, (size_t)have - (step == EGRET_STARTTLS_LISTEN)); /* that byte tells poll of the greeting */
		if (step == EGRET_STARTTLS_FAILED)
			return -egret_tls_errno(wire->failure.failure);
		int result = send_out(dialogue, wire);
		if (result < 0)
			return result == -EAGAIN ? -EAGAIN : cut_short(wire, -result);
		if (step != EGRET_STARTTLS_MORE)
			return greet(dialogue, wire, step == EGRET_STARTTLS_LISTEN);
		wire->wants = POLLIN;
		have = egret_wire_recv(wire, in, sizeof in, MSG_PEEK);
		if (have <= 0)
			return have == -EAGAIN ? -EAGAIN : cut_short(wire, (int)-have);
	}
}

/* 0: the server awaits a ClientHello, or TLS stands already; else as egret_starttls_shake. */
static int speak(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	int result = 0;
	switch (dialogue->stage) {
	case EGRET_TALKING:
		return talk(dialogue, wire);
	case EGRET_LISTENING:
		return EGRET_STARTTLS_LISTENS;
	case EGRET_BEGINNING:
		result = send_out(dialogue, wire);
		if (result == 0)
			dialogue->stage = EGRET_UPGRADED;
		break;
	case EGRET_UPGRADED:
		break;
	}
	return result == 0 || result == -EAGAIN ? result : cut_short(wire, -result);
}

/* TLS stands: what was kept of the program's words goes out. 0, -EAGAIN, -errno. */
static int say_kept(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	while (egret_buf_len(&dialogue->words) > 0) {
		struct iovec iov = { egret_buf_head(&dialogue->words), egret_buf_len(&dialogue->words) };
		ssize_t n = egret_wire_write(wire, &iov, 1);
		if (n < 0)
			return (int)n;
		egret_buf_consume(&dialogue->words, (size_t)n);
	}
	return 0;
}

int egret_starttls_shake(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	int result = dialogue ? speak(dialogue, wire) : 0;
	if (result == 0)
		result = egret_wire_handshake(wire);
	return result == 0 && dialogue ? say_kept(dialogue, wire) : result;
}

bool egret_starttls_asks(const struct egret_starttls_dialogue *dialogue, const struct egret_wire *wire)
{
	return dialogue && (dialogue->stage == EGRET_LISTENING || wire->hold);
}

/* As much as matters of what was kept and of IOV, into WORDS. Returns the bytes. */
static size_t gather(const struct egret_starttls_dialogue *dialogue, const struct iovec *iov, int count, uint8_t words[EGRET_WORDS_MOST])
{
	size_t len = egret_buf_len(&dialogue->words);
	if (len)
		memcpy(words, egret_buf_head(&dialogue->words), len);
	for (int i = 0; i < count && len < EGRET_WORDS_MOST; i++) {
		size_t room = EGRET_WORDS_MOST - len, step = iov[i].iov_len < room ? iov[i].iov_len : room;
		if (step)
			memcpy(words + len, iov[i].iov_base, step);
		len += step;
	}
	return len;
}

static enum egret_starttls_word fail(struct egret_wire *wire, enum egret_tls_failure failure)
{
	wire->failure.failure = failure;
	if (failure == EGRET_TLS_MEMORY)
		snprintf(wire->failure.text, sizeof wire->failure.text, "out of memory");
	return EGRET_WORD_REFUSED;
}

/* Nothing was sent so far, and what the server says from now on is TLS. */
static enum egret_starttls_word begin(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire)
{
	dialogue->stage = EGRET_BEGINNING;
	wire->up.by = 1;
	wire->down.by = -1;
	return egret_wire_unpark(wire) == 0 ? EGRET_WORD_BEGINS : fail(wire, wire->failure.failure);
}

enum egret_starttls_word egret_starttls_hear(struct egret_starttls_dialogue *dialogue, struct egret_wire *wire, const struct iovec *iov, int count)
{
	uint8_t words[EGRET_WORDS_MOST];
	size_t kept = egret_buf_len(&dialogue->words), len = wire->error ? 0 : gather(dialogue, iov, count, words);
	bool listening = dialogue->stage == EGRET_LISTENING, good = true;
	if (wire->error || len == kept)
		return wire->error ? EGRET_WORD_PASSES : EGRET_WORD_KEPT;
	struct egret_buf say = { 0 };
	enum egret_starttls_word word = egret_starttls_word(dialogue, words, len, listening ? &dialogue->out : &say, &wire->failure);
	switch (word) {
	case EGRET_WORD_REFUSED:
		return fail(wire, wire->failure.failure);
	case EGRET_WORD_PASSES:
		egret_wire_unhold(wire);
		break;
	case EGRET_WORD_KEPT:
		good = listening ? egret_buf_append(&dialogue->words, words + kept, len - kept) : egret_wire_say(wire, egret_buf_head(&say), egret_buf_len(&say));
		break;
	case EGRET_WORD_BEGINS:
		return begin(dialogue, wire);
	}
	egret_buf_free(&say);
	return good ? word : fail(wire, EGRET_TLS_MEMORY);
}
