/* caller: performs one sequence of socket calls after the other and tells each call's result on a line. What the files of it share.
 *
 * It runs twice for each sequence: over TCP without the library, and wrapped. A call that would wait for ever, or whose result time
 * decides, is left out on both sides alike ("skip"). Before a result is told, all that the peer has sent is in the kernel's queue.
 */
#ifndef EGRET_TESTS_CALLER_H
#define EGRET_TESTS_CALLER_H

#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_ARGS 8
#define ROOM (1 << 20)  /* bytes of the largest transfer */
#define UNREAD_LITTLE 600 /* bytes that fit whatever was set */
#define UNREAD_MOST 6000 /* bytes that surely fit on their way to a peer that does not read */

struct call {
	int argc;
	const char *argv[MOST_ARGS];
};

#define CONNECTIONS 3 /* that a sequence uses at most */
#define KEPT 6        /* copies of a descriptor beside the one in use */

/* One connection: what the program's side and the peer's have done so far. */
struct caller {
	int fd;
	int kept[KEPT], kept_count; /* other descriptors of it, which stay open */
	FILE *stream; /* over a descriptor of its own; what it has read ahead is no part of `owed`, what it holds back none of `sent` */
	bool connected, nonblocking, shut_wr, shut_rd;
	bool six; /* an IPv6 socket, with a mapped address */
	bool more;   /* MSG_MORE was used: TCP may hold bytes back, TLS holds none */
	bool corked; /* ... TCP_CORK: both may */
	bool uneven; /* how much was sent depended on the size of buffers: where lines end in the pattern does, too */
	bool moved; /* sent by SCM_RIGHTS: wrapped, it is the end of a socket pair now, and what is on its way comes a little later */
	bool edges; /* a registration in the set waits for "writable" by edges: whether a send that waits makes one is a matter of acknowledgements */
	bool small, tiny; /* the send buffer takes little; the receive buffer takes next to nothing: the peer sends only what is read meanwhile */
	bool narrow;   /* the peer's window takes less than may be sent without a reader */
	bool late_fin; /* ... and both halves were shut before it had read all: wrapped, the FIN waits for that, libegret(8) */
	bool hasty;    /* ... or the writing half first: its FIN is on its way, and the peer's close_notify is met with a reset, libegret(8) */
	bool peer_ended, peer_fin, peer_cut; /* the peer's half is closed; with a FIN; by a reset */
	bool notified; /* ... by its close_notify alone, which over TCP is the FIN */
	size_t wire;               /* bytes that the peer has put on the wire */
	size_t promised, owed;     /* plaintext of the peer: all that it sent, and what of it was not read yet */
	size_t sent, unread;       /* plaintext of ours: all that was accepted, and what of it the peer did not read yet */
	size_t pieces; /* segments of the peer in our queue: each costs the kernel more than its bytes */
	int lowat;
};

extern struct caller it; /* the connection in use; "use" changes it */
extern int epoll_set;    /* of the whole sequence; -1: none yet */
extern volatile int pipes, alarms; /* signals: SIGPIPE of this call, SIGALRM */

/* Puts connection NUMBER into `it`, and lets the peer mean it. The one that was in use. */
int use(int number);
extern int in_use;
extern unsigned char room[ROOM];

/* Argument I as a number, as flags (MSG_PEEK|...), or FALLBACK. */
long number(const struct call *call, int i, long fallback);
int flags_of(const struct call *call, int i);
int file_flags_of(const struct call *call, int i);
bool has_word(const struct call *call, const char *word);

/* Sends one command to the peer and returns the number of its answer; WORD (16 bytes, may be NULL) gets the answer's word. */
size_t ask(char *word, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t hear(char *word);
/* Waits until the kernel has all that the peer has put on the wire. */
void settle(void);
/* Both halves have ended, and whether TCP's FINs are there as well is not the same on both sides: without them the socket is connected still. */
bool half_gone(void);
/* What was sent is on its way: before the peer is waited for. */
void push(void);

void tell(long result);                  /* "= result ERRNO" */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *why);
/* After a close of the descriptor in use: another of the connection is used, or the connection has ended. */
void closed(void);
/* After "daemon": the line of this call is the child's, whose life ends with the sequence. */
void hand_back(void);
void end_copy(void);

/* Room for SIZE bytes of which only the first GOOD can be read and written; the same memory each time. */
unsigned char *broken_room(size_t good, size_t size);
/* What a stream has read that the program has not, and what it was given that it has not written. */
size_t read_ahead(void);
size_t held_back(void);
/* Does a stream of any connection hold something back? */
bool any_held_back(void);

/* Each file's calls; false: not one of its. */
bool call_socket(const struct call *call);
bool call_peer(const struct call *call);
bool call_read(const struct call *call);
bool call_write(const struct call *call);
bool call_ready(const struct call *call);
bool call_fd(const struct call *call);
bool call_process(const struct call *call);
bool call_stream(const struct call *call);
bool call_fault(const struct call *call);
bool call_other(const struct call *call);
bool call_connect(const struct call *call);

struct row {
	const char *name;
	void (*run)(const struct call *call);
};
bool run_row(const struct row *rows, size_t count, const struct call *call);
#define RUN_ROW(rows, call) run_row(rows, sizeof(rows) / sizeof((rows)[0]), call)

#endif
