/* Record I/O on one TCP descriptor: the one place that knows recv, send, partial writes and EAGAIN.
 *
 * Every function is non-blocking (MSG_DONTWAIT) whatever O_NONBLOCK says, uses raw system calls (policy/raw.h), and returns a count
 * or a negative errno: -EAGAIN when nothing could be done now (`wants` says which readiness to wait for). Waiting, time-outs,
 * SIGPIPE and cancellation belong to the caller (on_io.c, the relay), which waits in the kernel on the same descriptor.
 *
 * The kernel's readiness stays truthful (design section 5): while plaintext is undelivered at least one byte of ciphertext that
 * was already copied stays in the kernel's queue (`stale`); when nothing is undelivered, everything copied is consumed, also an
 * incomplete record. A reader whose buffer holds all that a receive can decrypt to reads without MSG_PEEK: one system call.
 *
 * A peer's end or a broken record, once seen, makes the descriptor readable for good (shutdown(SHUT_RD), which looks like a FIN).
 *
 * Locks: `in_lock` guards the receive queue and its fields, `out_lock` the outgoing buffer, `tls_lock` the engine's connection and
 * `answers`. Order: in_lock, out_lock, tls_lock; none is held while waiting. What both sides read is atomic.
 * Owner: the connection (conn.h) or the relay. The descriptor is borrowed.
 */
#ifndef EGRET_WIRE_H
#define EGRET_WIRE_H

#include "engine.h"
#include "renumber.h"

#include <pthread.h>
#include <sys/socket.h>

struct egret_wire {
	_Atomic int fd; /* borrowed; any descriptor of the connection's file description, -1: closed */
	const struct egret_engine *engine;
	struct egret_tls *tls; /* owned */
	pthread_mutex_t in_lock, out_lock, tls_lock;
	bool (*ours)(struct egret_wire *); /* under in_lock or out_lock: may this process use the TLS state, which a fork shared? NULL: it may */
	struct egret_buf in;  /* ciphertext copied from the kernel, not yet decrypted */
	size_t stale;         /* bytes at the head of the kernel's queue that `in` or the engine already has a copy of */
	struct egret_buf out; /* ciphertext that the kernel has not taken yet */
	struct egret_buf peeked;  /* plaintext that MSG_PEEK or FIONREAD took out of the engine: delivered first */
	struct egret_buf answers; /* what decrypting must answer (KeyUpdate): goes into `out` before the next record is encrypted */
	size_t pending;       /* plaintext bytes that the engine holds opened */
	size_t last_record;   /* bytes on the wire of the newest record whose header was seen: shall the next receive hold? */
	size_t record_overhead;
	_Atomic int error;    /* errno that every later read gives, 0: none */
	_Atomic bool error_once; /* it is the kernel's (a reset): the first call that meets it takes it, as sk_err */
	_Atomic bool error_waits; /* ... and what came before it is read first */
	bool read_closed;     /* close_notify seen, or FIN where eof_is_close: reads give 0 */
	_Atomic bool read_shut; /* the program did shutdown(SHUT_RD): the end is no truncation */
	bool kernel_eof;      /* FIN seen */
	bool made_eof;        /* ... or, when TLS ended, not yet: the kernel's reading side was shut instead */
	_Atomic bool write_closed; /* close_notify sent or the connection reset: writes give EPIPE */
	bool eof_is_close;    /* tls_truncation = eof */
	_Atomic bool fin_due; /* egret_wire_owes_fin */
	bool handshaken;
	bool parked;          /* TLS begins with what the program says first; until then the server says nothing more */
	struct egret_renumber up, down; /* on the program's bytes; up under out_lock, down under in_lock */
	bool hold;            /* the handshake's last byte stays in the kernel's queue although nothing is undelivered: something may become so */
	_Atomic short wants;          /* POLLIN or POLLOUT: what the last -EAGAIN waits for */
	size_t credit;        /* bytes that the kernel's send buffer surely takes, as of the last look; under out_lock */
	_Atomic bool resized; /* the program gave the kernel's send buffer another size: credit is void */
	_Atomic bool careful; /* TCP_NOTSENT_LOWAT is set: credit is no promise, ask whether the kernel says writable */
	_Atomic bool stuck;   /* `out` is not empty: the next call on the connection flushes it */
	bool full;            /* the kernel had no room: nothing is tried before it says writable, as TCP does it; under out_lock */
	_Atomic uint64_t hunger; /* how often a write was told to wait: the next POLLOUT is news, to each registration */
	_Atomic bool heard;   /* something came since the handshake, if only tickets */
	_Atomic unsigned unanswered; /* writes before that */
	uint64_t copied;      /* bytes that `in` has been given so far: a position in the stream of ciphertext */
	uint64_t data_end;    /* where the newest record ended that was opened and had data */
	uint64_t noticed;     /* what came before it has been taken for news */
	uint64_t noticed_before, round; /* ... before that round of edges, egret_wire_news */
	bool end_noticed;     /* the end has been, too */
	uint64_t news;        /* how often something to read was: egret_wire_news */
	size_t least;         /* SO_RCVLOWAT: with fewer plaintext bytes than this undelivered, the byte that is held wakes nobody */
	_Atomic uint64_t stirs; /* how often the kernel got an edge to tell that may be none: of less than that, or since its own SO_RCVLOWAT was set */
	_Atomic bool hidden;  /* ... since the kernel's SO_RCVLOWAT is 2: the next byte that comes does */
	struct egret_tls_error failure; /* the sentence that belongs to `error` */
};

/* An edge that the kernel tells. */
struct egret_wire_edge {
	bool stirred;    /* it may be one of `stirs` */
	bool anothers;   /* it may be another connection's */
	uint64_t round;  /* edges of one round are compared with what was noticed before it */
};

/* Takes ownership of TLS. */
void egret_wire_init(struct egret_wire *wire, int fd, const struct egret_engine *engine, struct egret_tls *tls, bool eof_is_close);
void egret_wire_free(struct egret_wire *wire); /* frees TLS and buffers; sends nothing, closes nothing */

/* What the program shall read first, before the handshake ends (STARTTLS): it makes the descriptor readable, since the last byte of the
 * handshake stays in the kernel's queue meanwhile. HOLD: keep that byte also while there is nothing, for egret_wire_say. False: no memory. */
bool egret_wire_greet(struct egret_wire *wire, const void *data, size_t len, bool hold);
/* With the byte held: the program shall read DATA next. */
bool egret_wire_say(struct egret_wire *wire, const void *data, size_t len);
/* The byte is not needed any more. */
void egret_wire_unhold(struct egret_wire *wire);

/* TLS begins when the program has said something: until then it reads DATA, of which the kernel's queue still has the last byte. */
bool egret_wire_park(struct egret_wire *wire, const void *data, size_t len);
/* It has: the handshake may begin. 0, or a negative errno with failure filled: the server said more meanwhile, or left. */
int egret_wire_unpark(struct egret_wire *wire);

/* One step of the handshake: 0 when it has ended, -EAGAIN (see wants), else the negative errno of design section 5, failure filled. */
int egret_wire_handshake(struct egret_wire *wire);

/* Reads into IOV. FLAGS: MSG_PEEK, MSG_TRUNC (counts and drops, tcp(7)), with MSG_PEEK also MSG_WAITALL: the caller waits for more, so
 * nothing wakes it meanwhile; when it gives up it asks egret_wire_readable. Returns bytes, 0 at the end, -EAGAIN, -EFAULT (nothing was taken),
 * -errno. A short read means that the kernel's queue holds no complete record. Of no bytes: 0 when there is something, else as any. */
ssize_t egret_wire_read(struct egret_wire *wire, const struct iovec *iov, int iovcnt, int flags);

/* What poll(2) says of reading: POLLIN when there is data (SO_RCVLOWAT bytes of it), the end or an error, with POLLRDHUP at the end and
 * POLLERR while an error waits to be taken; 0: nothing. Consumes what carries no data. */
short egret_wire_readable(struct egret_wire *wire);
/* The same for its effect alone, where nobody may wait: nothing is done while another thread is busy with WIRE. */
void egret_wire_look_ahead(struct egret_wire *wire);
/* How often something to read has come so far: the same number again means that whatever came since carried no data. *END: does EDGE tell an end?
 * Then: it is known, and the edge is the library's own, or another's. */
uint64_t egret_wire_news(struct egret_wire *wire, const struct egret_wire_edge *edge, bool *end);
/* Has what the kernel told no news for a program that knows of TOLD (0: not counted)? SAID_READABLE: it said so, and nothing is. */
bool egret_wire_brought_nothing(struct egret_wire *wire, uint64_t told, bool stirred, bool said_readable);
/* The same number without a look at what has come since the last read, 0 while there is something to read. */
uint64_t egret_wire_old_news(struct egret_wire *wire);
/* Something that is told as if it had come: the program has shut a half. */
void egret_wire_make_news(struct egret_wire *wire);
/* The error that SO_ERROR or a write takes, as the kernel's sk_err; 0: none. */
int egret_wire_take_error(struct egret_wire *wire);
/* A call that has got bytes leaves ERROR, which it met behind them, to the next. */
void egret_wire_give_back_error(struct egret_wire *wire, int error);
/* The kernel gave the caller ERROR on this descriptor. */
void egret_wire_note_error(struct egret_wire *wire, int error);
/* Is the kernel's error one of which the program must not hear? Both halves are shut, and the kernel answered the peer's close_notify with a
 * reset. Takes it from the kernel. */
bool egret_wire_hides_reset(struct egret_wire *wire);
/* Has there been such a one, where over TCP there was a FIN? */
bool egret_wire_hid_reset(const struct egret_wire *wire);
/* Has the peer acknowledged all that was sent on the TCP socket FD, a FIN included? Also where nobody can tell any more. */
bool egret_wire_has_arrived(int fd);
/* With both halves shut the kernel meets what comes behind its FIN, the server's close_notify included, with a reset, and drops what it has not sent
 * yet: until that has arrived the FIN waits, for a call that asks this or for the close. Ours has told the server of the end. False: there is
 * none due any more. */
bool egret_wire_owes_fin(struct egret_wire *wire);
/* What poll(2) says of both shut halves where the kernel does not know yet. */
short egret_wire_shut_events(struct egret_wire *wire);
/* SO_RCVLOWAT, at least 1; the kernel's is 1. True: there is as much to read, and the kernel, which has none of it, tells nobody. */
bool egret_wire_set_least(struct egret_wire *wire, size_t bytes);
/* From now on FD is used; -1: the descriptor is closed: reads give the end, writes EPIPE. No call is under way afterwards on the old one. */
void egret_wire_set_fd(struct egret_wire *wire, int fd);
/* Bytes that a read would give now (FIONREAD). */
size_t egret_wire_available(struct egret_wire *wire);

/* Encrypts and sends. Returns how many bytes of IOV were accepted: their ciphertext is in the kernel (where it takes less than it
 * promised, its buffer is widened for the tail; only a kernel that is out of memory leaves `stuck`). -EAGAIN, -ENOMEM, -EFAULT: none of
 * these bytes was used. -EPIPE after close_notify or an error. Never raises SIGPIPE. */
ssize_t egret_wire_write(struct egret_wire *wire, const struct iovec *iov, int iovcnt);
/* The same by a signal handler that may have interrupted a call on another wire (within.h): one record at most, and -EAGAIN for whatever might
 * have to wait. */
ssize_t egret_wire_write_within(struct egret_wire *wire, const struct iovec *iov, int iovcnt);
/* Tries to send what is stuck. 0: nothing is left, -EAGAIN, -errno. */
int egret_wire_flush(struct egret_wire *wire);

/* Under all three locks. The TLS state lives in another process from now on: it is dropped here, every later call gives -ESTALE. */
void egret_wire_give_up(struct egret_wire *wire);

/* close_notify, once, after what is stuck: 0, -errno. The caller then does the FIN. -EAGAIN (the kernel has no room), -ENOMEM: not yet, call
 * again: a FIN now would cut off what the program believes sent. */
int egret_wire_close_notify(struct egret_wire *wire);
/* Before close: consumes what the kernel's queue holds (tickets), so that close sends FIN and not RST. Bounded. */
void egret_wire_drain(struct egret_wire *wire);

#endif
