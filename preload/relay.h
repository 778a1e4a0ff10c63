/* Moving a connection to a relay, so that its descriptors become native: glibc's stdio, an exec'ed program or another process can then
 * use them without the hooks, and no plaintext reaches the wire.
 *
 * A relay is a process of its own that takes the TLS state over: a copy of the one that moves the connection (relay.c says how it is
 * started), which keeps the TCP socket and one end of a UNIX socket pair, and passes bytes on both ways, half-closes included (relay_run.c).
 * Every descriptor of the connection becomes the other end. The relay is nobody's child but init's (or a subreaper's), raises no SIGCHLD,
 * leaves no zombie, has left the session, and ends when both sides have.
 *
 * What a moved connection cannot do: libegret(8).
 */
#ifndef EGRET_RELAY_H
#define EGRET_RELAY_H

#include "conn.h"

/* Moves the connection of the caller's CONN (a reference), waiting for a handshake under way. 0: its descriptors are native from now on
 * (those of one that failed stay as they are: they carry nothing). Else a positive errno: nothing was changed. */
int egret_relay_move(struct egret_conn *conn);

/* The program has written its last to CONN: must a relay see it off? So it is where the kernel holds bytes that it cannot send yet, or ours are
 * STUCK; not where the program wants its close to reset the connection, socket(7). */
bool egret_relay_is_needed(const struct egret_conn *conn, bool stuck);

/* Leaves what CONN still has to send to a relay that has no other task; CONN's descriptors may then be closed. 0, or a positive errno. */
int egret_relay_finish(struct egret_conn *conn);

/* Another process moved CONN (its owner is EGRET_OWNER_RELAY): takes what it left, so that this one's descriptors are native too. False:
 * nothing was left for this process. */
bool egret_relay_follow(struct egret_conn *conn);

/* Descriptors that are closed for the next program only: connections whose ClientHello is still to be judged. */
struct egret_withheld {
	int count;
	int fds[64]; /* more than these stay closed on exec */
};

/* CONN at FD is to reach the next program: moves it, as far as that can be done. One whose ClientHello is still to be judged stays here: FD is
 * closed on exec, and noted in WITHHELD. */
void egret_relay_bequeath(struct egret_conn *conn, int fd, struct egret_withheld *withheld);

/* Before exec: bequeaths every connection that the program left without FD_CLOEXEC; the others end without a reset. WITHHELD is filled. */
void egret_relay_hand_over(struct egret_withheld *withheld);

/* The exec failed, or the program was started by another process: what was withheld is as the program left it. errno is kept. */
void egret_relay_take_back(const struct egret_withheld *withheld);

/* Of a function that never returns, run on the relay's own stack: AddressSanitizer takes that for a mistake. */
#define EGRET_ON_OWN_STACK __attribute__((no_sanitize("address")))

/* The relay itself: END is its end of the pair, the first byte in END's queue is not data; -1: only to finish. Never returns. */
_Noreturn void egret_relay_run(struct egret_conn *conn, int end);

#endif
