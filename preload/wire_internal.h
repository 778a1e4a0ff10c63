/* What the files of the wire share, with starttls_run.c, which speaks before TLS does. Nobody else includes it. */
#ifndef EGRET_WIRE_INTERNAL_H
#define EGRET_WIRE_INTERNAL_H

#include "wire.h"

#include <errno.h>

#define EGRET_AVAILABLE_MOST (256 << 10) /* bytes that FIONREAD counts at most */
#define EGRET_WIRE_LEAST 1024 /* bytes that a writable TCP socket takes, however small its buffer is */

/* Asked under the lock that the copying of a process looks at (conn.h): what a call has begun with this answer is its process's alone. */
static inline bool egret_wire_is_ours(struct egret_wire *wire)
{
	bool moved = wire->error == ESTALE; /* a relay has it, and here is no state any more: every call says so */
	return !wire->ours || moved || wire->ours(wire);
}

/* recv(2) with MSG_DONTWAIT, again after EINTR. Bytes, 0 at the end of the stream, or a negative errno. */
ssize_t egret_wire_recv(const struct egret_wire *wire, void *data, size_t size, int flags);
/* Before TLS, with the wire parked: 0: nothing came; else a negative errno with failure filled. */
int egret_wire_hush(struct egret_wire *wire);
/* Drops COUNT bytes from the head of the kernel's queue, where they are known to be. */
void egret_wire_discard(const struct egret_wire *wire, size_t count);

/* All under out_lock. Moves the answers behind what is already on its way out; false when memory is out: they stay. `add`: also under
 * tls_lock. */
bool egret_wire_take_answers(struct egret_wire *wire);
bool egret_wire_add_answers(struct egret_wire *wire);
/* Sends `out`: 0 when it is empty, -EAGAIN (wants is set), or a negative errno, after which `out` is empty too. */
int egret_wire_send_out(struct egret_wire *wire);
/* The same, and where the kernel's buffer is full it is made wide enough for this once: what was accepted from the program must go out
 * without its help. */
int egret_wire_force_out(struct egret_wire *wire);

/* Reading, under in_lock. Plaintext bytes that are undelivered; is nothing more to come behind them? */
static inline size_t egret_wire_undelivered(const struct egret_wire *wire) { return egret_buf_len(&wire->peeked) + wire->pending; }
static inline bool egret_wire_is_over(const struct egret_wire *wire) { return (wire->error && !wire->error_waits) || wire->read_closed; }
/* Brings up to SIZE bytes of plaintext into `peeked`. */
void egret_wire_open(struct egret_wire *wire, size_t size);
/* What has come counts as told or as too little: before it is read where SO_RCVLOWAT asks for more than a byte. */
void egret_wire_take_notice(struct egret_wire *wire);

/* How it ended, under in_lock. Does the kernel know of the end? A byte that is hidden before it would hide that, too. */
bool egret_wire_has_end(const struct egret_wire *wire);
/* The end of TLS was met: from now on poll must say "readable", for good, whatever the peer does with its half of TCP. */
void egret_wire_ended(struct egret_wire *wire);
/* Reads and writes give ERROR. */
void egret_wire_broken(struct egret_wire *wire, int error);
/* The peer's FIN came without close_notify. */
void egret_wire_truncated(struct egret_wire *wire);
/* The kernel has told ERROR, once. Where both halves are shut the peer's close_notify alone makes the kernel answer with a reset, of which a TCP
 * program would see nothing. */
void egret_wire_told(struct egret_wire *wire, int error);
/* The kernel gave ERROR to a send that is none of the program's: it is told in its turn, behind what came before. SHUT: the writing side was
 * shut already, so that it may be such a reset. Under out_lock. */
void egret_wire_keep_error(struct egret_wire *wire, int error, bool shut);

#endif
