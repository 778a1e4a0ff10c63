/* epoll: which registrations a descriptor has, found by descriptor and by what an event carries; and handshakes under way.
 *
 * Registrations of every descriptor are noted as the program makes them, also before it connects; while a handshake runs they wait
 * for what it needs ("narrowed"). An event names its registration only by `data`, which a program need not make unique: all that fit
 * are looked at.
 *
 * Memory: registrations belong to the table; sets, one for each epoll descriptor's number, are never freed. Locks: stripes by
 * descriptor (a descriptor's list, its narrowing, its epoll_ctl), then the set's (its index); those under way have their own, pending.h. None is
 * held while waiting. What is closed by a system call that no hook sees leaves a registration behind until its number is used again.
 */
#ifndef EGRET_READY_H
#define EGRET_READY_H

#include "conn.h"

#include <sys/epoll.h>

/* What an event may belong to. */
struct set;
struct egret_ready_match {
	int fd;
	int number;       /* by which the program registered it: FD, if that was not closed since */
	bool shared;      /* its set has had several with the same `data` at once */
	struct set *set;
	uint64_t id;      /* of the registration */
	uint64_t batch;   /* of events in which it was told last: the kernel reports each once in one */
	uint64_t quiet;   /* ... in which it had nothing to tell last: that took what it was judged by */
	uint32_t events;  /* as the program asked */
	bool fired;       /* one-shot, and not armed */
	uint64_t told_room; /* an edge-triggered program knows that it may write, since that room (below), 0: it does not */
	uint64_t told_news; /* ... and what to read (wire.h), 0: nothing */
	uint64_t told_stirs; /* those (wire.h) before its last edge */
};

/* What one of them tells. */
struct egret_ready_telling {
	const struct egret_ready_match *match; /* NULL: none has anything to tell */
	uint32_t seen; /* 0: nothing */
	uint64_t news; /* to read, 0: not counted */
	uint64_t stirs; /* so many before this edge (wire.h) */
	bool stirred;  /* ... more than before the last one: it may be none */
	bool several;  /* others have the same `data` */
	bool far;      /* of no connection, and what there is differs from what the event tells */
	bool deaf;     /* what comes makes no edge for it */
	uint64_t batch; /* in which it was */
	bool had_nothing; /* where nothing is seen: nor will it have of another event of the batch */
	uint64_t room; /* to write: another one behind each write of the connection that was told to wait, 0: it is none */
};

/* FD's connect is under way: its registrations are narrowed to what the handshake waits for. Again after each step. */
void egret_ready_connect_started(int fd, struct egret_conn *conn);
/* It is OPEN or FAILED: registrations are the program's again. */
void egret_ready_connect_ended(struct egret_conn *conn);
/* Can every registration of FD be changed? */
bool egret_ready_can_answer(int fd);
/* ON: something is to be read of which the kernel knows nothing: FD's registrations wait for "writable" too, so that they report at once.
 * Not ON: they are the program's again. */
void egret_ready_answer(int fd, bool on);
/* Both halves of CONN are shut, and the kernel, from which the FIN is kept back, knows of one: registrations wait for that one's end. */
void egret_ready_both_shut(struct egret_conn *conn);

/* epoll_ctl(2) as the program asked, narrowed and noted. */
int egret_ready_control(int epfd, int operation, int fd, struct epoll_event *event);
/* Registrations in EPFD with DATA: fills MATCHES, returns how many there are; MOST + 1: more than MOST. */
size_t egret_ready_find(int epfd, uint64_t data, struct egret_ready_match *matches, size_t most);
/* Within BATCH a registration in EPFD with DATA had an edge, and the program saw that of it. */
void egret_ready_told(int epfd, const struct egret_ready_telling *it, uint64_t data, uint64_t batch);
/* Of COUNT registrations with EVENT's data none has anything to tell: may it be of one that the kernel keeps although its number was closed? Looked
 * up where the set has had several with the same data, at a cost that grows with the set. */
bool egret_ready_is_strays(const struct egret_ready_match *matches, size_t count, const struct epoll_event *event);
/* A one-shot registration woke for nothing: it is armed again. */
void egret_ready_rearm(const struct egret_ready_match *match);

/* SO_RCVLOWAT of CONN was set, whose end the kernel does not know for a FIN: that would be told anew to those that wait to read, tcp_set_rcvlowat. */
void egret_ready_end_again(struct egret_conn *conn);

/* FD was closed: the kernel has dropped its registrations, unless another descriptor of the same connection, HEIR, lives on (-1: none). */
void egret_ready_forget(int fd, int heir);
/* FD is about to be closed, and nobody of the program has its socket any more; a relay does: the kernel drops its registrations now. */
void egret_ready_withdraw(int fd);
/* dup3(WITH, FD, FLAGS), and FD's registrations are those of the new one; those made before a fork, which are the parent's too, where the process
 * is ALONE with the connection. */
int egret_ready_replace(int fd, int with, int flags, bool alone);
/* In a process that has a descriptor table of its own and our memory, while all of the library's locks are held (start.c): registrations of CONN
 * by numbers that were closed since become END's. ALONE: as above. */
void egret_ready_move_ghosts(const struct egret_conn *conn, int end, bool alone);

/* Might FD have registrations or be an epoll set? Two loads. */
bool egret_ready_knows(int fd);
/* Is FD an epoll set that was used? */
bool egret_ready_is_set(int fd);

/* Around fork: the child finds the registrations unlocked. */
void egret_ready_before_fork(void);
void egret_ready_after_fork(bool child);

#endif
