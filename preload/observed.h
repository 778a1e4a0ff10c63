/* The program's bytes of one HTTP connection, on their way through the observer: over a wrapped socket or over plain TCP.
 *
 * The functions stand in for those of wire.h of the same name: non-blocking, a count or a negative errno, `wire->wants` says what an -EAGAIN
 * waits for. No hook is inside: the library and the sandbox's relay use them alike. A wire that has no `tls` when the
 * observer is made is the kernel's own TCP on wire->fd.
 *
 * A denied request is answered here. When its turn has come, all who wait for the descriptor are told (setup.tell) until it is read. Where
 * that cannot be, or the answer is the last one, the descriptor becomes readable for good (shutdown(SHUT_RD), which looks like a FIN to every
 * poller in every process), reads give the answer, then the end.
 * Owner: the connection. The wire is borrowed and outlives it.
 * Locks: one for each direction, held across the wire's call so that what is judged is what is sent, and one for what both share; none is
 * held while waiting. Order: direction, then the wire's own; direction, then shared.
 */
#ifndef EGRET_OBSERVED_H
#define EGRET_OBSERVED_H

#include "http.h"
#include "wire.h"

struct egret_observed;

/* CUT_IS_END: tls_truncation = eof. NULL when memory is out: deny. */
struct egret_observed *egret_observed_new(const struct egret_http_setup *setup, struct egret_wire *wire, bool cut_is_end);
/* Logs the requests that are still open. Sends nothing, closes nothing. */
void egret_observed_free(struct egret_observed *observed);

ssize_t egret_observed_write(struct egret_observed *observed, const struct iovec *iov, int count);
ssize_t egret_observed_read(struct egret_observed *observed, const struct iovec *iov, int count, int flags);
/* Is what the program reads next here, whatever the kernel says? Any thread, no lock. */
bool egret_observed_due(const struct egret_observed *observed);
int egret_observed_readable(struct egret_observed *observed);
size_t egret_observed_available(struct egret_observed *observed);
/* The process ends: logs what is open, now. */
void egret_observed_abandon(struct egret_observed *observed);
/* From now on nobody waits for it without asking egret_observed_due first: a relay. OBSERVED may be NULL. */
void egret_observed_ask_first(struct egret_observed *observed);
/* Around the copying of the process for a relay: no thread is inside meanwhile. OBSERVED may be NULL. */
void egret_observed_hold(struct egret_observed *observed);
void egret_observed_release(struct egret_observed *observed);
/* In a copy of the process: was no thread inside when it was made? Its locks are free now. OBSERVED may be NULL. */
bool egret_observed_was_at_rest(struct egret_observed *observed);
/* Before the program's end of writing is passed on: what was held of a head is dropped, and logged. */
void egret_observed_finish_writing(struct egret_observed *observed);

#endif
